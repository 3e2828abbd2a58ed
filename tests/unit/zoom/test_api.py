from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from meetingbots.zoom.api import ZoomAPI, followed_api_url
from meetingbots.zoom.errors import Cause, PermanentError, TransientError, ZoomError
from meetingbots.zoom.oauth import DEFAULT_API_URL
from meetingbots.zoom.resources import JoinTokenKind, MeetingSummary
from pydantic import SecretStr

from tests.unit.zoom.conftest import Observed, ScriptedZoom

TOKEN = SecretStr("access-1\n")
ALICE = {
    "id": "alice-0000000000000000",
    "account_id": "acme",
    "email": "alice@acme.example",
    "pmi": 1234567890,
    "status": "active",
    "type": 2,
    "vanity_url": "https://acme.zoom.us/my/alice?pwd=x",
    "first_name": "Alice",
}


@pytest.fixture
def api(http: httpx.AsyncClient, observed: Observed) -> ZoomAPI:
    return ZoomAPI(http, api_url="https://api.zoom.us/v2/", on_call=observed)


def answer(fields: dict[str, Any]) -> httpx.Response:
    return httpx.Response(200, json=fields)


async def test_me(api: ZoomAPI, zoom: ScriptedZoom, observed: Observed) -> None:
    zoom.says(answer(ALICE))
    user = await api.me(TOKEN)
    assert str(zoom.asked[0].url) == "https://api.zoom.us/v2/users/me"
    assert zoom.asked[0].headers["authorization"] == "Bearer access-1"
    assert (user.id, user.account_id, user.email) == (ALICE["id"], "acme", "alice@acme.example")
    assert (user.pmi, user.status, user.type, user.vanity) == ("1234567890", "active", 2, "alice")
    assert "alice@" not in repr(user)
    assert observed.calls == [("user", "200")]


async def test_a_user_with_next_to_nothing(api: ZoomAPI, zoom: ScriptedZoom) -> None:
    zoom.says(answer({"id": "x", "pmi": None, "type": "odd", "vanity_url": 7}))
    user = await api.user(TOKEN, user_id="a/b@c.example")
    assert zoom.asked[0].url.raw_path == b"/v2/users/a%2Fb%40c.example"
    assert (user.pmi, user.type, user.vanity, user.email) == (None, None, "", "")


async def test_an_answer_without_the_user_is_none(api: ZoomAPI, zoom: ScriptedZoom) -> None:
    zoom.says(answer({"hello": "world"}))
    with pytest.raises(TransientError) as caught:
        await api.me(TOKEN)
    assert caught.value.kind is Cause.UNAVAILABLE


async def test_meetings_over_pages(api: ZoomAPI, zoom: ScriptedZoom) -> None:
    zoom.says(
        answer(
            {
                "next_page_token": "p2",
                "meetings": [
                    {
                        "id": 81234567890,
                        "uuid": "u/1+==",
                        "host_id": "h",
                        "type": 8,
                        "start_time": "2026-11-24T12:00:00Z",
                        "duration": 30,
                        "topic": "Secret plans",
                    },
                    {"id": "not an id"},
                    "not even an object",
                ],
            }
        ),
        answer({"next_page_token": "", "meetings": [{"id": "912345678", "pmi": "1234567890"}]}),
    )
    listed = [meeting async for page in api.meeting_pages(TOKEN, user_id="u") for meeting in page]
    assert listed == [
        MeetingSummary(
            id="81234567890",
            uuid="u/1+==",
            host_id="h",
            type=8,
            start_time=datetime(2026, 11, 24, 12, tzinfo=UTC),
            duration_minutes=30,
            pmi=None,
        ),
        MeetingSummary(
            id="912345678", uuid="", host_id="", type=None, start_time=None, duration_minutes=None, pmi="1234567890"
        ),
    ]
    assert "Secret plans" not in repr(listed)
    first, second = (request.url for request in zoom.asked)
    assert first.path == "/v2/users/u/meetings"
    assert dict(first.params) == {"type": "scheduled", "page_size": "300"}
    assert dict(second.params) == {"type": "scheduled", "page_size": "300", "next_page_token": "p2"}


async def test_webinars_have_a_list_of_their_own(api: ZoomAPI, zoom: ScriptedZoom) -> None:
    zoom.says(answer({"next_page_token": "p2", "webinars": [{"id": 81234567890}]}), answer({"webinars": []}))
    assert [webinar.id async for page in api.webinar_pages(TOKEN) for webinar in page] == ["81234567890"]
    assert [request.url.path for request in zoom.asked] == ["/v2/users/me/webinars"] * 2


async def test_a_page_is_one_request(api: ZoomAPI, zoom: ScriptedZoom) -> None:
    zoom.says(answer({"next_page_token": "p2", "meetings": []}), answer({"meetings": [{"id": 912345678}]}))
    pages = api.meeting_pages(TOKEN)
    assert await anext(pages) == ()
    assert len(zoom.asked) == 1
    assert [meeting.id for meeting in await anext(pages)] == ["912345678"]
    assert [page async for page in pages] == []


@pytest.mark.parametrize(
    "second",
    [
        {"next_page_token": "p2", "meetings": []},
        {"next_page_token": 5, "meetings": []},
        {"next_page_token": ""},
        {"meetings": {"id": 1}},
    ],
)
async def test_a_broken_list_is_an_error(api: ZoomAPI, zoom: ScriptedZoom, second: dict[str, Any]) -> None:
    zoom.says(answer({"next_page_token": "p2", "meetings": []}), answer(second))
    with pytest.raises(TransientError):
        _ = [page async for page in api.meeting_pages(TOKEN)]
    assert len(zoom.asked) == 2


async def test_users(api: ZoomAPI, zoom: ScriptedZoom) -> None:
    zoom.says(answer({"next_page_token": "n", "users": [ALICE, {}]}), answer({"users": [{"id": "bob"}]}))
    assert [user.id async for user in api.users(TOKEN)] == [ALICE["id"], "bob"]
    assert dict(zoom.asked[0].url.params) == {"status": "active", "page_size": "300"}


async def test_meeting(api: ZoomAPI, zoom: ScriptedZoom) -> None:
    zoom.says(
        answer(
            {
                "id": 81234567890,
                "host_id": "h",
                "host_email": "h@acme.example",
                "type": 2,
                "status": "waiting",
                "pmi": "1234567890",
                "settings": {"alternative_hosts": "A@x.example; b@x.example;", "use_pmi": True},
            }
        )
    )
    meeting = await api.meeting(TOKEN, meeting_id="81234567890")
    assert str(zoom.asked[0].url) == "https://api.zoom.us/v2/meetings/81234567890"
    assert (meeting.id, meeting.host_id, meeting.host_email) == ("81234567890", "h", "h@acme.example")
    assert (meeting.status, meeting.use_pmi, meeting.pmi) == ("waiting", True, "1234567890")
    assert meeting.alternative_hosts == ("a@x.example", "b@x.example")


async def test_a_webinar_has_its_own_address(api: ZoomAPI, zoom: ScriptedZoom) -> None:
    zoom.says(answer({"id": 81234567890, "host_id": "h"}))
    assert (await api.meeting(TOKEN, meeting_id="81234567890", webinar=True)).host_id == "h"
    assert str(zoom.asked[0].url) == "https://api.zoom.us/v2/webinars/81234567890"


@pytest.mark.parametrize("settings", [None, "odd", {"alternative_hosts": 5}])
async def test_meeting_without_settings(api: ZoomAPI, zoom: ScriptedZoom, settings: object) -> None:
    zoom.says(answer({"host_id": "h", "settings": settings}))
    meeting = await api.meeting(TOKEN, meeting_id="81234567890")
    assert (meeting.alternative_hosts, meeting.use_pmi) == ((), False)


@pytest.mark.parametrize(
    ("kind", "webinar", "bypass", "url", "call"),
    [
        (
            JoinTokenKind.LOCAL_RECORDING,
            False,
            True,
            "meetings/81234567890/jointoken/local_recording?bypass_waiting_room=true",
            "jointoken_local_recording",
        ),
        (
            JoinTokenKind.LOCAL_RECORDING,
            True,
            False,
            "webinars/81234567890/jointoken/local_recording?bypass_waiting_room=false",
            "jointoken_local_recording",
        ),
        (
            JoinTokenKind.LIVE_STREAMING,
            False,
            True,
            "meetings/81234567890/jointoken/live_streaming",
            "jointoken_live_streaming",
        ),
        (
            JoinTokenKind.LOCAL_ARCHIVING,
            False,
            True,
            "meetings/81234567890/jointoken/local_archiving",
            "jointoken_local_archiving",
        ),
    ],
)
async def test_join_token(
    api: ZoomAPI,
    zoom: ScriptedZoom,
    observed: Observed,
    kind: JoinTokenKind,
    webinar: bool,
    bypass: bool,
    url: str,
    call: str,
) -> None:
    zoom.says(answer({"expire_in": 120, "token": "join-1"}))
    made = await api.join_token(TOKEN, meeting_id="81234567890", kind=kind, webinar=webinar, bypass_waiting_room=bypass)
    assert str(zoom.asked[0].url) == f"{DEFAULT_API_URL}/{url}"
    assert (made.token.get_secret_value(), made.expires_in) == ("join-1", 120.0)
    assert observed.calls == [(call, "200")]


@pytest.mark.parametrize("life", [None, "120", 0, -1, True])
async def test_join_token_without_a_life(api: ZoomAPI, zoom: ScriptedZoom, life: object) -> None:
    zoom.says(answer({"expire_in": life, "token": "join-1"}))
    assert (await api.join_token(TOKEN, meeting_id="81234567890")).expires_in == 120.0


async def test_join_token_without_a_token(api: ZoomAPI, zoom: ScriptedZoom) -> None:
    zoom.says(answer({"expire_in": 120}))
    with pytest.raises(TransientError):
        await api.join_token(TOKEN, meeting_id="81234567890")


async def test_on_behalf_and_zak(api: ZoomAPI, zoom: ScriptedZoom) -> None:
    zoom.says(answer({"token": "t-1"}))
    made = [
        await api.on_behalf_token(TOKEN, meeting_id="81234567890"),
        await api.zak(TOKEN),
        await api.zak(TOKEN, user_id="alice"),
    ]
    assert [token.get_secret_value() for token in made] == ["t-1"] * 3
    assert [str(request.url).removeprefix(DEFAULT_API_URL) for request in zoom.asked] == [
        "/users/me/token?type=onbehalf&meeting_id=81234567890",
        "/users/me/zak",
        "/users/alice/token?type=zak",
    ]


@pytest.mark.parametrize("meeting_id", ["", "12345678", "123456789012", "81234567890/../x", "8123 456 7890"])
async def test_a_wrong_meeting_id_is_not_sent(api: ZoomAPI, zoom: ScriptedZoom, meeting_id: str) -> None:
    for ask in (api.meeting, api.join_token, api.on_behalf_token):
        with pytest.raises(PermanentError) as caught:
            await ask(TOKEN, meeting_id=meeting_id)
        assert caught.value.kind is Cause.INVALID_MEETING
    assert zoom.asked == []


@pytest.mark.parametrize("token", ["", " \n", "two words", "line\r\nx-evil: 1", "ü"])
async def test_what_is_no_token_is_not_sent(api: ZoomAPI, zoom: ScriptedZoom, token: str) -> None:
    with pytest.raises(ZoomError) as caught:
        await api.me(SecretStr(token))
    assert caught.value.kind is Cause.TOKEN_EXPIRED
    assert zoom.asked == []


EU = "https://api-eu.zoom.us"


@pytest.mark.parametrize(
    ("named", "configured", "used"),
    [
        (EU, DEFAULT_API_URL, f"{EU}/v2"),
        (f"{EU}/", f"{DEFAULT_API_URL}/", f"{EU}/v2"),
        (f"{EU}/v2", DEFAULT_API_URL, f"{EU}/v2"),
        (f"{EU}:443", DEFAULT_API_URL, f"{EU}/v2"),
        ("https://api.zoomgov.com", DEFAULT_API_URL, "https://api.zoomgov.com/v2"),
        ("https://zoom.us", DEFAULT_API_URL, "https://zoom.us/v2"),
        (EU, "http://127.0.0.1:8000/v2/", "http://127.0.0.1:8000/v2"),
        (EU, "https://api.zoomgov.com/v2", "https://api.zoomgov.com/v2"),
        *(
            (named, DEFAULT_API_URL, DEFAULT_API_URL)
            for named in (
                "",
                "http://api.zoom.us",
                "https://api.zoom.us:8443",
                "https://zoom.us.evil.example",
                "https://evilzoom.us",
                "https://zoom.us@evil.example",
                "https://x@api.zoom.us",
                "https://evil.example\\.zoom.us",
                "https://evil.example/.zoom.us",
                "https://api.zoom.us/v2/../x",
                "https://api.zoom.us?x=1",
                "https://api.zoom.us#x",
                "https://[::1",
                "https://api.zoom.us:port",
                "//api.zoom.us",
                "https://.zoom.us",
                "https://zoom.com",
            )
        ),
    ],
)
def test_followed_api_url(named: str, configured: str, used: str) -> None:
    assert followed_api_url(named, configured=configured) == used

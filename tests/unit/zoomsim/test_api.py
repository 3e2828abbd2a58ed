from dataclasses import replace
from typing import Any

import pytest

from tests.unit.zoomsim.simulator_harness import START, SimulatorHarness, error_of
from tests.zoomsim.world import App, Occurrence, User

JOIN = "/jointoken/local_recording"


async def test_users_me(zoom: SimulatorHarness) -> None:
    content = (await zoom.get("/users/me", zoom.consent().access_token)).json()
    assert content["id"] == zoom.alice.id
    assert content["account_id"] == zoom.account.id
    assert (content["email"], content["pmi"], content["status"]) == (zoom.alice.email, zoom.alice.pmi, "active")


async def test_vanity_is_in_the_user_object(zoom: SimulatorHarness) -> None:
    zoom.sim.world.update_user(zoom.alice.id, vanity="alice.rooms")
    content = (await zoom.get("/users/me", zoom.consent().access_token)).json()
    assert content["vanity_url"] == "https://zoom.us/my/alice.rooms"


async def test_a_user_level_token_speaks_for_its_own_user_only(zoom: SimulatorHarness) -> None:
    token = zoom.consent().access_token
    assert (await zoom.get(f"/users/{zoom.alice.id}", token)).status_code == 200
    assert (await zoom.get(f"/users/{zoom.alice.email}", token)).status_code == 200
    assert error_of(await zoom.get(f"/users/{zoom.bob.id}", token)) == (400, 4711)
    assert error_of(await zoom.get("/users", token)) == (400, 4711)


async def test_an_account_level_token_speaks_for_its_account_only(zoom: SimulatorHarness) -> None:
    token = zoom.consent(app=zoom.account_app()).access_token
    assert (await zoom.get(f"/users/{zoom.bob.id}", token)).json()["email"] == zoom.bob.email
    assert error_of(await zoom.get(f"/users/{zoom.mallory.id}", token)) == (404, 1001)
    assert error_of(await zoom.get("/users/nobody", token)) == (404, 1001)


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer forged"}, {"Authorization": "Basic Zm9v"}])
async def test_a_bad_token_is_401_124(zoom: SimulatorHarness, header: dict[str, str]) -> None:
    answer = await zoom.http.get("/v2/users/me", headers=header)
    assert answer.status_code == 401
    assert answer.json() == {"code": 124, "message": "Invalid access token."}


async def test_missing_scopes_are_named_in_the_granular_family(zoom: SimulatorHarness) -> None:
    token = zoom.consent(scopes=("user:read:user",)).access_token
    answer = await zoom.get(f"/meetings/{zoom.meeting().id}{JOIN}", token)
    assert answer.status_code == 400
    assert answer.json() == {
        "code": 4711,
        "message": "Invalid access token, does not contain scopes:"
        "[meeting:read:local_recording_token, meeting:read:local_recording_token:admin].",
    }


async def test_missing_scopes_are_named_in_the_classic_family(zoom: SimulatorHarness) -> None:
    token = zoom.consent(scopes=("user:read",)).access_token
    answer = await zoom.get(f"/meetings/{zoom.meeting().id}{JOIN}", token)
    names = "[meeting_token:read:local_recording, meeting_token:read:admin:local_recording]"
    assert names in answer.json()["message"]


CALLS = [
    ("/users/me", "user:read", "user:read:user"),
    ("/users/me/meetings", "meeting:read", "meeting:read:list_meetings"),
    ("/meetings/{id}", "meeting:read", "meeting:read:meeting"),
    (f"/meetings/{{id}}{JOIN}", "meeting_token:read:local_recording", "meeting:read:local_recording_token"),
    ("/users/me/zak", "user_zak:read", "user:read:zak"),
    ("/users/me/token?type=onbehalf&meeting_id={id}", "user:read", "user:read:token"),
]


@pytest.mark.parametrize(("path", "classic", "granular"), CALLS)
async def test_either_family_is_enough_and_another_scope_is_not(
    zoom: SimulatorHarness, path: str, classic: str, granular: str
) -> None:
    path = path.format(id=zoom.meeting().id)
    for scopes in ((classic,), (granular,)):
        assert (await zoom.get(path, zoom.consent(scopes=scopes).access_token)).status_code == 200
    token = zoom.consent(scopes=("recording:read",)).access_token
    assert error_of(await zoom.get(path, token)) == (400, 4711)


async def test_account_level_tokens_need_the_admin_scopes(zoom: SimulatorHarness) -> None:
    app, path = zoom.account_app(), f"/meetings/{zoom.meeting(zoom.bob).id}{JOIN}"
    plain = zoom.consent(app=app, scopes=("meeting:read:local_recording_token",)).access_token
    assert error_of(await zoom.get(path, plain)) == (400, 4711)
    for scope in ("meeting:read:local_recording_token:admin", "meeting_token:read:admin:local_recording"):
        token = zoom.consent(app=app, scopes=(scope,)).access_token
        assert (await zoom.get(path, token)).status_code == 200


async def test_meeting_object(zoom: SimulatorHarness) -> None:
    meeting = zoom.meeting(alternative_hosts=("bob@example.com", "carol@example.com"), passcode="pass-1")
    content = (await zoom.get(f"/meetings/{meeting.id}", zoom.consent().access_token)).json()
    assert (content["id"], content["host_id"], content["host_email"]) == (meeting.id, zoom.alice.id, zoom.alice.email)
    assert (content["status"], content["type"], content["occurrences"]) == ("waiting", 2, [])
    assert content["settings"]["alternative_hosts"] == "bob@example.com;carol@example.com"
    assert content["settings"]["use_pmi"] is False
    assert content["join_url"] == f"https://zoom.us/j/{meeting.id}?pwd=pass-1"
    zoom.sim.actions.start_meeting(meeting.id, emit=False)
    content = (await zoom.get(f"/meetings/{meeting.id}", zoom.consent().access_token)).json()
    assert content["status"] == "started"


async def test_the_personal_room_is_a_meeting_of_type_4(zoom: SimulatorHarness) -> None:
    token = zoom.consent().access_token
    assert (await zoom.get(f"/meetings/{zoom.alice.pmi}", token)).json()["type"] == 4
    zoom.sim.actions.update_user(zoom.alice.id, {"pmi": 5551234567}, emit=False)
    assert error_of(await zoom.get(f"/meetings/{zoom.alice.pmi}", token)) == (404, 3001)
    assert (await zoom.get("/meetings/5551234567", token)).json()["pmi"] == "5551234567"


async def test_uuids_with_a_slash_must_be_encoded_twice(zoom: SimulatorHarness) -> None:
    zoom.meeting(uuid="/a+b/c==")
    token = zoom.consent().access_token
    assert (await zoom.get("/meetings/%252Fa%252Bb%252Fc%253D%253D", token)).status_code == 200
    assert error_of(await zoom.get("/meetings/%2Fa%2Bb%2Fc%3D%3D", token)) == (400, 300)


async def test_the_join_token_answer(zoom: SimulatorHarness) -> None:
    answer = await zoom.get(f"/meetings/{zoom.meeting().id}{JOIN}", zoom.consent().access_token)
    assert answer.json()["expire_in"] == 120
    assert answer.json()["token"] in zoom.sim.recorder.secrets


async def test_every_kind_of_join_token_has_its_call(zoom: SimulatorHarness) -> None:
    meeting, token = zoom.meeting(), zoom.consent().access_token
    assert (await zoom.get(f"/meetings/{meeting.id}/jointoken/live_streaming", token)).status_code == 200
    assert error_of(await zoom.get(f"/meetings/{meeting.id}/jointoken/local_archiving", token)) == (400, 4711)
    of_account = zoom.consent(app=zoom.account_app()).access_token
    assert (await zoom.get(f"/meetings/{meeting.id}/jointoken/local_archiving", of_account)).status_code == 200
    assert (await zoom.get(f"/meetings/{meeting.id}/jointoken/anything", token)).status_code == 404


@pytest.mark.parametrize(("stranger", "expected"), [("3001", (404, 3001)), ("300", (400, 300))])
async def test_only_the_host_and_the_account_get_a_join_token(
    zoom: SimulatorHarness, stranger: Any, expected: tuple[int, int]
) -> None:
    zoom.sim.settings = replace(zoom.sim.settings, stranger=stranger)
    mine, path = zoom.consent(), f"/meetings/{zoom.meeting(alternative_hosts=('bob@example.com',)).id}{JOIN}"
    assert (await zoom.get(path, mine.access_token)).status_code == 200
    assert error_of(await zoom.get(path, zoom.consent(zoom.bob).access_token)) == expected
    assert (await zoom.get(path, zoom.consent(app=zoom.account_app()).access_token)).status_code == 200
    other = zoom.sim.actions.add_app(App(owner_account_id=zoom.other_account.id, level="account"))
    assert error_of(await zoom.get(path, zoom.consent(zoom.mallory, other).access_token)) == expected


@pytest.mark.parametrize(
    ("user", "account", "expected"),
    [
        ({"local_recording": False}, {}, (400, 3000)),
        ({}, {"local_recording": False}, (400, 3000)),
        ({"may_host": False}, {}, (400, 3161)),
        ({"status": "inactive"}, {}, (400, 3161)),
        ({"permitted": False}, {}, (400, 200)),
    ],
)
async def test_settings_that_refuse_a_join_token(
    zoom: SimulatorHarness, user: dict[str, Any], account: dict[str, Any], expected: tuple[int, int]
) -> None:
    zoom.sim.world.update_user(zoom.alice.id, **user)
    zoom.sim.world.update_account(zoom.account.id, **account)
    path = f"/meetings/{zoom.meeting().id}{JOIN}"
    assert error_of(await zoom.get(path, zoom.consent().access_token)) == expected


async def test_live_streaming_needs_a_paid_plan(zoom: SimulatorHarness) -> None:
    zoom.sim.world.update_account(zoom.account.id, plan="Free")
    path = f"/meetings/{zoom.meeting().id}/jointoken/live_streaming"
    assert error_of(await zoom.get(path, zoom.consent().access_token)) == (400, 200)


async def test_meetings_that_are_not_there(zoom: SimulatorHarness) -> None:
    token, meeting = zoom.consent().access_token, zoom.meeting()
    for bad in ("12345678", "123456789012", "not-a-number"):
        assert error_of(await zoom.get(f"/meetings/{bad}{JOIN}", token)) == (400, 300)
    assert error_of(await zoom.get(f"/meetings/99999999999{JOIN}", token)) == (404, 3001)
    zoom.sim.actions.delete_meeting(meeting.id, emit=False)
    assert error_of(await zoom.get(f"/meetings/{meeting.id}{JOIN}", token)) == (404, 3001)
    zoom.sim.actions.recover_meeting(meeting.id, emit=False)
    assert (await zoom.get(f"/meetings/{meeting.id}{JOIN}", token)).status_code == 200


async def test_bypass_waiting_room_is_true_or_false(zoom: SimulatorHarness) -> None:
    path = f"/meetings/{zoom.meeting().id}{JOIN}"
    assert error_of(await zoom.get(path, zoom.consent().access_token, bypass_waiting_room="True")) == (400, 300)


async def test_webinars_have_their_own_path(zoom: SimulatorHarness) -> None:
    webinar, token = zoom.meeting(kind="webinar", type=5), zoom.consent().access_token
    answer = await zoom.get(f"/meetings/{webinar.id}{JOIN}", token)
    assert error_of(answer) == (400, 3000)
    assert "Cannot access webinar information" in answer.json()["message"]
    assert (await zoom.get(f"/webinars/{webinar.id}{JOIN}", token)).status_code == 200
    only = zoom.consent(scopes=("meeting:read:local_recording_token",)).access_token
    assert error_of(await zoom.get(f"/webinars/{webinar.id}{JOIN}", only)) == (400, 4711)


async def listed(zoom: SimulatorHarness, user: str = "me", **query: str) -> dict[str, Any]:
    answer = await zoom.get(f"/users/{user}/meetings", zoom.consent().access_token, **query)
    assert answer.status_code == 200
    content: dict[str, Any] = answer.json()
    return content


async def test_the_list_shows_what_is_scheduled_and_not_over(zoom: SimulatorHarness) -> None:
    future = zoom.meeting()
    running = zoom.meeting(start_time=START - 1800)
    always = zoom.meeting(type=3, start_time=None)
    zoom.meeting(start_time=START - 3600)  # over this very second
    zoom.meeting(type=1, start_time=START)
    zoom.meeting(zoom.bob)
    deleted = zoom.meeting()
    zoom.sim.actions.delete_meeting(deleted.id, emit=False)
    rows = (await listed(zoom))["meetings"]
    assert {row["id"] for row in rows} == {future.id, running.id, always.id}
    assert {row["id"] for row in (await listed(zoom, type="upcoming"))["meetings"]} == {future.id, always.id}


async def test_live_meetings_can_be_listed(zoom: SimulatorHarness) -> None:
    meeting = zoom.meeting()
    zoom.meeting()
    zoom.sim.actions.start_meeting(meeting.id, emit=False)
    assert [row["id"] for row in (await listed(zoom, type="live"))["meetings"]] == [meeting.id]


async def test_rows_of_the_list(zoom: SimulatorHarness) -> None:
    meeting = zoom.meeting(pmi=zoom.alice.pmi)
    row = (await listed(zoom))["meetings"][0]
    assert row["id"] == meeting.id
    assert row["start_time"] == "2027-01-15T09:00:00Z"
    assert row["created_at"] == "2027-01-15T08:00:00Z"
    assert row["pmi"] == str(zoom.alice.pmi)
    assert {"uuid", "host_id", "topic", "type", "duration", "timezone", "join_url"} <= row.keys()


async def test_all_dates_of_a_series_have_one_id(zoom: SimulatorHarness) -> None:
    dates = tuple(Occurrence(occurrence_id=str(n), start_time=START + n * 86400) for n in range(-1, 3))
    meeting = zoom.meeting(type=8, occurrences=dates)
    assert [row["id"] for row in (await listed(zoom))["meetings"]] == [meeting.id] * 3


async def test_paging(zoom: SimulatorHarness) -> None:
    made = [zoom.meeting() for _ in range(7)]
    first = await listed(zoom, page_size="3")
    assert (first["page_size"], first["total_records"], len(first["meetings"])) == (3, 7, 3)
    found, token = list(first["meetings"]), first["next_page_token"]
    while token:
        page = await listed(zoom, page_size="3", next_page_token=token)
        found, token = found + page["meetings"], page["next_page_token"]
    assert [row["id"] for row in found] == sorted(meeting.id for meeting in made)
    assert len((await listed(zoom, page_size="300"))["meetings"]) == 7


async def test_page_tokens_live_15_minutes_and_belong_to_one_list(zoom: SimulatorHarness) -> None:
    for _ in range(2):
        zoom.meeting()
    page = (await listed(zoom, page_size="1"))["next_page_token"]
    zoom.sim.clock.advance(899)
    await listed(zoom, page_size="1", next_page_token=page)
    access = zoom.consent().access_token
    assert error_of(await zoom.get("/users/me/meetings", access, type="live", next_page_token=page)) == (400, 300)
    zoom.sim.clock.advance(1)
    assert error_of(await zoom.get("/users/me/meetings", access, next_page_token=page)) == (400, 300)


@pytest.mark.parametrize("query", [{"page_size": "301"}, {"page_size": "0"}, {"page_size": "x"}, {"type": "weekly"}])
async def test_bad_list_parameters(zoom: SimulatorHarness, query: dict[str, str]) -> None:
    answer = await zoom.get("/users/me/meetings", zoom.consent().access_token, **query)
    assert error_of(answer) == (400, 300)


async def test_users_of_an_account(zoom: SimulatorHarness) -> None:
    zoom.sim.actions.add_user(User(account_id=zoom.account.id, email="dave@example.com", status="inactive"))
    token = zoom.consent(app=zoom.account_app()).access_token
    first = (await zoom.get("/users", token, page_size="1")).json()
    second = (await zoom.get("/users", token, page_size="1", next_page_token=first["next_page_token"])).json()
    assert first["users"] + second["users"] == [
        {"id": user.id, "email": user.email, "pmi": user.pmi, "status": "active", "type": 2}
        for user in (zoom.alice, zoom.bob)
    ]
    assert second["next_page_token"] == ""
    inactive = (await zoom.get("/users", token, status="inactive")).json()["users"]
    assert [user["email"] for user in inactive] == ["dave@example.com"]


async def test_obf_token_needs_a_meeting_that_exists(zoom: SimulatorHarness) -> None:
    token, meeting = zoom.consent().access_token, zoom.meeting(zoom.mallory)
    path = "/users/me/token"
    assert (await zoom.get(path, token, type="onbehalf", meeting_id=str(meeting.id))).json()["token"]
    assert error_of(await zoom.get(path, token, type="onbehalf")) == (400, 300)
    assert error_of(await zoom.get(path, token, type="onbehalf", meeting_id="99999999999")) == (404, 3001)


async def test_zak_both_ways(zoom: SimulatorHarness) -> None:
    token = zoom.consent().access_token
    assert (await zoom.get("/users/me/zak", token)).json()["token"]
    assert (await zoom.get(f"/users/{zoom.alice.id}/token", token, type="zak")).json()["token"]


async def test_webinars_have_a_list_of_their_own(zoom: SimulatorHarness) -> None:
    webinar, meeting = zoom.meeting(kind="webinar"), zoom.meeting()
    token = zoom.consent().access_token
    listed = (await zoom.get("/users/me/webinars", token)).json()["webinars"]
    assert [(row["id"], row["type"]) for row in listed] == [(webinar.id, 5)]
    assert [row["id"] for row in (await zoom.get("/users/me/meetings", token)).json()["meetings"]] == [meeting.id]
    zoom.sim.world.update_account(zoom.account.id, webinar_plan=False)
    assert error_of(await zoom.get("/users/me/webinars", token)) == (400, 200)


@pytest.mark.parametrize("what", ["meetings", "webinars"])
async def test_a_user_without_a_licence_has_no_lists(zoom: SimulatorHarness, what: str) -> None:
    zoom.sim.actions.update_user(zoom.alice.id, {"may_host": False})
    assert error_of(await zoom.get(f"/users/me/{what}", zoom.consent().access_token)) == (400, 3161)


async def test_links_have_the_name_of_the_account(zoom: SimulatorHarness) -> None:
    zoom.sim.world.update_account(zoom.account.id, host="acme.zoom.us")
    zoom.sim.actions.update_user(zoom.alice.id, {"vanity": "alice"})
    token, meeting = zoom.consent().access_token, zoom.meeting()
    user = (await zoom.get("/users/me", token)).json()
    assert user["vanity_url"] == "https://acme.zoom.us/my/alice"
    assert user["personal_meeting_url"] == f"https://acme.zoom.us/j/{zoom.alice.pmi}"
    described = (await zoom.get(f"/meetings/{meeting.id}", token)).json()
    assert described["join_url"] == f"https://acme.zoom.us/j/{meeting.id}"


async def test_answers_are_compact(zoom: SimulatorHarness) -> None:
    zoom.sim.actions.update_user(zoom.alice.id, {"name": "Zoë"})
    answer = await zoom.get("/users/me", zoom.consent().access_token)
    assert '"display_name":"Zoë"' in answer.content.decode()

"""Which credential is used for which token, what follows from Zoom's answers, and how the status reports it."""

import itertools
from typing import Any

import httpx
import pytest
from meetingbots.kube.resources import CREDENTIALS, MAPPINGS

from tests.unit.bots.bot_builders import MEETING, at
from tests.unit.bots.reconcile.bot_harness import BotHarness, Operator

NOT_FOUND = httpx.Response(404, json={"code": 3001, "message": "Meeting does not exist."})
NOT_HOST = httpx.Response(400, json={"code": 3161, "message": "Meeting hosting is not allowed."})
NO_RECORDING = httpx.Response(400, json={"code": 3000, "message": "Local recording is disabled."})
NO_SCOPES = httpx.Response(400, json={"code": 4711, "message": "Invalid access token, does not contain scopes:[x]."})
AWAY = httpx.Response(502, html="<html>Bad gateway</html>")
LIMITED = httpx.Response(429, json={"code": 429, "message": "limit"}, headers={"Retry-After": "7"})
EXPIRED = httpx.Response(401, json={"code": 124, "message": "Access token is expired."})
IS_WEBINAR = httpx.Response(400, json={"code": 3000, "message": "Cannot access webinar information."})
IS_MEETING = httpx.Response(400, json={"code": 3000, "message": "Cannot access meeting information."})
NOT_THERE = httpx.Response(400, json={"code": 3000, "message": "The user is not in the meeting."})


def start(*, people: tuple[str, ...] = (), host: str = "alice", **spec: Any) -> tuple[BotHarness, Operator]:
    harness = BotHarness()
    harness.put_bot(**spec)
    harness.put_mapping(people=people, host=host)
    return harness, harness.operator()


def moments(harness: BotHarness) -> list[float]:
    return [when for when, _, _ in harness.zoom.tokens.asked]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (NOT_FOUND, "MeetingNotFound"),
        (NOT_HOST, "NotTheHost"),
        (NO_RECORDING, "LocalRecordingDisabled"),
        (NO_SCOPES, "ScopesMissing"),
    ],
)
async def test_a_permanent_refusal_is_not_repeated(answer: httpx.Response, reason: str) -> None:
    harness, operator = start()
    harness.zoom.tokens.always["alice"] = answer
    await harness.live(operator)
    assert len(harness.zoom.tokens.asked) == 1
    assert (harness.heard(), harness.heard("ZOOM_TOKEN_REASON")) == ([""], [reason])
    assert harness.condition()[:2] == ("True", "Succeeded")
    assert harness.condition("TokenIssued")[:2] == ("False", reason)
    assert "alice (Host): LocalRecording: " in harness.condition("TokenIssued")[2]
    required, operator = start(tokenPolicy="Required")
    required.zoom.tokens.always["alice"] = answer
    await required.live(operator)
    assert required.condition()[:2] == ("False", reason)
    assert required.heard() == []
    assert required.clock.seconds() < 10


@pytest.mark.parametrize("answer", [AWAY, httpx.ConnectError("no route"), httpx.Response(200, json={"expire_in": 120})])
async def test_a_transient_failure_is_tried_again(answer: httpx.Response | Exception) -> None:
    for policy in ("Preferred", "Required"):
        harness, operator = start(tokenPolicy=policy)
        harness.zoom.tokens.once = [answer, answer]
        await harness.live(operator, until=harness.running)
        assert harness.heard() == ["join-token-1"]
        assert harness.condition("TokenIssued")[0] == "True"
        assert moments(harness) == pytest.approx([3, 4, 5], abs=0.1)


async def test_preferred_joins_without_a_token_after_token_wait_seconds() -> None:
    for seconds in (20, 5):
        harness, operator = start(tokenWaitSeconds=seconds)
        harness.zoom.tokens.always["alice"] = AWAY
        await harness.live(operator, until=harness.troubled)
        assert harness.condition()[1] == "ZoomUnavailable"
        assert harness.condition("Reconciling")[0] == "True"
        await harness.live(operator, until=harness.running)
        assert harness.kubelet.starts[0][0] == pytest.approx(3 + seconds, abs=0.2)
        assert harness.heard("ZOOM_TOKEN_REASON") == ["ZoomUnavailable"]
        assert len(moments(harness)) < 10


async def test_required_waits_until_the_start_deadline() -> None:
    harness, operator = start(tokenPolicy="Required", startDeadlineSeconds=100)
    harness.zoom.tokens.always["alice"] = AWAY
    await harness.live(operator)
    assert harness.condition()[:2] == ("False", "StartDeadlineExceeded")
    assert "alice (Host)" in harness.condition()[2]
    assert harness.clock.seconds() == pytest.approx(100, abs=0.1)
    assert max(later - earlier for earlier, later in itertools.pairwise(moments(harness))) <= 15.1


async def test_zooms_retry_after_wins() -> None:
    harness, operator = start()
    harness.zoom.tokens.once = [LIMITED]
    await harness.live(operator, until=lambda: harness.condition()[1] == "RateLimited")
    await harness.live(operator, until=harness.running)
    assert moments(harness) == pytest.approx([3, 10], abs=0.1)
    assert harness.heard() == ["join-token-1"]


async def test_a_retry_after_beyond_token_wait_seconds_is_not_waited_for() -> None:
    harness, operator = start(tokenWaitSeconds=5)
    harness.zoom.tokens.once = [LIMITED]
    await harness.live(operator, until=harness.running)
    assert moments(harness) == [3]
    assert harness.heard("ZOOM_TOKEN_REASON") == ["RateLimited"]


async def test_after_a_refusal_the_next_candidate_is_tried() -> None:
    harness, operator = start(people=("bob",), credentialRef={"name": "carol"})
    harness.zoom.tokens.always = {"carol": NOT_FOUND, "bob": NOT_HOST}
    await harness.live(operator, until=harness.running)
    assert [who for _, who, _ in harness.zoom.tokens.asked] == ["carol", "bob", "alice"]
    assert harness.heard() == ["join-token-1"]
    assert harness.bot().status.credential_name == "alice"


async def test_the_message_names_every_candidate() -> None:
    harness, operator = start(people=("bob",))
    harness.zoom.tokens.always = {"alice": NOT_FOUND, "bob": NOT_HOST}
    await harness.live(operator, until=harness.running)
    words = harness.condition("TokenIssued")[2]
    assert words.index("bob (mapping): LocalRecording: ") < words.index("alice (Host): LocalRecording: ")
    assert harness.condition("TokenIssued")[1] == "NotTheHost"


async def test_a_transient_failure_outweighs_a_permanent_one() -> None:
    harness, operator = start(people=("bob",))
    harness.zoom.tokens.once = [NOT_HOST, AWAY]
    await harness.live(operator, until=lambda: harness.condition()[1] == "ZoomUnavailable")
    await harness.live(operator, until=harness.running)
    assert [who for _, who, _ in harness.zoom.tokens.asked] == ["bob", "alice", "bob"]
    assert harness.heard() == ["join-token-1"]


async def test_a_credential_that_is_not_ready_is_waited_for() -> None:
    harness, operator = start()
    operator.tokens.not_ready = {"alice"}
    await harness.live(operator, until=lambda: harness.condition()[1] == "CredentialNotReady")
    assert "alice waits for consent" in harness.condition()[2]
    operator.tokens.not_ready.clear()
    await harness.live(operator, until=harness.running)
    assert harness.heard() == ["join-token-1"]


async def test_a_revoked_access_token_is_replaced_once() -> None:
    harness, operator = start()
    harness.zoom.tokens.once = [EXPIRED]
    await harness.live(operator, until=harness.running)
    assert operator.tokens.thrown_away == ["alice"]
    assert moments(harness) == [3, 3]
    assert harness.heard() == ["join-token-1"]
    harness, operator = start()
    harness.zoom.tokens.once = [EXPIRED, EXPIRED]
    await harness.live(operator, until=lambda: harness.condition()[1] == "CredentialNotReady")
    assert moments(harness) == [3, 3]


async def test_no_other_credential_is_used() -> None:
    harness, operator = start(host="")
    harness.cluster.put(CREDENTIALS, {"metadata": {"namespace": "team", "name": "alice"}, "spec": {}})
    await harness.live(operator, until=harness.running)
    assert operator.tokens.asked == []
    assert harness.heard("ZOOM_TOKEN_REASON") == ["NoMapping"]


async def test_the_selector_picks_by_labels() -> None:
    harness, operator = start(host="", credentialSelector={"matchLabels": {"customer": "acme"}})
    for name, customer in (("alice", "acme"), ("bob", "other")):
        spec = {"appSecretRef": {"name": "app"}, "grant": {"serverToServer": {"accountId": "a"}}}
        metadata = {"namespace": "team", "name": name, "labels": {"customer": customer}}
        harness.cluster.put(CREDENTIALS, {"metadata": metadata, "spec": spec})
    await harness.live(operator, until=harness.running)
    assert [who for _, who, _ in harness.zoom.tokens.asked] == ["alice"]


async def test_webinars_have_their_own_path() -> None:
    harness, operator = start(meeting={"url": f"https://zoom.us/w/{MEETING}"}, bypassWaitingRoom=False)
    await harness.live(operator, until=harness.running)
    ((_, _, path),) = harness.zoom.tokens.asked
    assert path == f"webinars/{MEETING}/jointoken/local_recording?bypass_waiting_room=false"


@pytest.mark.parametrize(
    ("meeting", "answer", "asked"),
    [
        ({"id": MEETING}, IS_WEBINAR, ["meetings", "webinars"]),
        ({"id": MEETING, "kind": "Webinar"}, IS_MEETING, ["webinars", "meetings"]),
    ],
)
async def test_a_link_of_the_wrong_kind_still_gets_a_token(
    meeting: dict[str, str], answer: httpx.Response, asked: list[str]
) -> None:
    harness, operator = start(meeting=meeting)
    harness.zoom.tokens.once = [answer]
    await harness.live(operator, until=harness.running)
    assert [path.split("/")[0] for _, _, path in harness.zoom.tokens.asked] == asked
    assert harness.heard() == ["join-token-1"]


async def test_several_tokens_at_once() -> None:
    kinds = ["LocalRecording", "ZAK", "LiveStreaming", "LocalArchiving"]
    harness, operator = start(tokens=kinds)
    await harness.live(operator, until=harness.running)
    variables = ("ZOOM_JOIN_TOKEN", "ZOOM_ZAK", "ZOOM_LIVE_STREAMING_TOKEN", "ZOOM_LOCAL_ARCHIVING_TOKEN")
    assert [harness.heard(name)[0] for name in variables] == [f"join-token-{number}" for number in (1, 2, 3, 4)]
    assert harness.heard("ZOOM_OBF_TOKEN") == [""]
    paths = [path.split("?")[0] for _, _, path in harness.zoom.tokens.asked]
    assert paths == [
        f"meetings/{MEETING}/jointoken/local_recording",
        "users/me/zak",
        f"meetings/{MEETING}/jointoken/live_streaming",
        f"meetings/{MEETING}/jointoken/local_archiving",
    ]
    status = harness.bot().status
    assert status.token is not None
    assert status.token.kinds == kinds


async def test_preferred_names_the_missing_tokens() -> None:
    harness, operator = start(tokens=["LocalRecording", "LiveStreaming"])
    harness.zoom.tokens.always["live_streaming"] = NO_RECORDING
    await harness.live(operator, until=harness.running)
    assert (harness.heard(), harness.heard("ZOOM_LIVE_STREAMING_TOKEN")) == (["join-token-1"], [""])
    assert harness.heard("ZOOM_TOKEN_REASON") == ["LiveStreaming: LocalRecordingDisabled"]
    token = harness.bot().status.token
    assert token is not None
    assert token.reason == "LocalRecordingDisabled"
    assert harness.condition("TokenIssued")[0] == "False"
    assert "LiveStreaming" in harness.condition("TokenIssued")[2]
    assert "with LocalRecording only" in harness.condition()[2]


async def test_required_needs_every_token() -> None:
    harness, operator = start(tokens=["LocalRecording", "LiveStreaming"], tokenPolicy="Required")
    harness.zoom.tokens.always["live_streaming"] = NO_RECORDING
    await harness.live(operator)
    assert harness.condition()[:2] == ("False", "LocalRecordingDisabled")
    assert harness.heard() == []


async def test_an_on_behalf_token_waits_for_its_user() -> None:
    harness, operator = start(tokens=["OnBehalf"], tokenPolicy="Required")
    harness.zoom.tokens.once = [NOT_THERE]
    await harness.live(operator, until=lambda: harness.condition()[1] == "UserNotInMeeting")
    await harness.live(operator, until=harness.running)
    assert harness.heard("ZOOM_OBF_TOKEN") == ["join-token-1"]
    assert harness.zoom.tokens.asked[0][2] == f"users/me/token?type=onbehalf&meeting_id={MEETING}"


async def test_a_bot_without_tokens_calls_zoom_never() -> None:
    harness, operator = start(tokens=[])
    await harness.live(operator, until=harness.running)
    assert harness.zoom.tokens.asked == []
    assert harness.cluster.count("get", MAPPINGS) == 0
    assert harness.heard("ZOOM_MEETING_PASSCODE") == ["open"]
    assert harness.condition("TokenIssued")[:2] == ("False", "NotRequested")


async def test_registrant_tokens_come_from_the_secret() -> None:
    harness, operator = start(meeting={"url": f"https://zoom.us/j/{MEETING}?tk=hush-tk"})
    await harness.live(operator, until=harness.running)
    assert harness.heard("ZOOM_REGISTRANT_TOKEN") == ["hush-tk"]


async def test_before_pod_the_token_comes_first() -> None:
    harness, operator = start(tokenDelivery="BeforePod", joinAt=at(200).isoformat())
    await harness.live(operator)
    assert moments(harness) == [200]
    order = [
        call.plural
        for call in harness.cluster.calls
        if call.moment == "after" and call.verb == "create" and call.plural in ("pods", "secrets")
    ]
    assert order == ["pods", "secrets", "pods"]  # the first is the dry run
    assert harness.condition()[1] == "Succeeded"
    assert harness.heard() == ["join-token-1"]
    assert harness.join_secrets() == []
    harness.check()

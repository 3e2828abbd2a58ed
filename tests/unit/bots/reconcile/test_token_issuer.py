"""Whose credential is asked for which token, what follows from Zoom's answers, and how the bot tells it."""

import itertools
from typing import Any

import httpx
import pytest
from meetingbots.kube.resources import CREDENTIALS, MAPPINGS

from tests.unit.bots.bot_builders import MEETING, at
from tests.unit.bots.reconcile.bot_harness import Bench, Operator

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


def start(*, people: tuple[str, ...] = (), host: str = "alice", **spec: Any) -> tuple[Bench, Operator]:
    bench = Bench()
    bench.put_bot(**spec)
    bench.put_mapping(people=people, host=host)
    return bench, bench.operator()


def moments(bench: Bench) -> list[float]:
    return [when for when, _, _ in bench.zoom.tokens.asked]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (NOT_FOUND, "MeetingNotFound"),
        (NOT_HOST, "NotTheHost"),
        (NO_RECORDING, "LocalRecordingDisabled"),
        (NO_SCOPES, "ScopesMissing"),
    ],
)
async def test_a_definite_answer_is_not_asked_for_again(answer: httpx.Response, reason: str) -> None:
    bench, operator = start()
    bench.zoom.tokens.always["alice"] = answer
    await bench.live(operator)
    assert len(bench.zoom.tokens.asked) == 1
    assert (bench.heard(), bench.heard("ZOOM_TOKEN_REASON")) == ([""], [reason])
    assert bench.condition()[:2] == ("True", "Succeeded")
    assert bench.condition("TokenIssued")[:2] == ("False", reason)
    assert "alice (Host): LocalRecording: " in bench.condition("TokenIssued")[2]
    required, operator = start(tokenPolicy="Required")
    required.zoom.tokens.always["alice"] = answer
    await required.live(operator)
    assert required.condition()[:2] == ("False", reason)
    assert required.heard() == []
    assert required.clock.seconds() < 10


@pytest.mark.parametrize("answer", [AWAY, httpx.ConnectError("no route"), httpx.Response(200, json={"expire_in": 120})])
async def test_a_passing_failure_is_tried_again_and_heals(answer: httpx.Response | Exception) -> None:
    for policy in ("Preferred", "Required"):
        bench, operator = start(tokenPolicy=policy)
        bench.zoom.tokens.once = [answer, answer]
        await bench.live(operator, until=bench.running)
        assert bench.heard() == ["join-token-1"]
        assert bench.condition("TokenIssued")[0] == "True"
        assert moments(bench) == pytest.approx([3, 4, 5], abs=0.1)


async def test_preferred_goes_without_after_token_wait_seconds() -> None:
    for seconds in (20, 5):
        bench, operator = start(tokenWaitSeconds=seconds)
        bench.zoom.tokens.always["alice"] = AWAY
        await bench.live(operator, until=bench.troubled)
        assert bench.condition()[1] == "ZoomUnavailable"
        assert bench.condition("Reconciling")[0] == "True"
        await bench.live(operator, until=bench.running)
        assert bench.kubelet.starts[0][0] == pytest.approx(3 + seconds, abs=0.2)
        assert bench.heard("ZOOM_TOKEN_REASON") == ["ZoomUnavailable"]
        assert len(moments(bench)) < 10


async def test_required_waits_until_the_start_deadline() -> None:
    bench, operator = start(tokenPolicy="Required", startDeadlineSeconds=100)
    bench.zoom.tokens.always["alice"] = AWAY
    await bench.live(operator)
    assert bench.condition()[:2] == ("False", "StartDeadlineExceeded")
    assert "alice (Host)" in bench.condition()[2]
    assert bench.clock.seconds() == pytest.approx(100, abs=0.1)
    assert max(later - earlier for earlier, later in itertools.pairwise(moments(bench))) <= 15.1


async def test_zooms_retry_after_wins() -> None:
    bench, operator = start()
    bench.zoom.tokens.once = [LIMITED]
    await bench.live(operator, until=lambda: bench.condition()[1] == "RateLimited")
    await bench.live(operator, until=bench.running)
    assert moments(bench) == pytest.approx([3, 10], abs=0.1)
    assert bench.heard() == ["join-token-1"]


async def test_a_retry_after_beyond_the_patience_is_not_waited_for() -> None:
    bench, operator = start(tokenWaitSeconds=5)
    bench.zoom.tokens.once = [LIMITED]
    await bench.live(operator, until=bench.running)
    assert moments(bench) == [3]
    assert bench.heard("ZOOM_TOKEN_REASON") == ["RateLimited"]


async def test_when_one_may_not_the_next_is_tried_in_order() -> None:
    bench, operator = start(people=("bob",), credentialRef={"name": "carol"})
    bench.zoom.tokens.always = {"carol": NOT_FOUND, "bob": NOT_HOST}
    await bench.live(operator, until=bench.running)
    assert [who for _, who, _ in bench.zoom.tokens.asked] == ["carol", "bob", "alice"]
    assert bench.heard() == ["join-token-1"]
    assert bench.bot().status.credential_name == "alice"


async def test_the_trail_of_what_was_tried_is_told() -> None:
    bench, operator = start(people=("bob",))
    bench.zoom.tokens.always = {"alice": NOT_FOUND, "bob": NOT_HOST}
    await bench.live(operator, until=bench.running)
    words = bench.condition("TokenIssued")[2]
    assert words.index("bob (mapping): LocalRecording: ") < words.index("alice (Host): LocalRecording: ")
    assert bench.condition("TokenIssued")[1] == "NotTheHost"


async def test_a_passing_failure_of_one_counts_more_than_a_denial_of_another() -> None:
    bench, operator = start(people=("bob",))
    bench.zoom.tokens.once = [NOT_HOST, AWAY]
    await bench.live(operator, until=lambda: bench.condition()[1] == "ZoomUnavailable")
    await bench.live(operator, until=bench.running)
    assert [who for _, who, _ in bench.zoom.tokens.asked] == ["bob", "alice", "bob"]
    assert bench.heard() == ["join-token-1"]


async def test_a_credential_that_is_not_ready_is_waited_for() -> None:
    bench, operator = start()
    operator.tokens.not_ready = {"alice"}
    await bench.live(operator, until=lambda: bench.condition()[1] == "CredentialNotReady")
    assert "alice waits for consent" in bench.condition()[2]
    operator.tokens.not_ready.clear()
    await bench.live(operator, until=bench.running)
    assert bench.heard() == ["join-token-1"]


async def test_an_access_token_that_zoom_no_longer_takes_is_replaced_once() -> None:
    bench, operator = start()
    bench.zoom.tokens.once = [EXPIRED]
    await bench.live(operator, until=bench.running)
    assert operator.tokens.thrown_away == ["alice"]
    assert moments(bench) == [3, 3]
    assert bench.heard() == ["join-token-1"]
    bench, operator = start()
    bench.zoom.tokens.once = [EXPIRED, EXPIRED]
    await bench.live(operator, until=lambda: bench.condition()[1] == "CredentialNotReady")
    assert moments(bench) == [3, 3]


async def test_nobody_elses_credential_is_ever_asked() -> None:
    bench, operator = start(host="")
    bench.cluster.put(CREDENTIALS, {"metadata": {"namespace": "team", "name": "alice"}, "spec": {}})
    await bench.live(operator, until=bench.running)
    assert operator.tokens.asked == []
    assert bench.heard("ZOOM_TOKEN_REASON") == ["NoMapping"]


async def test_the_selector_picks_by_labels() -> None:
    bench, operator = start(host="", credentialSelector={"matchLabels": {"customer": "acme"}})
    for name, customer in (("alice", "acme"), ("bob", "other")):
        spec = {"appSecretRef": {"name": "app"}, "grant": {"serverToServer": {"accountId": "a"}}}
        metadata = {"namespace": "team", "name": name, "labels": {"customer": customer}}
        bench.cluster.put(CREDENTIALS, {"metadata": metadata, "spec": spec})
    await bench.live(operator, until=bench.running)
    assert [who for _, who, _ in bench.zoom.tokens.asked] == ["alice"]


async def test_webinars_are_asked_for_at_their_own_address() -> None:
    bench, operator = start(meeting={"url": f"https://zoom.us/w/{MEETING}"}, bypassWaitingRoom=False)
    await bench.live(operator, until=bench.running)
    ((_, _, path),) = bench.zoom.tokens.asked
    assert path == f"webinars/{MEETING}/jointoken/local_recording?bypass_waiting_room=false"


@pytest.mark.parametrize(
    ("meeting", "answer", "asked"),
    [
        ({"id": MEETING}, IS_WEBINAR, ["meetings", "webinars"]),
        ({"id": MEETING, "kind": "Webinar"}, IS_MEETING, ["webinars", "meetings"]),
    ],
)
async def test_a_link_that_tells_the_wrong_kind_is_no_hindrance(
    meeting: dict[str, str], answer: httpx.Response, asked: list[str]
) -> None:
    bench, operator = start(meeting=meeting)
    bench.zoom.tokens.once = [answer]
    await bench.live(operator, until=bench.running)
    assert [path.split("/")[0] for _, _, path in bench.zoom.tokens.asked] == asked
    assert bench.heard() == ["join-token-1"]


async def test_several_tokens_at_once() -> None:
    kinds = ["LocalRecording", "ZAK", "LiveStreaming", "LocalArchiving"]
    bench, operator = start(tokens=kinds)
    await bench.live(operator, until=bench.running)
    variables = ("ZOOM_JOIN_TOKEN", "ZOOM_ZAK", "ZOOM_LIVE_STREAMING_TOKEN", "ZOOM_LOCAL_ARCHIVING_TOKEN")
    assert [bench.heard(name)[0] for name in variables] == [f"join-token-{number}" for number in (1, 2, 3, 4)]
    assert bench.heard("ZOOM_OBF_TOKEN") == [""]
    paths = [path.split("?")[0] for _, _, path in bench.zoom.tokens.asked]
    assert paths == [
        f"meetings/{MEETING}/jointoken/local_recording",
        "users/me/zak",
        f"meetings/{MEETING}/jointoken/live_streaming",
        f"meetings/{MEETING}/jointoken/local_archiving",
    ]
    status = bench.bot().status
    assert status.token is not None
    assert status.token.kinds == kinds


async def test_what_is_missing_under_preferred_is_named() -> None:
    bench, operator = start(tokens=["LocalRecording", "LiveStreaming"])
    bench.zoom.tokens.always["live_streaming"] = NO_RECORDING
    await bench.live(operator, until=bench.running)
    assert (bench.heard(), bench.heard("ZOOM_LIVE_STREAMING_TOKEN")) == (["join-token-1"], [""])
    assert bench.heard("ZOOM_TOKEN_REASON") == ["LiveStreaming: LocalRecordingDisabled"]
    told = bench.bot().status.token
    assert told is not None
    assert told.reason == "LocalRecordingDisabled"
    assert bench.condition("TokenIssued")[0] == "False"
    assert "LiveStreaming" in bench.condition("TokenIssued")[2]
    assert "with LocalRecording only" in bench.condition()[2]


async def test_required_means_all_of_them() -> None:
    bench, operator = start(tokens=["LocalRecording", "LiveStreaming"], tokenPolicy="Required")
    bench.zoom.tokens.always["live_streaming"] = NO_RECORDING
    await bench.live(operator)
    assert bench.condition()[:2] == ("False", "LocalRecordingDisabled")
    assert bench.heard() == []


async def test_an_on_behalf_token_waits_for_its_user() -> None:
    bench, operator = start(tokens=["OnBehalf"], tokenPolicy="Required")
    bench.zoom.tokens.once = [NOT_THERE]
    await bench.live(operator, until=lambda: bench.condition()[1] == "UserNotInMeeting")
    await bench.live(operator, until=bench.running)
    assert bench.heard("ZOOM_OBF_TOKEN") == ["join-token-1"]
    assert bench.zoom.tokens.asked[0][2] == f"users/me/token?type=onbehalf&meeting_id={MEETING}"


async def test_a_bot_that_asks_for_no_token_costs_zoom_nothing() -> None:
    bench, operator = start(tokens=[])
    await bench.live(operator, until=bench.running)
    assert bench.zoom.tokens.asked == []
    assert bench.cluster.count("get", MAPPINGS) == 0
    assert bench.heard("ZOOM_MEETING_PASSCODE") == ["open"]
    assert bench.condition("TokenIssued")[:2] == ("False", "NotRequested")


async def test_registrants_tokens_go_through_the_secret() -> None:
    bench, operator = start(meeting={"url": f"https://zoom.us/j/{MEETING}?tk=hush-tk"})
    await bench.live(operator, until=bench.running)
    assert bench.heard("ZOOM_REGISTRANT_TOKEN") == ["hush-tk"]


async def test_before_pod_the_token_comes_first() -> None:
    bench, operator = start(tokenDelivery="BeforePod", joinAt=at(200).isoformat())
    await bench.live(operator)
    assert moments(bench) == [200]
    order = [
        call.plural
        for call in bench.cluster.calls
        if call.moment == "after" and call.verb == "create" and call.plural in ("pods", "secrets")
    ]
    assert order == ["pods", "secrets", "pods"]  # the first is the dry run
    assert bench.condition()[1] == "Succeeded"
    assert bench.heard() == ["join-token-1"]
    assert bench.join_secrets() == []
    bench.check()

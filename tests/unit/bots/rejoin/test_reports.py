"""Reports of a running bot: what they change, what they cost, and which are rejected."""

import copy
import json
from typing import Any

import pytest
from meetingbots.bots.rejoin.reports import Accepted, BadReport
from meetingbots.bots.rejoin.rules import Outdated, RejoinDenied, TooOften, Unknown
from meetingbots.kube.errors import UnavailableError
from meetingbots.kube.resources import BOTS
from pydantic import SecretStr

from tests.unit.bots.rejoin.test_service import RejoinHarness, start_rejoins
from tests.unit.fake_kube import Call

STATES = ["joining", "waiting_room", "in_meeting", "asking_host", "recording", "recording_denied", "removed", "left"]


def conditions(here: RejoinHarness) -> dict[str, str]:
    return {str(one.type): str(one.status) for one in here.harness.bot().status.conditions}


async def test_a_report_sets_status_conditions_and_an_event(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch)
    here.operator.events()
    assert await here.report("waiting_room") == Accepted()
    assert conditions(here)["Recording"] != "True"
    here.harness.clock.forward(5)
    assert await here.report("recording", code=0, message="started") == Accepted()
    seen = here.harness.bot().status.in_meeting
    assert seen is not None
    assert (seen.state, seen.source, seen.code, seen.message) == ("recording", "Bot", 0, "started")
    assert seen.waiting_room_time is not None
    assert seen.recording_time is not None
    assert (conditions(here)["Admitted"], conditions(here)["Recording"]) == ("True", "True")
    assert "Recording" in [event["reason"] for event in here.operator.events()]


@pytest.mark.parametrize("state", STATES)
async def test_every_state_counts_and_costs_one_write_and_its_repetition_none(
    monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    here = await start_rejoins(monkeypatch)
    calls: list[str] = []

    async def count(call: Call) -> None:
        if call.moment == "before":
            calls.append(f"{call.verb} {call.plural}")

    here.harness.cluster.inner = count
    for _ in range(3):
        assert await here.report(state, message="same") == Accepted()
        here.harness.clock.forward(1)
    assert calls == ["patch meetingbots"]
    assert len(here.reviewed) == 1


BAD: list[bytes] = [
    b"",
    b"not json",
    b"[]",
    b"null",
    b"{}",
    b"[" * 4000,
    b'{"state": "dancing"}',
    b'{"state": 5}',
    b'{"state": "left", "code": "1"}',
    b'{"state": "left", "code": 1.5}',
    b'{"state": "left", "code": true}',
    b'{"state": "left", "code": 99999999999}',
    b'{"state": "left", "code": ' + b"9" * 3000 + b"}",
    b'{"state": "left", "message": {}}',
    b'{"state": "left", "message": "\\ud83d"}',
]


async def test_a_body_that_is_no_report_is_rejected_without_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch)
    before = here.harness.cluster.count("patch", BOTS)
    pod = await here.services.reports.identify(SecretStr("pods-own-token"), peer="p")
    assert not isinstance(pod, Unknown | TooOften)
    for body in BAD:
        assert isinstance(await here.services.reports.report(pod, body), BadReport), body
    assert here.harness.cluster.count("patch", BOTS) == before


async def test_secrets_and_control_characters_are_removed_from_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch, meeting={"id": "81234567890", "passcode": "246824"})
    await here.report("left", message="code 246824\0 with join-token-1\n" + "x" * 3000)
    seen = here.harness.bot().status.in_meeting
    assert seen is not None
    assert seen.message.startswith("code [hidden]  with [hidden] xxx")
    assert len(seen.message) <= 1024
    assert "246824" not in json.dumps(here.operator.events())


async def test_reports_of_other_pods_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch)
    item: dict[str, Any] = copy.deepcopy(here.harness.cluster.all(BOTS)[0])
    item["status"]["podName"] = "standup-abcde-2"
    here.harness.cluster.put(BOTS, item)
    assert isinstance(await here.report("recording"), Outdated)
    here.review = {**here.review, "authenticated": False}
    assert isinstance(await here.report("recording", presented=SecretStr("another")), Unknown)
    without = await start_rejoins(monkeypatch, tokenEndpoint=False)
    assert isinstance(await without.report("recording"), RejoinDenied)


async def test_a_report_during_a_conflict_or_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch)
    stale = here.operator.services.caches.bots
    key = next(iter(stale))
    old = stale.get(key)
    assert old is not None
    item = copy.deepcopy(here.harness.cluster.all(BOTS)[0])
    item["metadata"]["annotations"] = {"someone": "wrote"}
    here.harness.cluster.put(BOTS, item)
    stale.drop(key)
    stale.put(old)
    pod = await here.services.reports.identify(SecretStr("pods-own-token"), peer="p")
    assert not isinstance(pod, Unknown | TooOften)
    assert await here.services.reports.report(pod, b'{"state": "recording"}') == Accepted()

    async def away(call: Call) -> None:
        if (call.moment, call.verb) == ("before", "patch"):
            raise UnavailableError("API server unreachable")

    here.harness.cluster.inner = away
    with pytest.raises(UnavailableError):
        await here.report("left")
    here.harness.cluster.inner = None
    assert await here.report("left") == Accepted()


async def test_a_flood_of_reports_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch)
    outcomes = [await here.report("recording") for _ in range(30)]
    assert outcomes.count(Accepted()) == 20
    assert isinstance(outcomes[-1], TooOften)


async def test_unknown_tokens_get_few_reviews(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch)
    right, here.review = here.review, {"authenticated": False}
    for _ in range(5):
        assert isinstance(await here.ask(SecretStr("the same")), Unknown)
    assert len(here.reviewed) == 1
    outcomes = [await here.ask(SecretStr(f"guess-{number}")) for number in range(100)]
    assert len(here.reviewed) == 10
    assert isinstance(outcomes[-1], TooOften)
    here.review = right
    pod = await here.services.reports.identify(SecretStr("pods-own-token"), peer="10.0.0.2")
    assert not isinstance(pod, Unknown | TooOften), "another address is not limited"

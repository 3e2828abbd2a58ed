"""The end of a bot's life, against an API server, a kubelet and Zoom in memory; and the end of watching its meeting."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from meetingbots.kube.resources import BOTS, MAPPINGS, PODS
from meetingbots.models import names
from meetingbots.models.base import format_time
from meetingbots.runtime.object_cache import Key

from tests.unit.bots.bot_builders import MEETING, POD, at
from tests.unit.bots.reconcile.bot_harness import Bench, Operator

PLACE = Key("team", MEETING)


def tell(bench: Bench, operator: Operator, *, start: float = 0, end: float | None = None, uuid: str = "run-1") -> None:
    """What the receiver writes of a run, and the watch tells."""
    status: dict[str, Any] = {
        "credentials": [{"name": "alice", "role": "Host", "source": "Webhook"}],
        "phase": "Live" if end is None else "Ended",
        "uuid": uuid,
        "startTime": format_time(at(start)),
    }
    if end is not None:
        status["endTime"] = format_time(at(end))
    metadata = {"namespace": "team", "name": MEETING, "labels": {names.LIVE_LABEL: names.LIVE}}
    spec = {"meetingId": MEETING, "credentials": []}
    bench.cluster.put(MAPPINGS, {"metadata": metadata, "spec": spec, "status": status})
    watch(bench, operator)


def watch(bench: Bench, operator: Operator) -> None:
    item = bench.cluster.peek(MAPPINGS, namespace="team", name=MEETING)
    if item is not None and names.LIVE_LABEL in item["metadata"].get("labels", {}):
        operator.services.caches.live_mappings.put(item)


def is_live(bench: Bench) -> bool:
    item = bench.cluster.peek(MAPPINGS, namespace="team", name=MEETING)
    return item is not None and names.LIVE_LABEL in (item["metadata"].get("labels") or {})


async def start(**spec: Any) -> tuple[Bench, Operator]:
    """A bot that runs in a meeting."""
    bench = Bench()
    bench.put_bot(**spec)
    bench.kubelet.runs = 100_000
    operator = bench.operator()
    tell(bench, operator)
    await bench.live(operator, until=bench.running)
    return bench, operator


def end_pod(bench: Bench, operator: Operator, *, code: int = 0) -> None:
    """The kubelet ends the Pod that was told to end, tells how it went, and removes it; the watch tells both."""
    pod = bench.cluster.peek(PODS, namespace="team", name=POD)
    assert pod is not None
    assert "deletionTimestamp" in pod["metadata"]
    times = {"startedAt": format_time(at(3)), "finishedAt": format_time(bench.clock.now)}
    state = {"terminated": {"exitCode": code, **times, "message": "left"}}
    pod = {**pod, "status": {"phase": "Succeeded", "containerStatuses": [{"name": "bot", "state": state}]}}
    bench.cluster.remove(PODS, namespace="team", name=POD)
    operator.services.caches.gone_pods.put(pod)


def told_to_end(bench: Bench) -> bool:
    return bench.cluster.count("delete", PODS) > 0


async def test_the_meeting_ends_and_the_bot_is_told_to_leave() -> None:
    bench, operator = await start(leaveAfterMeetingEndSeconds=30)
    bench.cluster.graceful = True
    bench.clock.forward(600)
    tell(bench, operator, end=600)
    await bench.live(operator, until=lambda: told_to_end(bench))
    assert bench.clock.seconds() == pytest.approx(630, abs=0.1)
    end_pod(bench, operator)
    await operator.look()
    assert bench.condition()[:2] == ("True", "MeetingEnded")
    last = bench.bot().status.last_attempt
    assert last is not None
    assert (last.reason, last.exit_code, bench.bot().status.phase) == ("MeetingEnded", 0, "Succeeded")
    await operator.look()
    assert len(bench.cluster.made["pods", POD]) == 1
    assert len(operator.services.caches.gone_pods) == 0


async def test_a_meeting_that_goes_on_in_another_run_keeps_its_bot() -> None:
    bench, operator = await start()
    bench.clock.forward(600)
    tell(bench, operator, end=600)
    await operator.look()
    bench.clock.forward(10)
    tell(bench, operator, start=610, uuid="run-2")
    for _ in range(5):
        bench.clock.forward(60)
        await operator.look()
    assert not told_to_end(bench)
    assert bench.running()


async def test_a_new_process_finds_the_same_end() -> None:
    bench, operator = await start()
    bench.cluster.graceful = True
    bench.clock.forward(600)
    tell(bench, operator, end=600)
    bench.clock.forward(60)
    await operator.look()
    assert told_to_end(bench)
    restarted = bench.operator()
    restarted.watch()
    end_pod(bench, restarted, code=143)
    await restarted.look()
    assert bench.condition()[:2] == ("True", "MeetingEnded")


async def test_max_duration_ends_a_bot_that_would_stay() -> None:
    bench, operator = await start(maxDurationSeconds=3600, meetingEndPolicy="Stay")
    bench.cluster.graceful = True
    await bench.live(operator, until=lambda: told_to_end(bench))
    assert bench.clock.seconds() == pytest.approx(3603, abs=1)
    end_pod(bench, operator)
    await operator.look()
    assert bench.condition()[:2] == ("False", "MaxDurationExceeded")
    assert bench.condition("Stalled")[0] == "True"


@pytest.mark.parametrize("moment", ["before the claim", "while the image comes"])
async def test_no_token_is_asked_for_after_the_meetings_end(moment: str) -> None:
    bench = Bench()
    bench.put_bot()
    operator = bench.operator()
    if moment == "while the image comes":
        await operator.look()
    bench.clock.forward(2)
    tell(bench, operator, end=2)
    bench.clock.forward(5)
    await bench.live(operator)
    await operator.look()
    assert bench.condition()[:2] == ("False", "MeetingEnded")
    assert (bench.zoom.tokens.asked, bench.heard(), bench.pods()) == ([], [], [])


async def test_a_meeting_whose_end_was_dealt_with_before_is_over_for_a_bot_that_is_tried_again() -> None:
    bench, operator = await start(retry={"backoffSeconds": 30})
    bench.kubelet.exits, bench.kubelet.runs = [1], 10
    await bench.live(operator, until=lambda: bench.condition()[1] == "BotFailed")
    bench.cluster.put(MAPPINGS, ended_mapping(bench.clock.now))
    restarted = bench.operator()
    await bench.live(restarted)
    assert bench.condition()[:2] == ("False", "MeetingEnded")
    assert len(bench.zoom.tokens.asked) == 1


def ended_mapping(end: datetime) -> dict[str, Any]:
    status = {"credentials": [], "phase": "Ended", "uuid": "run-1", "endTime": format_time(end)}
    return {
        "metadata": {"namespace": "team", "name": MEETING, "labels": {}},
        "spec": {"meetingId": MEETING, "credentials": []},
        "status": status,
    }


async def test_the_label_goes_when_the_last_bot_has_left() -> None:
    bench, operator = await start()
    meetings = operator
    bench.clock.forward(20)
    assert await meetings.reconcile_mapping(PLACE) is None
    assert is_live(bench)
    tell(bench, operator, end=100)
    operator.watch()
    await meetings.reconcile_mapping(PLACE)
    assert is_live(bench)
    bench.cluster.remove(BOTS, namespace="team", name="standup")
    operator.watch()
    await meetings.reconcile_mapping(PLACE)
    assert not is_live(bench)
    assert len(operator.services.caches.live_mappings) == 0


async def test_a_new_process_waits_for_its_watches_before_it_says_that_nobody_is_there() -> None:
    bench = Bench()
    operator = bench.operator()
    meetings = operator
    tell(bench, operator, end=1)
    assert await meetings.reconcile_mapping(PLACE) == 15
    assert is_live(bench)
    bench.clock.forward(15)
    await meetings.reconcile_mapping(PLACE)
    assert not is_live(bench)


async def test_a_meeting_that_began_again_meanwhile_keeps_its_label() -> None:
    bench = Bench()
    operator = bench.operator()
    meetings = operator
    tell(bench, operator, end=1)
    old = operator.services.caches.live_mappings.get(PLACE)
    assert old is not None
    bench.clock.forward(20)
    tell(bench, operator, start=20, uuid="run-2")
    operator.services.caches.live_mappings.drop(PLACE)
    operator.services.caches.live_mappings.put(old)
    assert await meetings.reconcile_mapping(PLACE) == 1.0
    assert is_live(bench)


async def test_a_bot_of_a_later_time_does_not_keep_the_label() -> None:
    bench = Bench()
    bench.put_bot(joinAt=format_time(at(0) + timedelta(days=7)))
    operator = bench.operator()
    meetings = operator
    await operator.look()
    tell(bench, operator, end=60)
    bench.clock.forward(60)
    operator.watch()
    await meetings.reconcile_mapping(PLACE)
    assert not is_live(bench)
    await operator.look()
    assert bench.condition()[1] == "Scheduled"

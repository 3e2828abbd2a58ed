"""The end of a bot's life, against an API server, a kubelet and Zoom in memory; and the end of watching its meeting."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from meetingbots.kube.resources import BOTS, MAPPINGS, PODS
from meetingbots.models import names
from meetingbots.models.base import format_time
from meetingbots.runtime.object_cache import Key

from tests.unit.bots.bot_builders import MEETING, POD, at
from tests.unit.bots.reconcile.bot_harness import BotHarness, Operator

PLACE = Key("team", MEETING)


def write_run(
    harness: BotHarness, operator: Operator, *, start: float = 0, end: float | None = None, uuid: str = "run-1"
) -> None:
    """Let the receiver write a run of the meeting, and the watch report it."""
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
    harness.cluster.put(MAPPINGS, {"metadata": metadata, "spec": spec, "status": status})
    watch(harness, operator)


def watch(harness: BotHarness, operator: Operator) -> None:
    item = harness.cluster.peek(MAPPINGS, namespace="team", name=MEETING)
    if item is not None and names.LIVE_LABEL in item["metadata"].get("labels", {}):
        operator.services.caches.live_mappings.put(item)


def is_live(harness: BotHarness) -> bool:
    item = harness.cluster.peek(MAPPINGS, namespace="team", name=MEETING)
    return item is not None and names.LIVE_LABEL in (item["metadata"].get("labels") or {})


async def start(**spec: Any) -> tuple[BotHarness, Operator]:
    """A bot that runs in a meeting."""
    harness = BotHarness()
    harness.put_bot(**spec)
    harness.kubelet.runs = 100_000
    operator = harness.operator()
    write_run(harness, operator)
    await harness.live(operator, until=harness.running)
    return harness, operator


def end_pod(harness: BotHarness, operator: Operator, *, code: int = 0) -> None:
    """Let the kubelet end the deleted Pod, report its end, and remove it, and the watch report both."""
    pod = harness.cluster.peek(PODS, namespace="team", name=POD)
    assert pod is not None
    assert "deletionTimestamp" in pod["metadata"]
    times = {"startedAt": format_time(at(3)), "finishedAt": format_time(harness.clock.now)}
    state = {"terminated": {"exitCode": code, **times, "message": "left"}}
    pod = {**pod, "status": {"phase": "Succeeded", "containerStatuses": [{"name": "bot", "state": state}]}}
    harness.cluster.remove(PODS, namespace="team", name=POD)
    watch_ends(operator, pod)


def watch_ends(operator: Operator, pod: dict[str, Any]) -> None:
    """The watch shows that the Pod is gone, in its last state."""
    operator.services.caches.pods.drop(Key("team", POD))
    operator.services.caches.gone_pods.put(pod)


def deletion_requested(harness: BotHarness) -> bool:
    return harness.cluster.count("delete", PODS) > 0


async def test_the_bot_leaves_after_the_meetings_end() -> None:
    harness, operator = await start(leaveAfterMeetingEndSeconds=30)
    harness.cluster.graceful = True
    harness.clock.forward(600)
    write_run(harness, operator, end=600)
    await harness.live(operator, until=lambda: deletion_requested(harness))
    assert harness.clock.seconds() == pytest.approx(630, abs=0.1)
    end_pod(harness, operator)
    await operator.look()
    assert harness.condition()[:2] == ("True", "MeetingEnded")
    last = harness.bot().status.last_attempt
    assert last is not None
    assert (last.reason, last.exit_code, harness.bot().status.phase) == ("MeetingEnded", 0, "Succeeded")
    await operator.look()
    assert len(harness.cluster.made["pods", POD]) == 1
    assert len(operator.services.caches.gone_pods) == 0


async def test_a_pod_that_is_gone_before_the_watch_shows_its_end_keeps_its_exit_code() -> None:
    harness, operator = await start(leaveAfterMeetingEndSeconds=30)
    harness.cluster.graceful = True
    harness.clock.forward(600)
    write_run(harness, operator, end=600)
    harness.clock.forward(30)
    operator.watch()
    await operator.look(watch=False)
    assert deletion_requested(harness)
    pod = harness.cluster.peek(PODS, namespace="team", name=POD)
    assert pod is not None
    harness.cluster.remove(PODS, namespace="team", name=POD)
    await operator.look(watch=False)
    assert harness.bot().status.phase == "Running", "the watch is behind"
    times = {"startedAt": format_time(at(3)), "finishedAt": format_time(harness.clock.now)}
    statuses = [{"name": "bot", "state": {"terminated": {"exitCode": 0, **times}}}]
    watch_ends(operator, {**pod, "status": {"phase": "Succeeded", "containerStatuses": statuses}})
    await operator.look()
    last = harness.bot().status.last_attempt
    assert last is not None
    assert (last.reason, last.exit_code) == ("MeetingEnded", 0)


async def test_another_run_of_the_meeting_keeps_the_bot() -> None:
    harness, operator = await start()
    harness.clock.forward(600)
    write_run(harness, operator, end=600)
    await operator.look()
    harness.clock.forward(10)
    write_run(harness, operator, start=610, uuid="run-2")
    for _ in range(5):
        harness.clock.forward(60)
        await operator.look()
    assert not deletion_requested(harness)
    assert harness.running()


async def test_a_new_process_reports_the_same_end() -> None:
    harness, operator = await start()
    harness.cluster.graceful = True
    harness.clock.forward(600)
    write_run(harness, operator, end=600)
    harness.clock.forward(60)
    await operator.look()
    assert deletion_requested(harness)
    restarted = harness.operator()
    restarted.watch()
    end_pod(harness, restarted, code=143)
    await restarted.look()
    assert harness.condition()[:2] == ("True", "MeetingEnded")


async def test_max_duration_ends_a_bot_that_would_stay() -> None:
    harness, operator = await start(maxDurationSeconds=3600, meetingEndPolicy="Stay")
    harness.cluster.graceful = True
    await harness.live(operator, until=lambda: deletion_requested(harness))
    assert harness.clock.seconds() == pytest.approx(3603, abs=1)
    end_pod(harness, operator)
    await operator.look()
    assert harness.condition()[:2] == ("False", "MaxDurationExceeded")
    assert harness.condition("Stalled")[0] == "True"


@pytest.mark.parametrize("moment", ["before the claim", "while the image comes"])
async def test_a_run_that_ends_before_the_bot_came_does_not_keep_it_from_the_next_one(moment: str) -> None:
    harness = BotHarness()
    harness.put_bot()
    operator = harness.operator()
    if moment == "while the image comes":
        await operator.look()
    harness.clock.forward(2)
    write_run(harness, operator, end=2)
    await harness.live(operator, until=lambda: harness.condition()[1] == "Running")
    assert len(harness.zoom.tokens.asked) == 1


async def test_no_retry_follows_a_recorded_end_of_the_meeting() -> None:
    harness, operator = await start(retry={"backoffSeconds": 30})
    harness.kubelet.exits, harness.kubelet.runs = [1], 10
    await harness.live(operator, until=lambda: harness.condition()[1] == "BotFailed")
    harness.cluster.put(MAPPINGS, ended_mapping(harness.clock.now))
    restarted = harness.operator()
    await harness.live(restarted)
    assert harness.condition()[:2] == ("False", "MeetingEnded")
    assert len(harness.zoom.tokens.asked) == 1


def ended_mapping(end: datetime) -> dict[str, Any]:
    status = {"credentials": [], "phase": "Ended", "uuid": "run-1", "endTime": format_time(end)}
    return {
        "metadata": {"namespace": "team", "name": MEETING, "labels": {}},
        "spec": {"meetingId": MEETING, "credentials": []},
        "status": status,
    }


async def test_the_live_label_is_removed_after_the_last_bot() -> None:
    harness, operator = await start()
    meetings = operator
    harness.clock.forward(20)
    assert await meetings.reconcile_mapping(PLACE) is None
    assert is_live(harness)
    write_run(harness, operator, end=100)
    operator.watch()
    await meetings.reconcile_mapping(PLACE)
    assert is_live(harness)
    harness.cluster.remove(BOTS, namespace="team", name="standup")
    operator.watch()
    await meetings.reconcile_mapping(PLACE)
    assert not is_live(harness)
    assert len(operator.services.caches.live_mappings) == 0


async def test_a_new_process_waits_for_its_caches_before_it_removes_the_label() -> None:
    harness = BotHarness()
    operator = harness.operator()
    meetings = operator
    write_run(harness, operator, end=1)
    assert await meetings.reconcile_mapping(PLACE) == 15
    assert is_live(harness)
    harness.clock.forward(15)
    await meetings.reconcile_mapping(PLACE)
    assert not is_live(harness)


async def test_a_restarted_meeting_keeps_its_label() -> None:
    harness = BotHarness()
    operator = harness.operator()
    meetings = operator
    write_run(harness, operator, end=1)
    old = operator.services.caches.live_mappings.get(PLACE)
    assert old is not None
    harness.clock.forward(20)
    write_run(harness, operator, start=20, uuid="run-2")
    operator.services.caches.live_mappings.drop(PLACE)
    operator.services.caches.live_mappings.put(old)
    assert await meetings.reconcile_mapping(PLACE) == 1.0
    assert is_live(harness)


async def test_a_later_bot_does_not_keep_the_label() -> None:
    harness = BotHarness()
    harness.put_bot(joinAt=format_time(at(0) + timedelta(days=7)))
    operator = harness.operator()
    meetings = operator
    await operator.look()
    write_run(harness, operator, end=60)
    harness.clock.forward(60)
    operator.watch()
    await meetings.reconcile_mapping(PLACE)
    assert not is_live(harness)
    await operator.look()
    assert harness.condition()[1] == "Scheduled"

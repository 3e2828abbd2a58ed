"""A bot's times: it joins on time although operators were down meanwhile, and a finished bot never reruns."""

from typing import Any

import pytest
from meetingbots.kube.resources import BOTS, CREDENTIALS, PODS
from meetingbots.models.bot import BotPhase

from tests.unit.bots.bot_builders import at
from tests.unit.bots.reconcile.bot_harness import BotHarness, Operator


def start(**spec: Any) -> tuple[BotHarness, Operator]:
    harness = BotHarness()
    harness.put_bot(**spec)
    harness.put_mapping()
    return harness, harness.operator()


async def test_after_an_outage_across_join_at_the_bot_joins_at_once() -> None:
    for down_from, phase in ((10, "Scheduled"), (950, "Staging")):
        harness, operator = start(joinAt=at(1000).isoformat())
        await operator.look()
        harness.clock.forward(down_from)
        await operator.look()
        harness.kubelet.work()
        assert harness.bot().status.phase == phase
        harness.clock.forward(1400 - down_from)
        harness.kubelet.work()
        restarted = harness.operator()
        await harness.live(restarted, until=harness.running)
        assert harness.clock.seconds() <= 1404
        assert harness.heard() == ["join-token-1"]
        harness.check()


async def test_a_scheduled_bot_reports_a_missing_credential() -> None:
    names = {"credentialRef": {"name": "alcie"}, "onBehalf": {"credentialRef": {"name": "bob"}}}
    harness, operator = start(joinAt=at(1000).isoformat(), **names)
    harness.cluster.put(CREDENTIALS, {"metadata": {"namespace": "team", "name": "bob"}, "spec": {}})
    # Before the first report of the watch, the API server is asked.
    operator.services.caches.bots.put(harness.cluster.all(BOTS)[0])
    for _ in range(3):
        assert await operator.look(watch=False) is not None
    ready, reason, message = harness.condition()
    assert (ready, reason) == ("True", "Scheduled")
    assert message.endswith(" UTC. There is no ZoomCredential alcie yet.")
    assert "bob" not in message
    again = await operator.look()
    assert again is not None
    assert again <= 60
    harness.cluster.put(CREDENTIALS, {"metadata": {"namespace": "team", "name": "alcie"}, "spec": {}})
    await operator.look()
    assert harness.condition()[2].endswith(" UTC.")


async def test_after_an_outage_beyond_the_deadline_the_bot_fails() -> None:
    harness, operator = start(joinAt=at(1000).isoformat())
    await operator.look()
    harness.clock.forward(1601)
    await harness.live(harness.operator())
    assert harness.condition()[:2] == ("False", "StartDeadlineExceeded")
    assert (harness.pods(), harness.zoom.tokens.asked) == ([], [])


@pytest.mark.parametrize(("late", "phase"), [(590, BotPhase.SUCCEEDED), (601, BotPhase.EXPIRED)])
async def test_created_after_its_time(late: float, phase: BotPhase) -> None:
    harness, operator = start(joinAt=at(-late).isoformat())
    await harness.live(operator)
    assert harness.bot().status.phase is phase
    assert harness.condition()[0] == "True"
    assert bool(harness.heard()) is (phase is BotPhase.SUCCEEDED)


AGAIN: list[dict[str, Any]] = [
    {"joinAt": at(90_000).isoformat()},
    {"displayName": "Other"},
    {"suspend": True},
    {"startDeadlineSeconds": 1_000_000},
    {"retry": {"limit": 100}},
]


@pytest.mark.parametrize("edit", AGAIN)
@pytest.mark.parametrize("end", ["succeeded", "failed", "expired"])
async def test_a_finished_bot_never_runs_again(end: str, edit: dict[str, Any]) -> None:
    given: dict[str, Any] = {"retry": {"limit": 0}}
    if end == "expired":
        given["joinAt"] = at(-700).isoformat()
    harness, operator = start(**given)
    harness.kubelet.exits = [3] if end == "failed" else []
    await harness.live(operator)
    before = harness.bot().status
    assert before.phase is not None
    assert before.phase.value.lower() == end
    runs = len(harness.kubelet.starts)
    for process in (operator, harness.operator()):
        harness.put_bot(generation=2, **{**given, **edit})
        for _ in range(3):
            await process.look()
            harness.kubelet.work()
            harness.clock.forward(50_000)
        assert harness.bot().status.phase is before.phase
        assert harness.condition()[1] == "Succeeded" if end == "succeeded" else True
    assert len(harness.kubelet.starts) == runs
    assert harness.cluster.count("create", PODS) == runs


async def test_a_reverted_edit_is_not_reported() -> None:
    harness, operator = start()
    await harness.live(operator)
    harness.put_bot(generation=2, displayName="Other")
    await operator.look()
    assert harness.condition("SpecChangeIgnored")[0] == "True"
    harness.put_bot(generation=3)
    await operator.look()
    assert harness.condition("SpecChangeIgnored")[0] == ""


async def test_a_bot_recreated_from_git_after_its_end_does_not_join() -> None:
    harness, operator = start(joinAt=at(0).isoformat(), ttlSecondsAfterFinished=1000)
    await harness.live(operator)
    harness.cluster.remove(BOTS, namespace="team", name="standup")
    harness.cluster.collect()
    harness.clock.forward(700)
    harness.put_bot(joinAt=at(0).isoformat(), ttlSecondsAfterFinished=1000)
    item = harness.cluster.peek(BOTS, namespace="team", name="standup")
    assert item is not None
    item["metadata"] |= {"uid": "fffff123-4567-89ab-cdef-0123456789ab", "creationTimestamp": at(763).isoformat()}
    harness.cluster.remove(BOTS, namespace="team", name="standup")
    harness.cluster.put(BOTS, item)
    await operator.look()
    assert harness.bot().status.phase is BotPhase.EXPIRED
    assert len(harness.kubelet.starts) == 1


async def test_a_bot_that_is_suspended_across_its_time_fails_or_runs_when_resumed() -> None:
    for until, phase in ((1300, BotPhase.SUCCEEDED), (1700, BotPhase.FAILED)):
        harness, operator = start(joinAt=at(1000).isoformat(), suspend=True)
        await operator.look()
        assert harness.condition()[1] == "Suspended"
        harness.clock.forward(until)
        await operator.look()
        assert (harness.condition()[1], harness.pods()) == ("Suspended", [])
        harness.put_bot(generation=2, joinAt=at(1000).isoformat())
        await harness.live(operator)
        assert harness.bot().status.phase is phase


async def test_the_start_is_within_a_second_of_join_at() -> None:
    harness, operator = start(joinAt=at(1000).isoformat(), leadSeconds=30)
    await harness.live(operator, until=harness.running)
    ((when, _),) = harness.kubelet.starts
    assert 1000 <= when < 1001
    assert [moment for moment, _, _ in harness.zoom.tokens.asked] == [pytest.approx(1000, abs=0.5)]

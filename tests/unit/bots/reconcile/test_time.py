"""A bot's time: it comes when it is to come, whoever was down meanwhile, and what is over never begins again."""

from typing import Any

import pytest
from meetingbots.kube.resources import BOTS, CREDENTIALS, PODS
from meetingbots.models.bot import BotPhase

from tests.unit.bots.bot_builders import at
from tests.unit.bots.reconcile.bot_harness import Bench, Operator


def start(**spec: Any) -> tuple[Bench, Operator]:
    bench = Bench()
    bench.put_bot(**spec)
    bench.put_mapping()
    return bench, bench.operator()


async def test_an_operator_that_was_down_across_join_at_sends_the_bot_at_once() -> None:
    for down_from, phase in ((10, "Scheduled"), (950, "Staging")):
        bench, operator = start(joinAt=at(1000).isoformat())
        await operator.look()
        bench.clock.forward(down_from)
        await operator.look()
        bench.kubelet.work()
        assert bench.bot().status.phase == phase
        bench.clock.forward(1400 - down_from)
        bench.kubelet.work()
        restarted = bench.operator()
        await bench.live(restarted, until=bench.running)
        assert bench.clock.seconds() <= 1404
        assert bench.heard() == ["join-token-1"]
        bench.check()


async def test_a_scheduled_bot_tells_early_that_a_credential_does_not_exist() -> None:
    names = {"credentialRef": {"name": "alcie"}, "onBehalf": {"credentialRef": {"name": "bob"}}}
    bench, operator = start(joinAt=at(1000).isoformat(), **names)
    bench.cluster.put(CREDENTIALS, {"metadata": {"namespace": "team", "name": "bob"}, "spec": {}})
    # Before the watch has told of anything, the API server itself is asked.
    operator.services.caches.bots.put(bench.cluster.all(BOTS)[0])
    for _ in range(3):
        assert await operator.look(watch=False) is not None
    ready, reason, message = bench.condition()
    assert (ready, reason) == ("True", "Scheduled")
    assert message.endswith(" UTC. There is no ZoomCredential alcie yet.")
    assert "bob" not in message
    again = await operator.look()
    assert again is not None
    assert again <= 60
    bench.cluster.put(CREDENTIALS, {"metadata": {"namespace": "team", "name": "alcie"}, "spec": {}})
    await operator.look()
    assert bench.condition()[2].endswith(" UTC.")


async def test_an_operator_that_was_down_for_too_long_tells_it_and_sends_none() -> None:
    bench, operator = start(joinAt=at(1000).isoformat())
    await operator.look()
    bench.clock.forward(1601)
    await bench.live(bench.operator())
    assert bench.condition()[:2] == ("False", "StartDeadlineExceeded")
    assert (bench.pods(), bench.zoom.tokens.asked) == ([], [])


@pytest.mark.parametrize(("late", "phase"), [(590, BotPhase.SUCCEEDED), (601, BotPhase.EXPIRED)])
async def test_created_after_its_time(late: float, phase: BotPhase) -> None:
    bench, operator = start(joinAt=at(-late).isoformat())
    await bench.live(operator)
    assert bench.bot().status.phase is phase
    assert bench.condition()[0] == "True"
    assert bool(bench.heard()) is (phase is BotPhase.SUCCEEDED)


AGAIN: list[dict[str, Any]] = [
    {"joinAt": at(90_000).isoformat()},
    {"displayName": "Other"},
    {"suspend": True},
    {"startDeadlineSeconds": 1_000_000},
    {"retry": {"limit": 100}},
]


@pytest.mark.parametrize("edit", AGAIN)
@pytest.mark.parametrize("end", ["succeeded", "failed", "expired"])
async def test_what_is_over_never_runs_again(end: str, edit: dict[str, Any]) -> None:
    given: dict[str, Any] = {"retry": {"limit": 0}}
    if end == "expired":
        given["joinAt"] = at(-700).isoformat()
    bench, operator = start(**given)
    bench.kubelet.exits = [3] if end == "failed" else []
    await bench.live(operator)
    before = bench.bot().status
    assert before.phase is not None
    assert before.phase.value.lower() == end
    runs = len(bench.kubelet.starts)
    for process in (operator, bench.operator()):
        bench.put_bot(generation=2, **{**given, **edit})
        for _ in range(3):
            await process.look()
            bench.kubelet.work()
            bench.clock.forward(50_000)
        assert bench.bot().status.phase is before.phase
        assert bench.condition()[1] == "Succeeded" if end == "succeeded" else True
    assert len(bench.kubelet.starts) == runs
    assert bench.cluster.count("create", PODS) == runs


async def test_after_an_edit_that_is_taken_back_nothing_is_told() -> None:
    bench, operator = start()
    await bench.live(operator)
    bench.put_bot(generation=2, displayName="Other")
    await operator.look()
    assert bench.condition("SpecChangeIgnored")[0] == "True"
    bench.put_bot(generation=3)
    await operator.look()
    assert bench.condition("SpecChangeIgnored")[0] == ""


async def test_created_again_from_git_after_its_end_it_does_not_join_again() -> None:
    bench, operator = start(joinAt=at(0).isoformat(), ttlSecondsAfterFinished=1000)
    await bench.live(operator)
    bench.cluster.remove(BOTS, namespace="team", name="standup")
    bench.cluster.collect()
    bench.clock.forward(700)
    bench.put_bot(joinAt=at(0).isoformat(), ttlSecondsAfterFinished=1000)
    item = bench.cluster.peek(BOTS, namespace="team", name="standup")
    assert item is not None
    item["metadata"] |= {"uid": "fffff123-4567-89ab-cdef-0123456789ab", "creationTimestamp": at(763).isoformat()}
    bench.cluster.remove(BOTS, namespace="team", name="standup")
    bench.cluster.put(BOTS, item)
    await operator.look()
    assert bench.bot().status.phase is BotPhase.EXPIRED
    assert len(bench.kubelet.starts) == 1


async def test_a_bot_that_is_suspended_across_its_time_fails_or_runs_when_resumed() -> None:
    for until, phase in ((1300, BotPhase.SUCCEEDED), (1700, BotPhase.FAILED)):
        bench, operator = start(joinAt=at(1000).isoformat(), suspend=True)
        await operator.look()
        assert bench.condition()[1] == "Suspended"
        bench.clock.forward(until)
        await operator.look()
        assert (bench.condition()[1], bench.pods()) == ("Suspended", [])
        bench.put_bot(generation=2, joinAt=at(1000).isoformat())
        await bench.live(operator)
        assert bench.bot().status.phase is phase


async def test_the_start_is_within_a_second_of_join_at() -> None:
    bench, operator = start(joinAt=at(1000).isoformat(), leadSeconds=30)
    await bench.live(operator, until=bench.running)
    ((when, _),) = bench.kubelet.starts
    assert 1000 <= when < 1001
    assert [moment for moment, _, _ in bench.zoom.tokens.asked] == [pytest.approx(1000, abs=0.5)]

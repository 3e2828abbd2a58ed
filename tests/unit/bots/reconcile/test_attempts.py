"""Failures and losses: what follows, and what it is made of."""

from meetingbots.kube.resources import PODS
from meetingbots.models.bot import BotPhase

from tests.unit.bots.bot_builders import POD, SECRET
from tests.unit.bots.reconcile.bot_harness import Bench
from tests.unit.fake_kube import Call


async def test_a_failed_bot_is_tried_again_with_a_new_pod_and_a_new_token() -> None:
    bench = Bench()
    bench.put_bot()
    bench.put_mapping()
    bench.kubelet.exits = [1, 1]
    await bench.live(bench.operator())
    status = bench.bot().status
    assert (status.phase, status.attempts) == (BotPhase.SUCCEEDED, 3)
    assert bench.heard() == ["join-token-1", "join-token-2", "join-token-3"]
    assert [name for _, name in bench.kubelet.starts] == [POD, "standup-abcde-2", "standup-abcde-3"]
    bench.check()


async def test_a_bot_that_fails_too_often_has_failed() -> None:
    bench = Bench()
    bench.put_bot(retry={"limit": 1, "backoffSeconds": 5})
    bench.put_mapping()
    bench.kubelet.exits = [1, 1, 1]
    await bench.live(bench.operator())
    assert bench.condition()[:2] == ("False", "BotFailed")
    assert bench.bot().status.last_attempt is not None
    assert len(bench.kubelet.starts) == 2


async def test_a_pod_deleted_by_someone_is_replaced_uncounted() -> None:
    bench = Bench()
    bench.put_bot()
    bench.put_mapping()
    operator = bench.operator()
    await bench.live(operator, until=lambda: bench.pods() == [POD])
    bench.cluster.remove(PODS, namespace="team", name=POD)
    await bench.live(operator, until=bench.running)
    bench.cluster.remove(PODS, namespace="team", name="standup-abcde-2")
    await bench.live(operator)
    status = bench.bot().status
    assert (status.phase, status.attempts, status.infrastructure_restarts) == (BotPhase.SUCCEEDED, 1, 2)
    assert bench.heard() == ["join-token-1", "join-token-2"]
    bench.check()


async def test_the_end_of_a_pod_that_no_watch_told_is_found_out() -> None:
    bench = Bench()
    bench.put_bot()
    bench.put_mapping()
    operator = bench.operator()
    await bench.live(operator, until=bench.running)
    after = await operator.look()
    bench.cluster.remove(PODS, namespace="team", name=POD)
    assert after == 300
    bench.clock.forward(after)
    await operator.look(watch=False)
    assert bench.bot().status.infrastructure_restarts == 1


async def test_a_pod_that_does_not_start_is_touched_and_then_replaced() -> None:
    bench = Bench()
    bench.put_bot()
    bench.put_mapping()
    touches: list[float] = []

    async def watch(call: Call) -> None:
        if (call.moment, call.verb, call.plural) == ("after", "patch", "pods"):
            touches.append(bench.clock.seconds() - 3)

    waits = {"waiting": {"reason": "CreateContainerConfigError", "message": f'secret "{SECRET}" not found'}}
    bench.kubelet.stuck = lambda pod: waits if pod["metadata"]["name"] == POD and bench.clock.seconds() >= 3 else None
    bench.cluster.inner = watch
    operator = bench.operator()
    await bench.live(operator, until=lambda: len(bench.cluster.made["secrets", SECRET]) > 0 and len(touches) == 5)
    assert touches == [0, 0.5, 1, 2, 4]
    assert bench.bot().status.phase is BotPhase.JOINING
    await bench.live(operator)
    status = bench.bot().status
    assert (status.phase, status.attempts, status.infrastructure_restarts) == (BotPhase.SUCCEEDED, 1, 1)
    assert bench.heard() == ["join-token-2"]
    assert bench.kubelet.starts[0][0] >= 63
    bench.check()

"""Failures and losses: what follows, and what it is made of."""

from meetingbots.kube.resources import PODS
from meetingbots.models.bot import BotPhase

from tests.unit.bots.bot_builders import POD, SECRET
from tests.unit.bots.reconcile.bot_harness import BotHarness
from tests.unit.fake_kube import Call


async def test_a_failed_bot_is_tried_again_with_a_new_pod_and_a_new_token() -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.put_mapping()
    harness.kubelet.exits = [1, 1]
    await harness.live(harness.operator())
    status = harness.bot().status
    assert (status.phase, status.attempts) == (BotPhase.SUCCEEDED, 3)
    assert harness.heard() == ["join-token-1", "join-token-2", "join-token-3"]
    assert [name for _, name in harness.kubelet.starts] == [POD, "standup-abcde-2", "standup-abcde-3"]
    harness.check()


async def test_a_bot_that_fails_too_often_has_failed() -> None:
    harness = BotHarness()
    harness.put_bot(retry={"limit": 1, "backoffSeconds": 5})
    harness.put_mapping()
    harness.kubelet.exits = [1, 1, 1]
    await harness.live(harness.operator())
    assert harness.condition()[:2] == ("False", "BotFailed")
    assert harness.bot().status.last_attempt is not None
    assert len(harness.kubelet.starts) == 2


async def test_a_pod_deleted_by_someone_is_replaced_uncounted() -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.put_mapping()
    operator = harness.operator()
    await harness.live(operator, until=lambda: harness.pods() == [POD])
    harness.cluster.remove(PODS, namespace="team", name=POD)
    await harness.live(operator, until=harness.running)
    harness.cluster.remove(PODS, namespace="team", name="standup-abcde-2")
    await harness.live(operator)
    status = harness.bot().status
    assert (status.phase, status.attempts, status.infrastructure_restarts) == (BotPhase.SUCCEEDED, 1, 2)
    assert harness.heard() == ["join-token-1", "join-token-2"]
    harness.check()


async def test_a_missed_end_of_a_pod_is_found() -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.put_mapping()
    operator = harness.operator()
    await harness.live(operator, until=harness.running)
    after = await operator.look()
    harness.cluster.remove(PODS, namespace="team", name=POD)
    assert after == 300
    harness.clock.forward(after)
    await operator.look(watch=False)
    assert harness.bot().status.infrastructure_restarts == 1


async def test_a_pod_that_does_not_start_is_touched_and_then_replaced() -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.put_mapping()
    touches: list[float] = []

    async def watch(call: Call) -> None:
        if (call.moment, call.verb, call.plural) == ("after", "patch", "pods"):
            touches.append(harness.clock.seconds() - 3)

    waits = {"waiting": {"reason": "CreateContainerConfigError", "message": f'secret "{SECRET}" not found'}}
    harness.kubelet.stuck = lambda pod: (
        waits if pod["metadata"]["name"] == POD and harness.clock.seconds() >= 3 else None
    )
    harness.cluster.inner = watch
    operator = harness.operator()
    await harness.live(operator, until=lambda: len(harness.cluster.made["secrets", SECRET]) > 0 and len(touches) == 5)
    assert touches == [0, 0.5, 1, 2, 4]
    assert harness.bot().status.phase is BotPhase.JOINING
    await harness.live(operator)
    status = harness.bot().status
    assert (status.phase, status.attempts, status.infrastructure_restarts) == (BotPhase.SUCCEEDED, 1, 1)
    assert harness.heard() == ["join-token-2"]
    assert harness.kubelet.starts[0][0] >= 63
    harness.check()

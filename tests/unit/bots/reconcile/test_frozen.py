"""A process that is frozen between two steps, while another one goes on: no second Pod, no second Secret."""

import pytest
from meetingbots.kube.resources import BOTS, PODS, SECRETS

from tests.unit.bots.bot_builders import POD
from tests.unit.bots.reconcile.bot_harness import BotHarness
from tests.unit.fake_kube import Call

CLAIM = ("after", "patch", "meetingbots")
CREATE = ("before", "create", "pods")


@pytest.mark.parametrize("moment", [CLAIM, CREATE])
async def test_a_process_frozen_before_its_create_makes_no_second_pod(moment: tuple[str, str, str]) -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.put_mapping()
    other, frozen = harness.operator(), False

    async def freeze(call: Call) -> None:
        nonlocal frozen
        if frozen or (call.moment, call.verb, call.plural) != moment:
            return
        frozen = True
        harness.clock.forward(20)  # its Lease has expired
        await harness.live(other, until=harness.running)
        harness.cluster.remove(PODS, namespace="team", name=POD)  # someone deletes it
        await harness.live(other, until=lambda: harness.bot().status.pod_name != POD)

    harness.cluster.inner = freeze
    await harness.operator().look()
    assert frozen
    assert POD not in harness.pods()
    await harness.live(other)
    assert harness.bot().status.phase == "Succeeded"
    tokens = harness.heard()
    assert len(tokens) == len(set(tokens)) == 2
    if moment == CLAIM:
        harness.check()


async def test_a_process_frozen_within_its_create_deletes_the_pod_of_a_bot_that_is_gone() -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.put_mapping()

    async def freeze(call: Call) -> None:
        if (call.moment, call.verb, call.plural) == CREATE:
            harness.clock.forward(20)  # its Lease has expired
            harness.cluster.remove(BOTS, namespace="team", name="standup")

    harness.cluster.inner = freeze
    await harness.operator().look()
    assert len(harness.cluster.made[PODS.plural, POD]) == 1, "the create was on its way already"
    assert harness.pods() == []


async def test_a_process_frozen_while_it_asks_zoom_delivers_to_no_pod_that_runs() -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.put_mapping()
    first, other = harness.operator(), harness.operator()
    await harness.live(first, until=harness.waiting)

    async def freeze() -> None:
        harness.zoom.tokens.inner = None
        await harness.live(other, until=harness.running)
        await other.look()
        harness.clock.forward(10)

    harness.zoom.tokens.inner = freeze
    await first.look()
    assert harness.join_secrets() == [], "the Pod that runs has its token, and the Secret was deleted"
    assert len(harness.cluster.made[SECRETS.plural, f"{POD}-zoom"]) == 1


@pytest.mark.parametrize("annotated", [True, False])
async def test_a_foreign_secret_is_neither_taken_for_a_delivery_nor_deleted(annotated: bool) -> None:
    harness = BotHarness()
    harness.put_bot()
    harness.put_mapping()
    annotations = {"meetingbots.dev/delivered-at": "2026-11-24T12:00:00+00:00"} if annotated else {}
    metadata = {"namespace": "team", "name": f"{POD}-zoom", "annotations": annotations, "uid": "foreign"}
    harness.cluster.put(SECRETS, {"metadata": metadata, "data": {"precious": ""}})
    operator = harness.operator()
    await harness.live(operator, until=harness.waiting)
    for _ in range(3):
        await operator.look()
        harness.clock.forward(1)
    assert harness.condition()[1] == "ConfigError"
    assert "does not belong to this bot's Pod" in harness.condition()[2]
    assert harness.bot().status.token is None
    # A Secret with all keys lets the kubelet start the container.
    harness.kubelet.stuck = lambda _: {"running": {"startedAt": "2026-11-24T12:00:10Z"}}
    harness.kubelet.work()
    for _ in range(5):
        await operator.look()
        await harness.operator().look()
        harness.clock.forward(1)
    harness.put_bot(generation=2, suspend=True)
    await operator.look()
    secret = harness.cluster.peek(SECRETS, namespace="team", name=f"{POD}-zoom")
    assert secret is not None
    assert secret["metadata"]["uid"] == "foreign"

"""Mappings that are not there, or not yet: how long a bot waits for them."""

import pytest

from tests.unit.bots.bot_builders import at
from tests.unit.bots.reconcile.bot_harness import Bench


async def test_without_a_mapping_a_preferred_bot_goes_without_after_the_webhook_could_have_come() -> None:
    bench = Bench()
    bench.put_bot()
    bench.kubelet.image = 1
    await bench.live(bench.operator())
    assert bench.heard() == [""]
    assert bench.heard("ZOOM_TOKEN_REASON") == ["NoMapping"]
    assert bench.condition("TokenIssued")[:2] == ("False", "NoMapping")
    assert bench.zoom.tokens.asked == []
    assert bench.kubelet.starts[0][0] == pytest.approx(3, abs=0.1)
    assert bench.condition()[:2] == ("True", "Succeeded")


async def test_a_mapping_that_comes_while_the_bot_waits_is_used() -> None:
    bench = Bench()
    bench.put_bot()
    bench.kubelet.image = 1
    operator = bench.operator()
    await bench.live(operator, until=lambda: bench.condition()[1] == "NoMapping")
    bench.put_mapping()
    await bench.live(operator, until=bench.running)
    assert bench.heard() == ["join-token-1"]


async def test_a_required_bot_without_a_mapping_fails_with_that_reason_and_leaves_nothing() -> None:
    bench = Bench()
    bench.put_bot(tokenPolicy="Required")
    operator = bench.operator()
    await bench.live(operator)
    assert bench.condition()[:2] == ("False", "NoMapping")
    assert bench.condition("Stalled")[0] == "True"
    await operator.look()
    assert (bench.pods(), bench.join_secrets()) == ([], [])


async def test_the_time_to_wait_begins_when_the_process_does() -> None:
    bench = Bench()
    bench.clock.forward(3)
    bench.put_bot(credentialSelector={"matchLabels": {"customer": "acme"}}, joinAt=at(100).isoformat())
    bench.kubelet.image = 1
    bench.clock.forward(97)
    await bench.live(bench.operator(), until=bench.running)
    assert bench.kubelet.starts[0][0] == pytest.approx(103, abs=0.1)

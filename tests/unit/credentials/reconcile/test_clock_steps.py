"""The wall clock is set forward or back, as by NTP, during a refresh and during a wait."""

from __future__ import annotations

import httpx
import pytest

from tests.unit.credentials.reconcile.credential_harness import Bench

pytestmark = pytest.mark.usefixtures("consented")


@pytest.mark.parametrize("step", [31, 3600, -31, -3600])
async def test_a_step_during_a_refresh_spends_no_token_twice(bench: Bench, step: float) -> None:
    operator, other = bench.operator(), bench.operator()
    await operator.look()
    bench.clock.forward(2300)

    async def set_clock(path: str) -> httpx.Response | None:
        bench.zoom.before = None
        await other.look()
        bench.clock.step(step)
        await other.look()
        return None

    bench.zoom.before = set_clock
    await operator.look()
    assert step > 60 or bench.zoom.asked.count("/oauth/token") == 2, "the first tokens and one refresh"
    assert max(bench.zoom.spent.values()) == 1
    await other.look()
    assert bench.works()


async def test_the_claim_of_a_dead_process_expires_after_30_seconds_of_real_time(bench: Bench) -> None:
    operator = bench.operator()
    await operator.look()
    bench.clock.forward(2300)

    async def lose(path: str) -> httpx.Response | None:
        bench.zoom.before = None
        raise KeyboardInterrupt

    bench.zoom.before = lose
    with pytest.raises(KeyboardInterrupt):
        await operator.look()
    other = bench.operator()
    await other.look()
    bench.clock.step(-3600)
    bench.clock.forward(31 + 3600)
    await other.look()
    assert bench.ready
    assert bench.works()


async def test_a_step_back_does_not_prolong_a_wait(bench: Bench) -> None:
    operator = bench.operator()

    async def away(path: str) -> httpx.Response | None:
        return httpx.Response(503)

    bench.zoom.before = away
    await operator.look()
    bench.zoom.before = None
    bench.clock.step(-86_400)
    bench.clock.forward(6)
    await operator.look()
    assert bench.ready

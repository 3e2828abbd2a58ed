"""Weeks of a credential's life with two processes, deaths, outages and slow answers, drawn by chance from a seed."""

from __future__ import annotations

import random

import httpx
import pytest
from meetingbots.kube.errors import KubeError, UnavailableError

from tests.unit.credentials.reconcile.credential_harness import Bench, Killed, Operator
from tests.unit.fake_kube import Call

_KILL = 0.01
_KUBE_FAILS = 0.03
_ZOOM_FAILS = 0.05


class Trouble:
    """Faults by chance. Zoom's answers are never lost here: then nothing at all may be lost."""

    def __init__(self, bench: Bench, *, seed: int) -> None:
        self.chance = random.Random(seed)
        self.bench = bench
        bench.kube.hook = self.on_kube
        bench.zoom.before = self.on_zoom

    async def on_kube(self, call: Call) -> None:
        if call.moment == "before" and self._may_die() and self.chance.random() < _KILL:
            raise Killed
        if self.chance.random() < _KUBE_FAILS:
            raise UnavailableError("away", status=503)

    async def on_zoom(self, path: str) -> httpx.Response | None:
        draw = self.chance.random()
        if draw < _KILL:
            raise Killed
        if draw < _ZOOM_FAILS:
            raise httpx.ConnectError("refused")
        if draw < 2 * _ZOOM_FAILS:
            return httpx.Response(429, json={"code": 429, "message": "x"}, headers={"retry-after": "3"})
        return None

    def _may_die(self) -> bool:
        """Not while the only copy of new tokens is in memory: that loss is Zoom's lost answer, tested elsewhere."""
        state = self.bench.state
        held = [state.tokens, state.candidate.tokens if state.candidate else None]
        stored = {tokens.refresh_token.get_secret_value() for tokens in held if tokens and tokens.refresh_token}
        return not self.bench.zoom.spent or bool(stored & set(self.bench.zoom.users))


@pytest.mark.parametrize("seed", range(20))
async def test_nothing_is_ever_lost(seed: int) -> None:
    bench = Bench()
    trouble = Trouble(bench, seed=seed)
    bench.consent()
    bench.put_credential()
    pair = [bench.operator(), bench.operator()]
    unready = 0
    for _ in range(600):
        place = trouble.chance.randrange(2)
        pair[place] = await _look(bench, pair[place])
        bench.clock.forward(trouble.chance.choice([1, 20, 60, 300]))
        assert "RotationInterrupted" not in bench.reason
        assert "ReauthorizationRequired" not in bench.reason
        unready += bool(bench.reason) and not bench.ready
    assert all(count == 1 for count in bench.zoom.spent.values())
    assert sum(bench.zoom.spent.values()) > 10
    assert unready < 60
    await bench.close()


async def _look(bench: Bench, operator: Operator) -> Operator:
    try:
        await operator.look()
    except Killed:
        return bench.operator()
    except KubeError:
        pass
    return operator


async def test_two_processes_with_different_troubles_do_not_race_each_other_in_the_status() -> None:
    bench = Bench()
    bench.consent()
    bench.put_credential()
    one, other = bench.operator(), bench.operator()
    await one.look()
    bench.clock.forward(2300)

    async def away(path: str) -> httpx.Response | None:
        raise httpx.ConnectError("refused")

    bench.zoom.before = away
    await one.look()
    asked = len(bench.zoom.asked)
    writes = bench.kube.count("apply")
    for _ in range(10):
        await other.look()
        await one.look()
    assert bench.kube.count("apply") == writes
    assert len(bench.zoom.asked) == asked, "the other knows from the status that Zoom is away"
    bench.zoom.before = None
    bench.clock.forward(6)
    await other.look()
    assert bench.status["consecutiveFailures"] == 0
    writes = bench.kube.count("apply")
    for _ in range(10):
        await one.look()
        await other.look()
    assert bench.kube.count("apply") == writes
    await bench.close()

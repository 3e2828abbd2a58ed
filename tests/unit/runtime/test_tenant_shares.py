"""No tenant uses up the workers, and no key of any tenant is lost."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.work_queue import WorkQueue
from meetingbots.runtime.workers import Controller, Workers, lent

from tests.unit.virtual_time import run

ACTIVE, BEGUN = 2, 3
KEYS = st.sampled_from([f"{tenant}{number}" for tenant in "ab" for number in range(6)])


class SharesModel(RuleBasedStateMachine):
    """Keys of two tenants, named by the first letter, that begin, pause, resume and end in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.queue: WorkQueue[str] = WorkQueue(clock=lambda: self.now, tenant=lambda key: key[0])
        self.queue.shares.limit(active=ACTIVE, begun=BEGUN)
        self.wanted: dict[str, float] = {}
        self.active: set[str] = set()
        self.paused: set[str] = set()

    def eligible(self) -> set[str]:
        active = Counter(key[0] for key in self.active)
        begun = active + Counter(key[0] for key in self.paused)
        return {
            key
            for key, due in self.wanted.items()
            if due <= self.now
            and key not in self.active | self.paused
            and active[key[0]] < ACTIVE
            and begun[key[0]] < BEGUN
        }

    @rule(key=KEYS, after=st.sampled_from([0.0, 1.0, 5.0]))
    def add(self, key: str, after: float) -> None:
        self.queue.add(key, after=after)
        self.wanted[key] = min(self.wanted.get(key, float("inf")), self.now + after)

    @rule(key=KEYS)
    def forget(self, key: str) -> None:
        self.queue.forget(key)
        self.wanted.pop(key, None)

    @rule()
    def time_passes(self) -> None:
        self.now += 1.0

    @precondition(lambda self: self.eligible())
    @rule()
    def get(self) -> None:
        key = asyncio.run(asyncio.wait_for(self.queue.get(), timeout=5))
        assert key in self.eligible()
        del self.wanted[key]
        self.active.add(key)

    @precondition(lambda self: self.active)
    @rule(data=st.data())
    def pause(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.active)))
        self.queue.pause(key)
        self.active.remove(key)
        self.paused.add(key)

    @precondition(lambda self: self.paused)
    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.paused)))
        self.queue.resume(key)
        self.paused.remove(key)
        self.active.add(key)

    @precondition(lambda self: self.active | self.paused)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.active | self.paused)))
        self.queue.done(key)
        self.active.discard(key)
        self.paused.discard(key)

    @invariant()
    def it_counts(self) -> None:
        assert len(self.queue) == len(self.wanted)

    def teardown(self) -> None:
        """Once all work is over and all times have come, every wanted key comes."""
        self.now += 100.0
        for key in sorted(self.active | self.paused):
            self.queue.done(key)
        left = []
        for _ in range(len(self.wanted)):
            found = asyncio.run(asyncio.wait_for(self.queue.get(), timeout=5))
            assert found is not None
            left.append(found)
            self.queue.done(found)
        assert sorted(left) == sorted(self.wanted)


TestSharesModel = SharesModel.TestCase
TestSharesModel.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("waits_at_zoom", [False, True], ids=["hold their workers", "wait for a rate limit"])
def test_a_tenant_with_many_slow_keys_does_not_delay_another(waits_at_zoom: bool) -> None:
    ended: dict[str, float] = {}

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        queue: WorkQueue[str] = WorkQueue(clock=clock, tenant=lambda key: key.partition("/")[0])

        async def reconcile(key: str) -> None:
            if key.startswith("hostile/") and waits_at_zoom:
                async with lent():
                    await asyncio.sleep(20.0)
            elif key.startswith("hostile/"):
                await asyncio.sleep(20.0)
            else:
                await asyncio.sleep(0.1)
            ended[key] = clock() - begin

        controller = Controller(kind="Thing", queue=queue, reconcile=reconcile, workers=16, share=8)
        task = asyncio.create_task(Workers(controller, metrics=Metrics()).run())
        begin = clock()
        for number in range(1_000):
            queue.add(f"hostile/{number}")
        await asyncio.sleep(1.0)
        begin = clock()
        queue.add("good/bot")
        await asyncio.sleep(3_000.0)
        queue.close()
        await task

    run(main())
    assert ended["good/bot"] == pytest.approx(0.1)
    assert len(ended) == 1_001

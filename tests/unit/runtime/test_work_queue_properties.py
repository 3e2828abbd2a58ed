"""The delay queue against a simple model: whatever happens in whatever order, no key is lost or handed out twice."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from meetingbots.runtime.work_queue import WorkQueue

from tests.unit.virtual_time import run

KEYS = st.sampled_from("abcde")
DELAYS = st.sampled_from([0.0, 0.5, 1.0, 3.0, 100.0])


class QueueModel(RuleBasedStateMachine):
    """`wanted` says when each key is due, `working` which are in work; the test sets the clock."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.queue: WorkQueue[str] = WorkQueue(clock=lambda: self.now)
        self.wanted: dict[str, float] = {}
        self.working: set[str] = set()

    def due(self) -> set[str]:
        return {key for key, time in self.wanted.items() if time <= self.now and key not in self.working}

    @rule(key=KEYS, after=DELAYS)
    def add(self, key: str, after: float) -> None:
        self.queue.add(key, after=after)
        self.wanted[key] = min(self.wanted.get(key, float("inf")), self.now + after)

    @rule(seconds=DELAYS)
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.due())
    @rule()
    def get(self) -> None:
        key = asyncio.run(self.queue.get())
        assert key in self.due()
        assert self.wanted[key] == min(self.wanted[other] for other in self.due())
        del self.wanted[key]
        self.working.add(key)

    @precondition(lambda self: self.working)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.working)))
        self.queue.done(key)
        self.working.remove(key)

    @rule(key=KEYS)
    def forget(self, key: str) -> None:
        self.queue.forget(key)
        self.wanted.pop(key, None)

    @invariant()
    def it_counts_right(self) -> None:
        assert len(self.queue) == len(self.wanted)
        assert self.queue.ready == len(self.due())

    def teardown(self) -> None:
        """Nothing was lost: once all work is over and all times have come, exactly what is wanted comes."""
        for key in sorted(self.working):
            self.queue.done(key)
        self.now += 1000.0
        left = sorted(str(asyncio.run(self.queue.get())) for _ in range(len(self.wanted)))
        assert left == sorted(self.wanted)


TestQueueModel = QueueModel.TestCase
TestQueueModel.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


@settings(max_examples=60, deadline=None)
@given(
    events=st.lists(st.tuples(DELAYS, KEYS, DELAYS), max_size=30),
    workers=st.integers(1, 4),
    duration=st.sampled_from([0.0, 0.3, 2.0]),
)
def test_each_wish_is_followed_by_a_visit(
    events: list[tuple[float, str, float]], workers: int, duration: float
) -> None:
    """With several workers: after each `add`, a visit of that key begins, and two visits of a key never overlap."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        queue: WorkQueue[str] = WorkQueue(clock=loop.time)
        visits: list[tuple[float, str]] = []
        inside: set[str] = set()

        async def work() -> None:
            while (key := await queue.get()) is not None:
                assert key not in inside
                inside.add(key)
                visits.append((loop.time(), key))
                await asyncio.sleep(duration)
                inside.remove(key)
                queue.done(key)

        tasks = [asyncio.create_task(work()) for _ in range(workers)]
        wishes = []
        for pause, key, after in events:
            await asyncio.sleep(pause)
            queue.add(key, after=after)
            wishes.append((loop.time(), key))
        await asyncio.sleep(1000.0)
        queue.close()
        await asyncio.gather(*tasks)
        for time, key in wishes:
            assert any(began >= time and visited == key for began, visited in visits)
        assert len(visits) <= len(wishes)

    run(main())

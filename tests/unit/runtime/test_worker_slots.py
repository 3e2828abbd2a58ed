"""Slots: who waits for a turn at Zoom keeps nobody else waiting, and the count stays right whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.work_queue import WorkQueue
from meetingbots.runtime.workers import Controller, Slots, Workers, lent
from meetingbots.zoom.http.calls import Category, Priority, RateReport
from meetingbots.zoom.limits.account_rate import AccountAllowance, RatePlan
from meetingbots.zoom.limits.limiter import AccountLimiter

from tests.unit.virtual_time import run, turns


class SlotsHarness:
    """Workers on keys; `at_work` and `most` count what works at once."""

    def __init__(self, *, count: int) -> None:
        self.count = count
        self.at_work = 0
        self.most = 0
        self.order: list[str] = []

    def begins(self) -> None:
        self.at_work += 1
        self.most = max(self.most, self.at_work)

    def ends(self) -> None:
        self.at_work -= 1

    async def serve(self, reconcile: Callable[[str], Awaitable[None]], *, keys: list[str], seconds: float) -> None:
        queue: WorkQueue[str] = WorkQueue(clock=asyncio.get_running_loop().time)

        async def once(key: str) -> float | None:
            self.begins()
            await reconcile(key)
            self.ends()
            self.order.append(key)
            return None

        workers = Workers(Controller(kind="Thing", queue=queue, reconcile=once, workers=self.count), metrics=Metrics())
        task = asyncio.create_task(workers.run())
        for key in keys:
            queue.add(key)
        await asyncio.sleep(seconds)
        queue.close()
        await task

    async def waits(self, seconds: float) -> None:
        """Wait for a turn."""
        self.ends()
        async with lent():
            await asyncio.sleep(seconds)
        self.begins()


def test_a_thousand_that_wait_for_a_turn_do_not_keep_another_waiting() -> None:
    harness = SlotsHarness(count=64)

    async def reconcile(key: str) -> None:
        if key.startswith("slow"):
            await harness.waits(10.0)
        else:
            await asyncio.sleep(0.1)

    keys = [*(f"slow-{number}" for number in range(1000)), "quick"]
    run(harness.serve(reconcile, keys=keys, seconds=5.0))
    assert harness.order[0] == "quick"
    assert len(harness.order) == 1001


def test_one_accounts_burst_does_not_delay_another_accounts_bot() -> None:
    ended: dict[str, float] = {}

    async def main() -> None:
        clock = asyncio.get_running_loop().time
        limiter = AccountLimiter(
            allowance=lambda _: AccountAllowance(plan=RatePlan.PRO, share=0.5),
            clock=clock,
            utc=lambda: datetime(2026, 11, 24, 12, tzinfo=UTC),
            waiting=lent,
        )
        begin = clock()

        async def reconcile(key: str) -> None:
            turn = await limiter.acquire(account=key[0], category=Category.LIGHT, priority=Priority.BOT)
            await asyncio.sleep(0.02)
            turn.end(RateReport(category=Category.LIGHT))
            ended[key] = clock() - begin

        keys = [*(f"a-{number}" for number in range(140)), "b"]
        await SlotsHarness(count=64).serve(reconcile, keys=keys, seconds=60.0)

    run(main())
    assert ended["b"] < 0.1
    assert 8.0 < max(ended.values()) < 12.0


def test_without_waiting_no_more_than_the_count_work_at_once() -> None:
    harness = SlotsHarness(count=3)

    async def reconcile(_: str) -> None:
        await asyncio.sleep(1.0)

    run(harness.serve(reconcile, keys=[str(number) for number in range(20)], seconds=100.0))
    assert (harness.most, len(harness.order)) == (3, 20)


def test_there_is_an_end_to_what_is_begun() -> None:
    harness, begun = SlotsHarness(count=2), []

    async def reconcile(key: str) -> None:
        begun.append(key)
        await harness.waits(1000.0)

    async def main() -> None:
        serving = asyncio.create_task(harness.serve(reconcile, keys=[str(n) for n in range(100)], seconds=5000.0))
        await asyncio.sleep(500.0)
        assert len(begun) == 32
        await serving

    run(main())
    assert len(harness.order) == 100


def test_parts_of_one_work_that_wait_side_by_side_lend_its_slot_once() -> None:
    async def main() -> None:
        slots, events = Slots(1), []

        async def part(seconds: float) -> None:
            async with lent():
                await asyncio.sleep(seconds)

        async def work() -> None:
            await slots.enter()
            with slots.held():
                await asyncio.gather(part(1.0), part(2.0))
                events.append("back")
                await asyncio.sleep(10.0)

        async def other(name: str) -> None:
            await slots.enter()
            with slots.held():
                events.append(name)
                await asyncio.sleep(0.5)

        first = asyncio.create_task(work())
        await turns()
        await asyncio.gather(first, other("within"), other("too"), other("and"), other("late"))
        # Four halves of a second fit into two seconds; nobody enters while the slot is in use again.
        assert events.index("back") >= 3
        await slots.enter()
        assert await is_full(slots)

    run(main())


async def is_full(slots: Slots) -> bool:
    try:
        await asyncio.wait_for(slots.enter(), timeout=1.0)
    except TimeoutError:
        return True
    return False


def test_what_a_work_leaves_running_changes_no_count() -> None:
    async def main() -> None:
        slots, left = Slots(1), []

        async def background() -> None:
            await asyncio.sleep(5.0)
            async with lent():
                await asyncio.sleep(5.0)

        await slots.enter()
        with slots.held():
            left.append(asyncio.create_task(background()))
            async with lent():
                left.append(asyncio.create_task(background()))
                await asyncio.sleep(7.0)  # one of them waits while the work ends
        await slots.enter()
        assert await is_full(slots)
        await asyncio.gather(*left)
        assert await is_full(slots)
        slots.leave()
        await slots.enter()

    run(main())


def test_who_gives_up_entering_takes_nothing_with_it() -> None:
    async def main() -> None:
        slots = Slots(1)
        await slots.enter()
        first, second = asyncio.create_task(slots.enter()), asyncio.create_task(slots.enter())
        await turns()
        slots.leave()
        first.cancel()
        await asyncio.wait({first, second})
        assert first.cancelled()
        assert second.exception() is None

    run(main())


def test_returning_tasks_go_before_starting_ones() -> None:
    async def main() -> None:
        slots, order = Slots(1), []

        async def waits() -> None:
            await slots.enter()
            with slots.held():
                async with lent():
                    await asyncio.sleep(1.0)
                order.append("asks Zoom")

        async def works(name: str) -> None:
            await slots.enter()
            with slots.held():
                await asyncio.sleep(3.0)
                order.append(name)

        first = asyncio.create_task(waits())
        await turns()
        await asyncio.gather(first, works("at work meanwhile"), works("to begin"))
        assert order == ["at work meanwhile", "asks Zoom", "to begin"]

    run(main())


def test_who_is_cancelled_while_it_waits_to_go_on_takes_no_slot_with_it() -> None:
    async def main() -> None:
        slots = Slots(1)

        async def waits() -> None:
            await slots.enter()
            with slots.held():
                async with lent():
                    await asyncio.sleep(1.0)

        task = asyncio.create_task(waits())
        await turns()
        await slots.enter()
        await asyncio.sleep(5.0)
        task.cancel()
        await asyncio.wait({task})
        assert await is_full(slots)
        slots.leave()
        await slots.enter()
        assert await is_full(slots)

    run(main())

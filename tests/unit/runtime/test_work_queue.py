"""The delay queue: what is added comes, once, at its time, and never to two workers."""

from __future__ import annotations

import asyncio

import pytest
from meetingbots.runtime.work_queue import WorkQueue

from tests.unit.virtual_time import run, turns


def new_queue() -> WorkQueue[str]:
    return WorkQueue(clock=asyncio.get_running_loop().time)


def now() -> float:
    return asyncio.get_running_loop().time()


async def next_key(queue: WorkQueue[str]) -> str | None:
    """The next key and its end at once, as a quick worker does it."""
    key = await queue.get()
    if key is not None:
        queue.done(key)
    return key


def test_a_key_added_many_times_comes_once() -> None:
    async def main() -> None:
        queue = new_queue()
        for _ in range(3):
            queue.add("a")
        queue.add("b")
        assert [await next_key(queue), await next_key(queue)] == ["a", "b"]
        assert len(queue) == 0

    run(main())


@pytest.mark.parametrize("order", [(5.0, 60.0), (60.0, 5.0)])
def test_the_earliest_wish_wins_and_is_the_only_one(order: tuple[float, float]) -> None:
    async def main() -> None:
        queue, start = new_queue(), now()
        for after in order:
            queue.add("a", after=after)
        assert await next_key(queue) == "a"
        assert now() - start == pytest.approx(5.0)
        queue.add("end", after=100.0)
        assert await next_key(queue) == "end"
        assert now() - start == pytest.approx(105.0)

    run(main())


def test_a_waiting_worker_is_roused_by_an_earlier_key() -> None:
    async def main() -> None:
        queue, start = new_queue(), now()
        queue.add("late", after=60.0)
        worker = asyncio.create_task(next_key(queue))
        await asyncio.sleep(10.0)
        queue.add("soon", after=1.0)
        assert await worker == "soon"
        assert now() - start == pytest.approx(11.0)

    run(main())


def test_a_key_in_work_is_not_handed_out_and_comes_again_after_done() -> None:
    async def main() -> None:
        queue = new_queue()
        queue.add("a")
        assert await queue.get() == "a"
        queue.add("a")
        other = asyncio.create_task(queue.get())
        await asyncio.sleep(100.0)
        assert not other.done()
        queue.done("a")
        assert await other == "a"

    run(main())


def test_what_was_added_during_work_keeps_its_time() -> None:
    async def main() -> None:
        queue, start = new_queue(), now()
        queue.add("a")
        assert await queue.get() == "a"
        queue.add("a", after=30.0)
        await asyncio.sleep(10.0)
        queue.add("a", after=60.0)  # no earlier wish: no change
        queue.done("a")
        assert await queue.get() == "a"
        assert now() - start == pytest.approx(30.0)

    run(main())


def test_done_without_a_new_wish_ends_it() -> None:
    async def main() -> None:
        queue = new_queue()
        queue.add("a")
        assert await queue.get() == "a"
        queue.done("a")
        queue.done("a")
        worker = asyncio.create_task(queue.get())
        await asyncio.sleep(1000.0)
        assert not worker.done()
        queue.close()
        assert await worker is None

    run(main())


def test_close_ends_all_waiting_workers_and_hands_out_nothing_more() -> None:
    async def main() -> None:
        queue = new_queue()
        queue.add("later", after=5.0)
        workers = [asyncio.create_task(queue.get()) for _ in range(3)]
        await turns()
        queue.close()
        assert await asyncio.gather(*workers) == [None, None, None]
        queue.add("now")
        assert await queue.get() is None

    run(main())


def test_forget_drops_a_plan_and_a_new_wish_counts_again() -> None:
    async def main() -> None:
        queue = new_queue()
        queue.add("a", after=5.0)
        queue.forget("a")
        queue.forget("never seen")
        worker = asyncio.create_task(queue.get())
        await asyncio.sleep(10.0)
        assert not worker.done()
        queue.add("a")
        assert await worker == "a"

    run(main())


def test_keys_that_are_due_come_in_the_order_of_their_times() -> None:
    async def main() -> None:
        queue = new_queue()
        for after, key in ((3.0, "c"), (1.0, "a"), (2.0, "b")):
            queue.add(key, after=after)
        await asyncio.sleep(10.0)
        assert [await next_key(queue) for _ in range(3)] == ["a", "b", "c"]

    run(main())


def test_a_key_that_asks_again_at_once_does_not_starve_others() -> None:
    async def main() -> None:
        queue = new_queue()
        for key in ("greedy", "b", "c"):
            queue.add(key)
        seen = []
        for _ in range(4):
            taken = await queue.get()
            assert taken is not None
            seen.append(taken)
            if taken == "greedy":
                queue.add(taken)
            queue.done(taken)
        assert seen == ["greedy", "b", "c", "greedy"]

    run(main())


def test_many_keys_at_once_go_to_all_idle_workers() -> None:
    async def main() -> None:
        queue = new_queue()
        workers = [asyncio.create_task(queue.get()) for _ in range(5)]
        await turns()
        for number in range(5):
            queue.add(f"key-{number}", after=7.0)
        assert sorted(str(key) for key in await asyncio.gather(*workers)) == [f"key-{number}" for number in range(5)]

    run(main())


def test_a_cancelled_worker_takes_no_key_and_no_alarm_with_it() -> None:
    """Cancelled while it waited, or after it was roused: another one takes over."""

    async def main() -> None:
        queue, start = new_queue(), now()
        queue.add("a", after=5.0)
        first = asyncio.create_task(queue.get())
        await turns()
        second = asyncio.create_task(queue.get())
        third = asyncio.create_task(queue.get())
        await turns()
        first.cancel()
        await asyncio.sleep(1.0)
        queue.add("b")
        second.cancel()
        await turns()
        assert await third == "b"
        assert await queue.get() == "a"
        assert now() - start == pytest.approx(5.0)
        results = await asyncio.gather(first, second, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)

    run(main())


def test_ready_counts_what_is_due_and_waits() -> None:
    async def main() -> None:
        queue = new_queue()
        queue.add("now")
        queue.add("too")
        queue.add("later", after=5.0)
        assert (queue.ready, len(queue)) == (2, 3)
        assert await queue.get() == "now"
        queue.add("now")
        assert (queue.ready, len(queue)) == (1, 3)  # it is being worked on
        queue.done("now")
        assert queue.ready == 2
        await asyncio.sleep(6.0)
        assert queue.ready == 3

    run(main())


def test_a_negative_delay_is_now() -> None:
    async def main() -> None:
        queue, start = new_queue(), now()
        queue.add("a", after=-5.0)
        assert await queue.get() == "a"
        assert now() == start

    run(main())


def test_old_plans_do_not_pile_up() -> None:
    """A key that is planned far ahead and always seen earlier leaves no growing trail."""

    async def main() -> None:
        queue = new_queue()
        for _ in range(5000):
            queue.add("a", after=1e6)
            queue.add("a")
            assert await next_key(queue) == "a"
        assert len(queue._heap) < 2000

    run(main())


def test_a_key_rouses_one_idle_worker_not_all() -> None:
    async def main() -> None:
        turns_taken = 0

        class Counting(WorkQueue[str]):
            def _pop(self) -> tuple[str | None, float | None]:
                nonlocal turns_taken
                turns_taken += 1
                return super()._pop()

        queue = Counting(clock=asyncio.get_running_loop().time)
        workers = [asyncio.create_task(queue.get()) for _ in range(64)]
        await turns()
        turns_taken = 0
        queue.add("a", after=3.0)
        await asyncio.sleep(10.0)
        assert sum(worker.done() for worker in workers) == 1
        assert turns_taken < 6
        queue.close()
        await asyncio.gather(*workers)

    run(main())

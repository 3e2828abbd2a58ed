"""The shares of the receiver: memory of bodies, and time for signatures."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import pytest
from meetingbots.receiver.fairness import (
    LARGE_BYTES,
    ROUND_BYTES,
    ROUND_TURNS,
    BodyBudget,
    FairGate,
    LaneSlots,
    RequestRefusal,
)


@dataclass
class Body:
    """A body that has arrived and stays in memory until `end`."""

    end: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[int] | None = None

    async def result(self) -> int:
        """0, or the status of the refusal."""
        assert self.task is not None
        self.end.set()
        return await self.task


async def arrive(budget: BodyBudget, lane: str, size: int) -> Body:
    body, arrived = Body(), asyncio.Event()

    async def hold() -> int:
        try:
            async with budget.reserve(lane) as reservation:
                try:
                    reservation.grow(size)
                finally:
                    arrived.set()
                await body.end.wait()
        except RequestRefusal as refusal:
            return refusal.status
        return 0

    body.task = asyncio.create_task(hold())
    await arrived.wait()
    await asyncio.sleep(0)
    return body


async def test_the_largest_body_of_a_full_lane_is_dropped() -> None:
    budget = BodyBudget(total=1000, lane=100)
    large, small = await arrive(budget, "a", 70), await arrive(budget, "a", 30)
    newest = await arrive(budget, "a", 1)
    assert [await body.result() for body in (large, small, newest)] == [503, 0, 0]


async def test_the_newest_body_is_dropped_if_it_is_the_largest() -> None:
    budget = BodyBudget(total=1000, lane=100)
    small, large = await arrive(budget, "a", 30), await arrive(budget, "a", 71)
    assert [await body.result() for body in (small, large)] == [0, 503]


async def test_a_full_lane_costs_the_others_nothing() -> None:
    budget = BodyBudget(total=1000, lane=100)
    flood = [await arrive(budget, "flood", 90) for _ in range(20)]
    other = await arrive(budget, "other", 100)
    assert await other.result() == 0
    assert [await body.result() for body in flood].count(503) == 19


async def test_at_the_total_limit_the_fullest_lane_pays() -> None:
    budget = BodyBudget(total=150, lane=100)
    flood = [await arrive(budget, "flood", 30) for _ in range(3)]
    others = [await arrive(budget, f"other-{number}", 30) for number in range(3)]
    assert [await body.result() for body in others] == [0, 0, 0]
    assert [await body.result() for body in flood].count(503) == 1


async def test_room_is_free_again_after_the_request() -> None:
    budget = BodyBudget(total=100, lane=100)
    for _ in range(50):
        body = await arrive(budget, "a", 100)
        assert await body.result() == 0


async def test_a_timeout_of_the_request_itself_is_not_a_refusal() -> None:
    budget = BodyBudget(total=100, lane=100)

    async def hold() -> None:
        async with budget.reserve("a"):
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(hold(), 0.01)


async def order_of(*requests: tuple[str, int]) -> list[tuple[str, int]]:
    """The order in which requests (lane, size) that wait at the same time get their turns."""
    gate, order = FairGate(), list[tuple[str, int]]()

    async def process(lane: str, size: int) -> None:
        await gate.turn(lane, size=size)
        order.append((lane, size))

    await asyncio.gather(*(process(lane, size) for lane, size in requests))
    return order


async def test_lanes_take_turns_however_many_requests_one_has() -> None:
    order = await order_of(*[("flood", 10)] * 100, ("other", 10))
    assert order.index(("other", 10)) == 1


async def test_within_a_lane_the_smallest_body_is_first() -> None:
    order = await order_of(*[("a", 1_000_000)] * 5, ("a", 100))
    assert order[0] == ("a", 100)


async def test_the_event_loop_serves_everything_else_between_two_rounds() -> None:
    gate, passed = FairGate(), 0

    async def other() -> None:
        nonlocal passed
        while True:
            passed += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await asyncio.gather(*(gate.turn("a", size=LARGE_BYTES) for _ in range(50 * ROUND_BYTES // LARGE_BYTES)))
    assert passed >= 50
    task.cancel()


async def test_large_bodies_get_a_quarter_of_the_time() -> None:
    gate, loop, busy = FairGate(), asyncio.get_running_loop(), 0.0
    started = loop.time()

    async def process() -> None:
        nonlocal busy
        await gate.turn("flood", size=LARGE_BYTES + 1)
        before = time.perf_counter()
        while time.perf_counter() - before < 0.005:
            pass
        busy += time.perf_counter() - before

    await asyncio.gather(*(process() for _ in range(20)))
    assert busy / (loop.time() - started) < 0.4


async def test_a_small_body_does_not_wait_while_large_ones_rest() -> None:
    gate, order = FairGate(), list[str]()

    async def process(name: str, size: int) -> None:
        await gate.turn(name, size=size)
        order.append(name)
        if size > LARGE_BYTES:
            time.sleep(0.02)  # noqa: ASYNC251 - work that blocks the event loop

    large = [asyncio.create_task(process("large", LARGE_BYTES + 1)) for _ in range(3)]
    await asyncio.sleep(0.03)
    await asyncio.wait_for(process("small", 10), 0.05)
    assert order == ["large", "small"]
    await asyncio.gather(*large)


async def test_small_requests_share_a_round() -> None:
    gate, passed = FairGate(), 0

    async def other() -> None:
        nonlocal passed
        while True:
            passed += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    await asyncio.gather(*(gate.turn("a", size=1) for _ in range(ROUND_TURNS * 3)))
    assert passed < 10
    task.cancel()


async def test_a_round_has_few_turns_however_small_the_bodies_are() -> None:
    gate = FairGate()
    waiting = [asyncio.create_task(gate.turn(f"app-{number % 3}", size=1)) for number in range(3 * ROUND_TURNS)]
    granted = 0
    while granted < len(waiting):
        await asyncio.sleep(0)
        before, granted = granted, sum(task.done() for task in waiting)
        assert granted - before <= ROUND_TURNS


async def test_a_cancelled_request_takes_no_turn() -> None:
    gate = FairGate()
    waiting = [asyncio.create_task(gate.turn("a", size=1)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.gather(*waiting[1:])
    await asyncio.wait_for(gate.turn("a", size=1), 1)


async def test_slots_of_a_lane_are_bounded_and_free_again() -> None:
    slots, inside, most = LaneSlots(slots=2), 0, 0

    async def write(lane: str) -> None:
        nonlocal inside, most
        async with slots.slot(lane):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(write("a") for _ in range(10)))
    assert most == 2
    async with slots.slot("a"), slots.slot("a"):
        await asyncio.wait_for(write("b"), 1)
    assert not slots._lanes

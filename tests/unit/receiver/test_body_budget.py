from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from meetingbots.receiver.body_budget import BodyBudget
from meetingbots.receiver.refusal import RequestRefusal


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

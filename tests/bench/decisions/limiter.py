"""0003: our limiter beside one that serves in order of arrival, on a clock that jumps."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from meetingbots.zoom.http.calls import Category, Priority
from meetingbots.zoom.limits.account_rate import AccountAllowance
from meetingbots.zoom.limits.limiter import AccountLimiter

from tests.unit import virtual_time

_BOTS: Final = 30
_READS: Final = 300


def figures() -> Iterator[str]:
    """When the last join token of a burst is requested that comes behind reads of meetings."""
    ours = virtual_time.run(_burst(reads=Priority.SYNC))
    in_order = virtual_time.run(_burst(reads=Priority.BOT))
    yield (
        f"{_BOTS} bots behind {_READS} reads of one Pro account at 50 %: last join token after {ours:.1f} s, "
        f"in order of arrival after {in_order:.1f} s"
    )


async def _burst(*, reads: Priority) -> float:
    clock = asyncio.get_running_loop().time
    limiter = AccountLimiter(
        allowance=lambda _: AccountAllowance(),
        clock=clock,
        utc=lambda: datetime(2030, 1, 1, 12, tzinfo=UTC),
        patience=dict.fromkeys(Priority, 1000.0),
    )
    began = clock()

    async def call(priority: Priority) -> float:
        permit = await limiter.acquire(account="a", category=Category.LIGHT, priority=priority)
        waited = clock() - began
        permit.end(None)
        return waited

    reading = [asyncio.create_task(call(reads)) for _ in range(_READS)]
    await virtual_time.turns()
    tokens = await asyncio.gather(*(call(Priority.BOT) for _ in range(_BOTS)))
    await asyncio.gather(*reading)
    return max(tokens)

"""Bounds the memory of request bodies before their signature is verified."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from meetingbots.receiver.refusal import RequestRefusal

TOTAL_BYTES: Final = 64 * 1024 * 1024
LANE_BYTES: Final = 16 * 1024 * 1024
"""For each lane, so that a flood for one app leaves room for the others."""


class BodyBudget:
    """Drops the largest body when a limit is exceeded, so that Zoom's small events pass while large bodies arrive."""

    def __init__(self, *, total: int = TOTAL_BYTES, lane: int = LANE_BYTES) -> None:
        self._total_limit = total
        self._lane_limit = lane
        self._bodies: dict[str, set[Reservation]] = {}
        self._used: Counter[str] = Counter()

    @asynccontextmanager
    async def reserve(self, lane: str) -> AsyncIterator[Reservation]:
        """Count a body while the context lasts. Raises `RequestRefusal` when it is dropped."""
        reservation: Reservation | None = None
        try:
            async with asyncio.timeout(None) as timeout:
                reservation = Reservation(budget=self, lane=lane, timeout=timeout)
                self._bodies.setdefault(lane, set()).add(reservation)
                yield reservation
        except TimeoutError:
            if reservation is not None and reservation.dropped:
                raise _overloaded() from None
            raise
        finally:
            if reservation is not None:
                self._release(reservation)

    def add(self, reservation: Reservation, size: int) -> None:
        """Count more bytes; then drop the largest body of the fullest lane until both limits hold."""
        reservation.size += size
        self._used[reservation.lane] += size
        while self._used[reservation.lane] > self._lane_limit or self._used.total() > self._total_limit:
            fullest = max(self._used, key=lambda lane: self._used[lane])
            largest = max(self._bodies[fullest], key=lambda body: body.size)
            self._used[fullest] -= largest.size
            largest.drop()

    def _release(self, reservation: Reservation) -> None:
        lane = reservation.lane
        self._used[lane] -= reservation.size
        self._bodies[lane].discard(reservation)
        if not self._bodies[lane]:
            del self._bodies[lane], self._used[lane]


class Reservation:
    """The bytes of one body, counted as they arrive."""

    def __init__(self, *, budget: BodyBudget, lane: str, timeout: asyncio.Timeout) -> None:
        self._budget = budget
        self._timeout = timeout
        self.lane = lane
        self.size = 0
        self.dropped = False

    def grow(self, size: int) -> None:
        """Count `size` more bytes. Raises `RequestRefusal` if this body is the one to drop."""
        self._budget.add(self, size)
        if self.dropped:
            raise _overloaded()

    def drop(self) -> None:
        """End the request at its next await."""
        self.dropped, self.size = True, 0
        self._timeout.reschedule(asyncio.get_running_loop().time())


def _overloaded() -> RequestRefusal:
    return RequestRefusal(503, "overloaded", "too many large requests")

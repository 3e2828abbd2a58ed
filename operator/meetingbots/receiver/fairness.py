"""Shares the receiver fairly among apps: memory of bodies, time for signatures, and writes.

A lane is the share of one app or namespace.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import Final, TypeAlias

TOTAL_BYTES: Final = 64 * 1024 * 1024
LANE_BYTES: Final = 16 * 1024 * 1024
"""For each lane, so that a flood for one app leaves room for the others."""
ROUND_BYTES: Final = 256 * 1024
"""Work for one iteration of the event loop: about 0.3 ms of HMAC."""
ROUND_TURNS: Final = 32
LARGE_BYTES: Final = 64 * 1024
"""Larger than nearly all events of Zoom."""
REST: Final = 3.0
"""After work on a large body the next one waits this many times as long: large bodies get a quarter of the time."""
_Turn: TypeAlias = tuple[int, int, "asyncio.Future[None]"]
SLOTS: Final = 16
"""For each lane, of the connections to the API server."""


class RequestRefusal(Exception):  # noqa: N818 - an answer, not an error
    """Answer with `status`. `result` labels the metric; `text` contains nothing secret."""

    def __init__(self, status: int, result: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.result = result
        self.text = text


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


class FairGate:
    """Grants turns to lanes one after the other; within a lane, the smallest body first.

    Work in a turn must not await. Between two rounds of turns the event loop serves everything else.
    """

    def __init__(self) -> None:
        self._lanes: dict[str, list[_Turn]] = {}
        self._order: deque[str] = deque()
        self._numbers = count()
        self._next_round: asyncio.Handle | None = None
        self._large_started: float | None = None
        self._large_allowed = 0.0

    async def turn(self, lane: str, *, size: int) -> None:
        """Wait for a turn to process `size` bytes."""
        granted = asyncio.get_running_loop().create_future()
        if lane not in self._lanes:
            self._lanes[lane] = []
            self._order.append(lane)
        heapq.heappush(self._lanes[lane], (size, next(self._numbers), granted))
        if self._next_round is None or (size <= LARGE_BYTES and isinstance(self._next_round, asyncio.TimerHandle)):
            self._schedule(0.0)
        await granted

    def _round(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._large_started is not None:
            self._large_allowed = now + REST * (now - self._large_started)
            self._large_started = None
        size = turns = resting = 0
        while resting < len(self._order) and size < ROUND_BYTES and turns < ROUND_TURNS:
            lane = self._order.popleft()
            wanted, _, granted = self._lanes[lane][0]
            if wanted > LARGE_BYTES and (self._large_started is not None or now < self._large_allowed):
                self._order.append(lane)
                resting += 1
                continue
            self._pop(lane)
            if granted.done():  # its request was cancelled
                continue
            granted.set_result(None)
            size += wanted
            turns += 1
            if wanted > LARGE_BYTES:
                self._large_started = now
        self._next_round = None
        if self._large_started is not None or resting < len(self._order):
            self._schedule(0.0)
        elif self._order:
            self._schedule(self._large_allowed - now)

    def _pop(self, lane: str) -> None:
        heapq.heappop(self._lanes[lane])
        if self._lanes[lane]:
            self._order.append(lane)
        else:
            del self._lanes[lane]

    def _schedule(self, delay: float) -> None:
        loop = asyncio.get_running_loop()
        if self._next_round is not None:
            self._next_round.cancel()
        self._next_round = loop.call_later(delay, self._round) if delay > 0 else loop.call_soon(self._round)


class LaneSlots:
    """A semaphore for each lane that is in use."""

    def __init__(self, *, slots: int = SLOTS) -> None:
        self._slots = slots
        self._lanes: dict[str, asyncio.Semaphore] = {}
        self._users: dict[str, int] = {}

    @asynccontextmanager
    async def slot(self, lane: str) -> AsyncIterator[None]:
        """Hold a slot of the lane while the context lasts."""
        semaphore = self._lanes.setdefault(lane, asyncio.Semaphore(self._slots))
        self._users[lane] = self._users.get(lane, 0) + 1
        try:
            async with semaphore:
                yield
        finally:
            self._users[lane] -= 1
            if not self._users[lane]:
                del self._users[lane], self._lanes[lane]

"""Shares the event loop's time fairly among apps, before and while a signature is verified."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from itertools import count
from typing import Final, TypeAlias

ROUND_BYTES: Final = 256 * 1024
"""Work for one iteration of the event loop: about 0.3 ms of HMAC."""
ROUND_TURNS: Final = 32
LARGE_BYTES: Final = 64 * 1024
"""Larger than nearly all events of Zoom."""
REST: Final = 3.0
"""After work on a large body the next one waits this many times as long: large bodies get a quarter of the time."""
_Turn: TypeAlias = tuple[int, int, "asyncio.Future[None]"]


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

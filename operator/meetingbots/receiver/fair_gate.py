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
_Turn: TypeAlias = tuple[int, int, "asyncio.Future[None]"]


class FairGate:
    """Grants turns to lanes one after the other; within a lane, the smallest body first.

    Work in a turn must not await. Between two rounds of turns the event loop serves everything else.
    """

    def __init__(self) -> None:
        self._lanes: dict[str, list[_Turn]] = {}
        self._order: deque[str] = deque()
        self._numbers = count()
        self._scheduled = False

    async def turn(self, lane: str, *, size: int) -> None:
        """Wait for a turn to process `size` bytes."""
        loop = asyncio.get_running_loop()
        granted = loop.create_future()
        if lane not in self._lanes:
            self._lanes[lane] = []
            self._order.append(lane)
        heapq.heappush(self._lanes[lane], (size, next(self._numbers), granted))
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._round)
        await granted

    def _round(self) -> None:
        size = turns = 0
        while self._order and size < ROUND_BYTES and turns < ROUND_TURNS:
            lane = self._order.popleft()
            waiting = self._lanes[lane]
            bytes_wanted, _, granted = heapq.heappop(waiting)
            if waiting:
                self._order.append(lane)
            else:
                del self._lanes[lane]
            if not granted.done():  # else its request was cancelled
                granted.set_result(None)
                size += bytes_wanted
                turns += 1
        self._scheduled = bool(self._order)
        if self._scheduled:
            asyncio.get_running_loop().call_soon(self._round)

"""Bounds how many events of one app are written at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

SLOTS: Final = 16
"""For each lane, of the connections to the API server."""


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

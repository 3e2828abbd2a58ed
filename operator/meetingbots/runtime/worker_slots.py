"""How much is worked on at once, not counting who merely waits for a turn at Zoom.

One customer's thousand bots wait for their account's rate limit; they must not keep everybody else's waiting with
them. Whoever waits lends the slot to the next key. Whose turn has come takes a slot before all who are to begin, and
asks Zoom only then: a token that was asked for is delivered at once, however much there is to do.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

_HELD: ContextVar[_Slot | None] = ContextVar("meetingbots_slot", default=None)


class Slots:
    """So many may work at once."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._beginning: deque[asyncio.Future[None]] = deque()
        self._returning: deque[asyncio.Future[None]] = deque()

    async def enter(self, *, returning: bool = False) -> None:
        """Take a slot, once there is one. It belongs to the work that is then done under `held`."""
        if self._free > 0:
            self._free -= 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._returning if returning else self._beginning).append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Give a slot back: to who waits for one, or else to whoever comes."""
        for queue in (self._returning, self._beginning):
            while queue:
                waiter = queue.popleft()
                if not waiter.done():
                    waiter.set_result(None)
                    return
        self._free += 1

    @contextmanager
    def held(self) -> Iterator[None]:
        """What is done within, also by tasks that it starts, uses the slot that was entered; it is left at the end."""
        slot = _Slot(self)
        before = _HELD.set(slot)
        try:
            yield
        finally:
            _HELD.reset(before)
            slot.close()


class _Slot:
    """A slot in use; lent while any part of the work waits (tokens of several kinds are asked for side by side)."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._waits = 0
        self._has = True
        self._open = True
        self._entering = False

    def lend(self) -> None:
        self._waits += 1
        if self._has:
            self._has = False
            self._slots.leave()

    async def take_back(self) -> None:
        self._waits -= 1
        if self._waits or self._has or self._entering or not self._open:
            return
        self._entering = True
        try:
            await self._slots.enter(returning=True)
        finally:
            self._entering = False
        if self._open:
            self._has = True
        else:
            self._slots.leave()

    def close(self) -> None:
        """The work is over; what it left running for others uses no slot any more."""
        self._open = False
        if self._has:
            self._has = False
            self._slots.leave()


@asynccontextmanager
async def lent() -> AsyncIterator[None]:
    """While this work waits for a turn, its slot is another's. Does nothing outside of a slot."""
    slot = _HELD.get()
    if slot is None:
        yield
        return
    slot.lend()
    try:
        yield
    finally:
        await slot.take_back()

"""The number of keys in work at once, without those that wait for a rate limit at Zoom.

A tenant's thousand bots wait for their account's rate limit and must not block the bots of other accounts. A waiting
task lends its slot to the next key. When its turn comes it gets a slot before all keys that are to start, and only
then calls Zoom: the token that it receives is delivered at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

_HELD: ContextVar[_Slot | None] = ContextVar("meetingbots_slot", default=None)


def _nothing() -> None: ...


class Slots:
    """A semaphore in which returning tasks go before starting ones."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._starting: deque[asyncio.Future[None]] = deque()
        self._returning: deque[asyncio.Future[None]] = deque()

    async def enter(self, *, returning: bool = False) -> None:
        """Wait for a slot; the work under `held` uses it."""
        if self._free > 0:
            self._free -= 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._returning if returning else self._starting).append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Return a slot, and wake the next waiter."""
        for queue in (self._returning, self._starting):
            while queue:
                waiter = queue.popleft()
                if not waiter.done():
                    waiter.set_result(None)
                    return
        self._free += 1

    @contextmanager
    def held(
        self, *, on_lend: Callable[[], None] = _nothing, on_return: Callable[[], None] = _nothing
    ) -> Iterator[None]:
        """The work within, and the tasks that it starts, use the entered slot; the end leaves it.

        `on_lend` and `on_return` run when the work lends the slot and when it has one again.
        """
        slot = _Slot(self, on_lend=on_lend, on_return=on_return)
        before = _HELD.set(slot)
        try:
            yield
        finally:
            _HELD.reset(before)
            slot.close()


class _Slot:
    """A slot in use, lent while any part of the work waits (tokens of several kinds are fetched in parallel)."""

    def __init__(self, slots: Slots, *, on_lend: Callable[[], None], on_return: Callable[[], None]) -> None:
        self._slots = slots
        self._on_lend = on_lend
        self._on_return = on_return
        self._waits = 0
        self._has = True
        self._open = True
        self._entering = False

    def lend(self) -> None:
        self._waits += 1
        if self._has:
            self._has = False
            self._on_lend()
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
            self._on_return()
        else:
            self._slots.leave()

    def close(self) -> None:
        """End the work; tasks that it left running use no slot."""
        self._open = False
        if self._has:
            self._has = False
            self._slots.leave()


@asynccontextmanager
async def lent() -> AsyncIterator[None]:
    """Lend the slot of the current work while it waits; does nothing outside of a slot."""
    slot = _HELD.get()
    if slot is None:
        yield
        return
    slot.lend()
    try:
        yield
    finally:
        await slot.take_back()

"""How much is worked on at once, not counting who merely waits for a turn at Zoom.

One customer's thousand bots wait for their account's rate limit; they must not keep everybody else's waiting with
them. Whoever waits lends the slot to the next key, and goes on at once when its turn has come: the turns of an account
are spaced by its limit, so few come back at the same moment.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_HELD: ContextVar[_Slot | None] = ContextVar("meetingbots_slot", default=None)


class Slots:
    """So many may work at once."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Take a slot, once there is one. It belongs to the work that is then done under `held`."""
        while self._free <= 0:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled():
                    self._rouse()
                raise
        self._free -= 1

    def leave(self) -> None:
        """Give a slot back."""
        self._free += 1
        self._rouse()

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

    def take_back(self) -> None:
        """Have a lent slot again at once, though there may be more at work than there are slots for a moment."""
        self._free -= 1

    def _rouse(self) -> None:
        while self._waiting and self._free > 0:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return


class _Slot:
    """A slot in use; lent while any part of the work waits (tokens of several kinds are asked for side by side)."""

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._waits = 0
        self._open = True

    def lend(self) -> None:
        self._waits += 1
        if self._open and self._waits == 1:
            self._slots.leave()

    def take_back(self) -> None:
        self._waits -= 1
        if self._open and self._waits == 0:
            self._slots.take_back()

    def close(self) -> None:
        """The work is over; what it left running for others uses no slot any more."""
        self._open = False
        if self._waits == 0:
            self._slots.leave()


@contextmanager
def lent() -> Iterator[None]:
    """While this work waits for a turn, its slot is another's. Does nothing outside of a slot."""
    slot = _HELD.get()
    if slot is None:
        yield
        return
    slot.lend()
    try:
        yield
    finally:
        slot.take_back()

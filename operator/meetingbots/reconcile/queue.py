"""The delay queue between what happened and what is done about it.

Events and timers only put keys here. A key waits once, however often it was added; the earliest wish wins; a key that
is being worked on is not handed out a second time, but comes again afterwards when something happened meanwhile.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class DelayQueue(Generic[K]):
    """A deduplicating queue of keys with due times; `clock` gives monotonic seconds (an event loop's `time`)."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._working: set[K] = set()
        self._order = 0
        self._changed = asyncio.Event()
        self._closed = False

    def add(self, key: K, *, after: float = 0.0) -> None:
        """Ask for `key` in `after` seconds, or earlier if it was to come earlier anyway."""
        due = self._clock() + max(0.0, after)
        if self._due.get(key, float("inf")) <= due:
            return
        self._due[key] = due
        if key not in self._working:
            self._push(due, key)

    async def get(self) -> K | None:
        """The next key that is due, to be given back with `done`; None once the queue is closed."""
        while not self._closed:
            key, wait = self._pop()
            if key is not None:
                return key
            self._changed.clear()
            try:
                async with asyncio.timeout(wait):
                    await self._changed.wait()
            except TimeoutError:
                continue
        return None

    def done(self, key: K) -> None:
        """Work on `key` is over; what was added meanwhile counts from now on."""
        self._working.discard(key)
        due = self._due.get(key)
        if due is not None:
            self._push(due, key)

    def forget(self, key: K) -> None:
        """Drop a planned visit: the object is gone."""
        self._due.pop(key, None)

    def close(self) -> None:
        """Hand out no more keys: the process ends."""
        self._closed = True
        self._changed.set()

    @property
    def ready(self) -> int:
        """How many keys are due and wait for a worker."""
        now = self._clock()
        return sum(1 for key, due in self._due.items() if due <= now and key not in self._working)

    def __len__(self) -> int:
        return len(self._due)

    def _push(self, due: float, key: K) -> None:
        self._order += 1
        heapq.heappush(self._heap, (due, self._order, key))
        self._changed.set()

    def _pop(self) -> tuple[K | None, float | None]:
        now = self._clock()
        while self._heap:
            due, _, key = self._heap[0]
            # Entries whose key was moved, dropped or is being worked on are left-overs.
            if self._due.get(key) != due or key in self._working:
                heapq.heappop(self._heap)
                continue
            if due > now:
                return None, due - now
            heapq.heappop(self._heap)
            del self._due[key]
            self._working.add(key)
            # Wake the next waiter: several keys may be due at once.
            self._changed.set()
            return key, None
        return None, None

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

_LEFTOVERS = 1000


class WorkQueue(Generic[K]):
    """A deduplicating queue of keys with due times; `clock` gives monotonic seconds (an event loop's `time`)."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._working: set[K] = set()
        self._order = 0
        self._sleepers: dict[asyncio.Future[None], None] = {}
        self._keeper: asyncio.Future[None] | None = None
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
                self._hand_over()
                return key
            await self._sleep(wait)
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
        for sleeper in list(self._sleepers):
            self._rouse(sleeper)

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
        if len(self._heap) > 2 * len(self._due) + _LEFTOVERS:
            self._sweep()
        self._rouse(self._keeper or next(iter(self._sleepers), None))

    def _sweep(self) -> None:
        # Keys that are always seen long before their plan would leave their old plans here until these are due.
        self._heap = [entry for entry in self._heap if self._is_valid(entry[0], entry[2])]
        heapq.heapify(self._heap)

    def _is_valid(self, due: float, key: K) -> bool:
        # Entries whose key was moved, dropped or is being worked on are left-overs.
        return self._due.get(key) == due and key not in self._working

    def _pop(self) -> tuple[K | None, float | None]:
        now = self._clock()
        while self._heap:
            due, _, key = self._heap[0]
            if not self._is_valid(due, key):
                heapq.heappop(self._heap)
                continue
            if due > now:
                return None, due - now
            heapq.heappop(self._heap)
            del self._due[key]
            self._working.add(key)
            return key, None
        return None, None

    async def _sleep(self, wait: float | None) -> None:
        # One sleeper keeps the time for all, and whoever gets a key rouses the next: a key costs one wake-up, not one
        # for each idle worker.
        loop = asyncio.get_running_loop()
        sleeper: asyncio.Future[None] = loop.create_future()
        self._sleepers[sleeper] = None
        timer = None
        if self._keeper is None:
            self._keeper = sleeper
            timer = None if wait is None else loop.call_later(wait, self._rouse, sleeper)
        try:
            await sleeper
        except asyncio.CancelledError:
            self._rouse(sleeper)
            self._hand_over()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _hand_over(self) -> None:
        if self._keeper is None:
            self._rouse(next(iter(self._sleepers), None))

    def _rouse(self, sleeper: asyncio.Future[None] | None) -> None:
        if sleeper is None:
            return
        self._sleepers.pop(sleeper, None)
        if sleeper is self._keeper:
            self._keeper = None
        if not sleeper.done():
            sleeper.set_result(None)

"""A deduplicating delay queue, like client-go's workqueue, in which no tenant can use up the workers.

Events and timers only add keys. A key is queued once, for the earliest time of all adds. A key in work is not handed
out again before `done`; one that was added meanwhile comes again after it.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeAlias, TypeVar

K = TypeVar("K", bound=Hashable)
Entry: TypeAlias = tuple[float, int, K]
_SUPERSEDED = 1000


class TenantShares(Generic[K]):
    """Counts the keys in work by tenant.

    `active` bounds a tenant's keys that use a worker, `begun` those and the paused ones. Without `limit` there are no
    bounds.
    """

    def __init__(self, tenant: Callable[[K], Hashable]) -> None:
        self._tenant = tenant
        self._most_active = self._most_begun = float("inf")
        self._active: Counter[Hashable] = Counter()
        self._begun: Counter[Hashable] = Counter()
        self._paused: set[K] = set()
        self._held: defaultdict[Hashable, deque[Entry[K]]] = defaultdict(deque)

    def limit(self, *, active: int, begun: int) -> None:
        """Set the bounds for each tenant."""
        self._most_active, self._most_begun = active, begun

    def begin(self, key: K) -> bool:
        """Count `key`, unless its tenant has its share; return whether it was counted."""
        tenant = self._tenant(key)
        if self._active[tenant] >= self._most_active or self._begun[tenant] >= self._most_begun:
            return False
        self._active[tenant] += 1
        self._begun[tenant] += 1
        return True

    def end(self, key: K) -> None:
        """Count `key` no more."""
        tenant = self._tenant(key)
        if key in self._paused:
            self._paused.discard(key)
        else:
            self._subtract(self._active, tenant)
        self._subtract(self._begun, tenant)

    def pause(self, key: K) -> None:
        """Count `key` as begun only."""
        if key not in self._paused:
            self._paused.add(key)
            self._subtract(self._active, self._tenant(key))

    def resume(self, key: K) -> None:
        """Count `key` as active again."""
        if key in self._paused:
            self._paused.discard(key)
            self._active[self._tenant(key)] += 1

    def hold(self, entry: Entry[K]) -> None:
        """Keep an entry of the queue until its tenant is below its share."""
        self._held[self._tenant(entry[2])].append(entry)

    def release(self, key: K) -> Entry[K] | None:
        """The oldest held entry of this key's tenant; None if there is none or the tenant still has its share."""
        tenant = self._tenant(key)
        if self._active[tenant] >= self._most_active or self._begun[tenant] >= self._most_begun:
            return None
        waiting = self._held.get(tenant)
        if not waiting:
            self._held.pop(tenant, None)
            return None
        return waiting.popleft()

    @staticmethod
    def _subtract(counter: Counter[Hashable], tenant: Hashable) -> None:
        counter[tenant] -= 1
        if counter[tenant] <= 0:
            del counter[tenant]


class WorkQueue(Generic[K]):
    """A queue of keys with due times; `clock` gives monotonic seconds.

    `tenant` gives the tenant of a key, whose share of the workers `shares` bounds: a key of a tenant that has its share
    waits, and the keys of other tenants pass it.
    """

    def __init__(self, *, clock: Callable[[], float], tenant: Callable[[K], Hashable] = lambda _: None) -> None:
        self._clock = clock
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._working: set[K] = set()
        self._order = 0
        self._sleepers: dict[asyncio.Future[None], None] = {}
        self._timekeeper: asyncio.Future[None] | None = None
        self._closed = False
        self.shares: TenantShares[K] = TenantShares(tenant)

    def add(self, key: K, *, after: float = 0.0) -> None:
        """Queue `key` for `after` seconds from now, unless it is due earlier already."""
        due = self._clock() + max(0.0, after)
        if self._due.get(key, float("inf")) <= due:
            return
        self._due[key] = due
        if key not in self._working:
            self._order += 1
            self._push(due, self._order, key)

    async def get(self) -> K | None:
        """Wait for the next due key, which the caller returns with `done`; None once the queue is closed."""
        while not self._closed:
            key, wait = self._pop()
            if key is not None:
                self._wake_next()
                return key
            await self._sleep(wait)
        return None

    def done(self, key: K) -> None:
        """End the work on `key`; an add that came meanwhile takes effect."""
        self._working.discard(key)
        due = self._due.get(key)
        if due is not None:
            self._order += 1
            self._push(due, self._order, key)
        self.shares.end(key)
        self._release(key)

    def pause(self, key: K) -> None:
        """The work on `key` waits for something that uses no worker: another key of its tenant may begin."""
        self.shares.pause(key)
        self._release(key)

    def resume(self, key: K) -> None:
        """The work on a paused `key` goes on, even when its tenant has its share in work by now."""
        self.shares.resume(key)

    def forget(self, key: K) -> None:
        """Remove `key` from the queue."""
        self._due.pop(key, None)

    def close(self) -> None:
        """Hand out no more keys."""
        self._closed = True
        for sleeper in list(self._sleepers):
            self._wake(sleeper)

    @property
    def ready(self) -> int:
        """The number of keys that are due and wait for a worker."""
        now = self._clock()
        return sum(1 for key, due in self._due.items() if due <= now and key not in self._working)

    def __len__(self) -> int:
        return len(self._due)

    def _push(self, due: float, order: int, key: K) -> None:
        heapq.heappush(self._heap, (due, order, key))
        if len(self._heap) > 2 * len(self._due) + _SUPERSEDED:
            self._sweep()
        self._wake(self._timekeeper or next(iter(self._sleepers), None))

    def _release(self, key: K) -> None:
        """Put the next waiting key of this key's tenant back among the others."""
        while (entry := self.shares.release(key)) is not None:
            if self._is_valid(entry[0], entry[2]):
                self._push(*entry)
                return

    def _sweep(self) -> None:
        # Without this, superseded entries stay until they are due.
        superseded = [entry for entry in self._heap if not self._is_valid(entry[0], entry[2])]
        self._heap = [entry for entry in self._heap if self._is_valid(entry[0], entry[2])]
        heapq.heapify(self._heap)
        for _, _, key in superseded:
            self._release(key)

    def _is_valid(self, due: float, key: K) -> bool:
        # An entry is superseded when its key was moved, removed or is in work.
        return self._due.get(key) == due and key not in self._working

    def _pop(self) -> tuple[K | None, float | None]:
        now = self._clock()
        while self._heap:
            due, order, key = self._heap[0]
            if not self._is_valid(due, key):
                heapq.heappop(self._heap)
                self._release(key)
                continue
            if due > now:
                return None, due - now
            heapq.heappop(self._heap)
            if not self.shares.begin(key):
                self.shares.hold((due, order, key))
                continue
            del self._due[key]
            self._working.add(key)
            return key, None
        return None, None

    async def _sleep(self, wait: float | None) -> None:
        # One sleeper has the timer, and a worker that gets a key wakes the next: a key costs one wake-up, instead of
        # one for each idle worker.
        loop = asyncio.get_running_loop()
        sleeper: asyncio.Future[None] = loop.create_future()
        self._sleepers[sleeper] = None
        timer = None
        if self._timekeeper is None:
            self._timekeeper = sleeper
            timer = None if wait is None else loop.call_later(wait, self._wake, sleeper)
        try:
            await sleeper
        except asyncio.CancelledError:
            self._wake(sleeper)
            self._wake_next()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def _wake_next(self) -> None:
        if self._timekeeper is None:
            self._wake(next(iter(self._sleepers), None))

    def _wake(self, sleeper: asyncio.Future[None] | None) -> None:
        if sleeper is None:
            return
        self._sleepers.pop(sleeper, None)
        if sleeper is self._timekeeper:
            self._timekeeper = None
        if not sleeper.done():
            sleeper.set_result(None)

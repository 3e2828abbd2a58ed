"""Bounds on what each tenant has in work, so that slow or many keys of one do not stop the others."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeAlias, TypeVar

K = TypeVar("K", bound=Hashable)
Entry: TypeAlias = tuple[float, int, K]


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

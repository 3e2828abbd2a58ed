"""Which calls Zoom may still be counting: the sliding second as seen from this end of the line. Pure.

Zoom counts a call when it arrives there, which is some time between its sending and its answer. So a call takes a place
from its sending until one window after its answer: then no window of Zoom's can hold more calls than there are places,
however long the single calls travel. What every call surely needs for its way is taken off again, so that a slow line
costs no throughput.
"""

from __future__ import annotations

import heapq
from typing import Final

_REMEMBERED_SECONDS: Final = 300.0
_LEARNING_SECONDS: Final = 10.0
_LEARNING_TRIPS: Final = 32
_SURE_PART: Final = 0.8
_UNSURE_SECONDS: Final = 0.005


class Trips:
    """How long calls travel at the least: what remains of the shortest of the last minutes after a good safety margin.

    Only once there have been enough of them for long enough: in a burst all are slow together, and that proves nothing.
    """

    def __init__(self) -> None:
        self._count = 0
        self._since = 0.0
        self._shortest = self._shortest_before = float("inf")
        self._turned = 0.0

    def note(self, now: float, *, seconds: float) -> None:
        """A call has travelled there and back."""
        if self._count == 0:
            self._since = self._turned = now
        self._count += 1
        if now - self._turned > _REMEMBERED_SECONDS:
            self._shortest_before, self._shortest, self._turned = self._shortest, seconds, now
        self._shortest = min(self._shortest, seconds)

    def surely(self, now: float) -> float:
        """Seconds that every call needs for both ways together."""
        if self._count < _LEARNING_TRIPS or now - self._since < _LEARNING_SECONDS:
            return 0.0
        return _SURE_PART * max(0.0, min(self._shortest, self._shortest_before) - _UNSURE_SECONDS)


class Window:
    """The places that are taken; moments are in seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._under_way = 0
        self._frees: list[float] = []
        self._trips = Trips()

    def used(self, now: float) -> int:
        """Places that are taken."""
        while self._frees and self._frees[0] <= now:
            heapq.heappop(self._frees)
        return self._under_way + len(self._frees)

    def begin(self) -> None:
        """A call is sent."""
        self._under_way += 1

    def withdraw(self) -> None:
        """A call that had begun is not sent after all."""
        self._under_way -= 1

    def end(self, now: float, *, began: float, answered: bool, seconds: float) -> None:
        """A call is answered (or given up); its place is free `seconds` later."""
        self._under_way -= 1
        if answered:
            self._trips.note(now, seconds=now - began)
        self.charge(now, seconds=seconds)

    def charge(self, now: float, *, seconds: float) -> None:
        """Somebody made a call just now that nobody announced."""
        heapq.heappush(self._frees, now + seconds - self._trips.surely(now))

    def free_at(self, now: float, *, places: int) -> float | None:
        """When fewer than `places` are taken, if no answer comes before; None: not before one comes."""
        excess = self.used(now) - places
        if excess < 0:
            return now
        return heapq.nsmallest(excess + 1, self._frees)[-1] if excess < len(self._frees) else None

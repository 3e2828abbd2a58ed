"""Limits how often each caller may use the endpoint: a burst, and then one request per interval."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cachetools import TTLCache

_MAX_CALLERS: Final = 10_000


@dataclass(frozen=True)
class CallerLimit:
    """`burst` requests at once, and then one per `seconds_each`."""

    burst: int
    seconds_each: float


@dataclass(frozen=True)
class Allowance:
    """The number of requests that a caller had left at the time `at` (monotonic seconds)."""

    left: float
    at: float


def refilled(known: Allowance | None, *, limit: CallerLimit, now: float) -> Allowance:
    """The allowance at the time `now`. A clock that goes back grants nothing."""
    if known is None:
        return Allowance(left=limit.burst, at=now)
    grown = known.left + max(0.0, now - known.at) / limit.seconds_each
    return Allowance(left=min(float(limit.burst), grown), at=now)


class RateLimiter:
    """The allowances of all callers. A caller that is forgotten has its full allowance again."""

    def __init__(self, limit: CallerLimit, *, monotonic: Callable[[], float]) -> None:
        self._limit = limit
        self._monotonic = monotonic
        self._known: TTLCache[str, Allowance] = TTLCache(
            _MAX_CALLERS, ttl=limit.burst * limit.seconds_each, timer=monotonic
        )

    def wait(self, caller: str) -> float:
        """The seconds until the caller may send its next request; 0 if it may now."""
        return max(0.0, 1 - self._allowance(caller).left) * self._limit.seconds_each

    def take(self, caller: str) -> float:
        """Count a request, unless it is refused: then return the seconds to wait, else 0."""
        wait = self.wait(caller)
        if wait <= 0:
            allowance = self._allowance(caller)
            self._known[caller] = Allowance(left=allowance.left - 1, at=allowance.at)
        return wait

    def _allowance(self, caller: str) -> Allowance:
        return refilled(self._known.get(caller), limit=self._limit, now=self._monotonic())

"""The calls that one Zoom account may make in one category: its plan, the granted share, and the present rate. Pure.

All apps of an account share its limits (Zoom API, Rate limits), so a customer grants a share of them. The rate follows
Zoom's answers: a lower limit, the calls of other apps, a 429 (a pause, then slower for some seconds), and the end of
the day's calls.
"""

from __future__ import annotations

import enum
import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from meetingbots.zoom.http.calls import Category, RateReport

_LIGHT_A_DAY_FREE: Final = 6000
_MEMORY_SECONDS: Final = 300.0
_LEARNING_SECONDS: Final = 10.0
_LEARNING_CALLS: Final = 32
_SAFE_PART: Final = 0.8
_SAFETY_SECONDS: Final = 0.005
_SLOWER: Final = 0.7
_SLOWEST: Final = 0.1
_FASTER_EACH_SECOND: Final = 0.1
_PAUSE_SECONDS: Final = 1.0
_OTHERS_SECONDS: Final = 1.0


class RatePlan(enum.IntEnum):
    """Zoom's plans; a plan with lower limits is a smaller number."""

    FREE = 0
    PRO = 1
    BUSINESS = 2


_PER_SECOND: Final[Mapping[Category, Mapping[RatePlan, int]]] = {
    Category.LIGHT: {RatePlan.FREE: 4, RatePlan.PRO: 30, RatePlan.BUSINESS: 80},
    Category.MEDIUM: {RatePlan.FREE: 2, RatePlan.PRO: 20, RatePlan.BUSINESS: 60},
    Category.HEAVY: {RatePlan.FREE: 1, RatePlan.PRO: 10, RatePlan.BUSINESS: 40},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountAllowance:
    """The granted part of an account's limits: its plan, and the share (over 0, up to 1) of the plan's limits."""

    plan: RatePlan = RatePlan.PRO
    share: float = 0.5

    def per_second(self, category: Category) -> int:
        """Return the account's limit in calls a second."""
        return _PER_SECOND[category][self.plan]

    def per_day(self, category: Category) -> int | None:
        """Return the granted calls of a day (UTC); None: unlimited."""
        if self.plan is not RatePlan.FREE or category is not Category.LIGHT:
            return None
        return max(1, _share_of(_LIGHT_A_DAY_FREE, self.share))


@dataclass(frozen=True, slots=True)
class Pace:
    """At most `calls` in any window of `seconds`."""

    calls: int
    seconds: float


def pace(*, limit: int, share: float) -> Pace:
    """Return the pace that stays within a share of `limit` calls a second.

    A share of less than one call a second becomes one call in a longer window.
    """
    calls = _share_of(limit, share)
    return Pace(calls, 1.0) if calls >= 1 else Pace(1, 1.0 / (limit * share))


def lowest(allowances: Iterable[AccountAllowance]) -> AccountAllowance | None:
    """Return the lowest plan and the smallest share among the allowances; None without any."""
    known = list(allowances)
    if not known:
        return None
    return AccountAllowance(plan=min(one.plan for one in known), share=min(one.share for one in known))


def highest(allowances: Iterable[AccountAllowance]) -> AccountAllowance | None:
    """Return the highest plan and the largest share among the allowances; None without any."""
    known = list(allowances)
    if not known:
        return None
    return AccountAllowance(plan=max(one.plan for one in known), share=max(one.share for one in known))


def _share_of(limit: int, share: float) -> int:
    return int(limit * share + 1e-9)  # 30 * 0.7 is a little less than 21


class RoundTrips:
    """The shortest round trip of the last minutes, less a safety margin.

    It counts only after enough calls over enough time: in a burst all calls are slow together.
    """

    def __init__(self) -> None:
        self._count = 0
        self._since = 0.0
        self._shortest = self._shortest_before = float("inf")
        self._turned = 0.0

    def add(self, now: float, *, seconds: float) -> None:
        """A call was answered after `seconds`."""
        if self._count == 0:
            self._since = self._turned = now
        self._count += 1
        if now - self._turned > _MEMORY_SECONDS:
            self._shortest_before, self._shortest, self._turned = self._shortest, seconds, now
        self._shortest = min(self._shortest, seconds)

    def minimum(self, now: float) -> float:
        """Return the seconds that every call needs for both ways; 0 while unknown."""
        if self._count < _LEARNING_CALLS or now - self._since < _LEARNING_SECONDS:
            return 0.0
        return _SAFE_PART * max(0.0, min(self._shortest, self._shortest_before) - _SAFETY_SECONDS)


class Window:
    """The calls that Zoom may still count: its sliding second, seen from this end. Times are monotonic seconds.

    Zoom counts a call when it arrives, some time between its request and its answer. So a call takes a place from its
    request until one window after its answer: then no window of Zoom's holds more calls than there are places. The
    shortest round trip is subtracted, because every call needs that time: at a round trip of 200 ms this uses 97 % of
    the granted rate instead of 83 %.
    """

    def __init__(self) -> None:
        self._under_way = 0
        self._frees: list[float] = []
        self._trips = RoundTrips()

    def used(self, now: float) -> int:
        """Return the number of taken places."""
        while self._frees and self._frees[0] <= now:
            heapq.heappop(self._frees)
        return self._under_way + len(self._frees)

    def begin(self) -> None:
        """A call is sent."""
        self._under_way += 1

    def withdraw(self) -> None:
        """A call that had begun is not sent."""
        self._under_way -= 1

    def end(self, now: float, *, began: float, answered: bool, seconds: float) -> None:
        """A call is answered or given up; its place is free after `seconds`."""
        self._under_way -= 1
        if answered:
            self._trips.add(now, seconds=now - began)
        self.charge(now, seconds=seconds)

    def charge(self, now: float, *, seconds: float) -> None:
        """Take a place for a call that Zoom has just counted."""
        heapq.heappush(self._frees, now + seconds - self._trips.minimum(now))

    def free_at(self, now: float, *, places: int) -> float | None:
        """Return when fewer than `places` are taken without another answer; None: not before an answer."""
        excess = self.used(now) - places
        if excess < 0:
            return now
        return heapq.nsmallest(excess + 1, self._frees)[-1] if excess < len(self._frees) else None


class AdaptiveRate:
    """The rate of one gate. `now` is monotonic seconds, `utc` the time of day."""

    def __init__(self, *, category: Category) -> None:
        self._category = category
        self._reported_limit: int | None = None
        self._others, self._others_until = 0, 0.0
        self._slowed, self._slowed_at = 1.0, float("-inf")
        self._day = date.min
        self._today = 0
        self._counts_days = False
        self.paused_until = float("-inf")
        self.spent_until: datetime | None = None

    def pace(self, allowance: AccountAllowance, *, now: float) -> Pace:
        """Return how many calls may be made in a window."""
        limit = allowance.per_second(self._category)
        if self._reported_limit is not None:
            limit = min(limit, self._reported_limit)
        granted = pace(limit=limit, share=allowance.share)
        left = limit - self._others if now < self._others_until else limit
        calls = min(int(granted.calls * self._factor(now) + 1e-9), left)
        return Pace(max(1, calls), granted.seconds)

    def spent(self, allowance: AccountAllowance, *, utc: datetime) -> datetime | None:
        """Return when calls are possible again, if the day's calls are used up."""
        if self.spent_until is not None and utc >= self.spent_until:
            self.spent_until = None
        most = allowance.per_day(self._category)
        self._counts_days = most is not None
        if self.spent_until is None and most is not None and self._day == utc.date() and self._today >= most:
            return _midnight(utc)
        return self.spent_until

    def count(self, *, utc: datetime) -> None:
        """A call is made."""
        if self._day != utc.date():
            self._day, self._today = utc.date(), 0
        self._today += 1

    def uncount(self) -> None:
        """A counted call is not made."""
        self._today = max(0, self._today - 1)

    def must_keep(self, now: float, *, utc: datetime) -> bool:
        """Return whether something learned still matters: today's calls, a pause or a lower rate."""
        counts_today = self._day == utc.date() and self._today > 0 and self._counts_days
        spent = self.spent_until is not None and utc < self.spent_until
        return counts_today or spent or now < self.paused_until or self._factor(now) < 1.0

    def learn(self, rate: RateReport, *, ours: int, now: float, utc: datetime) -> None:
        """Learn from an answer; `ours` is the number of our calls that Zoom may have counted at that time."""
        if rate.daily:
            if rate.limited or rate.remaining == 0:
                self.spent_until = _moment(rate, utc=utc) or _midnight(utc)
            return
        if rate.limit:
            self._reported_limit = rate.limit
        if rate.limit and rate.remaining is not None:
            others = max(0, rate.limit - rate.remaining - ours)
            if others >= self._others or now >= self._others_until:
                self._others, self._others_until = others, now + _OTHERS_SECONDS
        if rate.limited:
            self._slow_down(rate, now=now, utc=utc)

    def _slow_down(self, rate: RateReport, *, now: float, utc: datetime) -> None:
        if now - self._slowed_at >= _PAUSE_SECONDS:
            # Once for all calls that were under way together.
            self._slowed = max(_SLOWEST, self._factor(now) * _SLOWER)
            self._slowed_at = now
        moment = _moment(rate, utc=utc)
        pause = _PAUSE_SECONDS if moment is None else max(0.0, (moment - utc).total_seconds())
        self.paused_until = max(self.paused_until, now + pause)

    def _factor(self, now: float) -> float:
        recovered = max(0.0, now - self._slowed_at - _PAUSE_SECONDS) * _FASTER_EACH_SECOND
        return min(1.0, self._slowed + recovered)


def _moment(rate: RateReport, *, utc: datetime) -> datetime | None:
    if isinstance(rate.retry_after, datetime) or rate.retry_after is None:
        return rate.retry_after
    return utc + timedelta(seconds=rate.retry_after)


def _midnight(utc: datetime) -> datetime:
    return utc.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)

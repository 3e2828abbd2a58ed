"""The present rate of one account in one category. Pure.

It starts from the granted allowance and follows Zoom's answers: a lower limit, the calls of other apps of the account,
a 429 (a pause, then slower for some seconds), and the end of the day's calls.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

from meetingbots.zoom.http.calls import Category, RateReport
from meetingbots.zoom.limits.plans import AccountAllowance, Pace, pace

_SLOWER: Final = 0.7
_SLOWEST: Final = 0.1
_FASTER_EACH_SECOND: Final = 0.1
_PAUSE_SECONDS: Final = 1.0
_OTHERS_SECONDS: Final = 1.0


class AdaptiveRate:
    """The rate of one gate. `now` is monotonic seconds, `utc` the time of day."""

    def __init__(self, *, category: Category) -> None:
        self._category = category
        self._told_limit: int | None = None
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
        if self._told_limit is not None:
            limit = min(limit, self._told_limit)
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
            self._told_limit = rate.limit
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

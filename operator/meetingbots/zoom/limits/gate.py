"""The gate of one Zoom account and rate limit category: its window, its rate, and the calls that wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from meetingbots.zoom.errors import Cause, TransientError
from meetingbots.zoom.http.calls import Category, Priority, RateReport
from meetingbots.zoom.limits.account_rate import AccountAllowance, AdaptiveRate, Pace, Window

_ALLOWANCE_SECONDS: Final = 1.0

Waiting: TypeAlias = Callable[[], AbstractAsyncContextManager[object]]


@dataclass(frozen=True, kw_only=True)
class Clocks:
    """Monotonic seconds, and the time of day in UTC."""

    monotonic: Callable[[], float]
    utc: Callable[[], datetime]


class GatePermit:
    """The right to send one request. End it with what the answer says about the limit (None: no answer)."""

    __slots__ = ("_began", "_gate", "_open")

    def __init__(self, gate: Gate, *, began: float) -> None:
        self._gate = gate
        self._began = began
        self._open = True

    def end(self, rate: RateReport | None) -> None:
        """The request is over. Further calls have no effect."""
        if self._open:
            self._open = False
            self._gate.ended(rate, began=self._began)

    def start(self, now: float) -> None:
        """The request is sent now, later than the permit was issued."""
        self._began = now

    def withdraw(self) -> None:
        """The request is not sent: the next one may go."""
        if self._open:
            self._open = False
            self._gate.withdrawn()


_Waiter: TypeAlias = "asyncio.Future[GatePermit]"


class Gate:
    """Admits calls within the allowance, by priority and then in order of arrival."""

    def __init__(
        self,
        *,
        category: Category,
        allowance: Callable[[], AccountAllowance],
        clocks: Clocks,
        waiting: Waiting,
        patience: Mapping[Priority, float],
        counted_elsewhere: Callable[[RateReport], None],
    ) -> None:
        """`counted_elsewhere` receives reports that Zoom made for another category than this one."""
        self._category = category
        self._read_allowance = allowance
        self._clock = clocks.monotonic
        self._utc = clocks.utc
        self._enter_waiting = waiting
        self._patience = patience
        self._counted_elsewhere = counted_elsewhere
        self._window = Window()
        self._rate = AdaptiveRate(category=category)
        self._waiting: dict[Priority, deque[_Waiter]] = {priority: deque() for priority in Priority}
        self._timer: asyncio.TimerHandle | None = None
        self._allowance = allowance()
        self._read_at = self._used_at = self._clock()

    async def acquire(self, priority: Priority) -> GatePermit:
        """Wait for a permit. Raises `TransientError` RATE_LIMITED."""
        now = self._used_at = self._clock()
        self._check(priority, now=now)
        ahead = sum(len(queue) for other, queue in self._waiting.items() if other <= priority)
        if ahead == 0 and self._is_free(now):
            return self._issue(now)
        wait = self._expected_wait(ahead, now=now)
        if wait > self._patience[priority]:
            raise _limited(wait)
        return await self._queue(priority)

    def is_idle(self, *, for_seconds: float) -> bool:
        """Return whether nothing has used the gate for so long, and nothing is lost without it."""
        now = self._clock()
        waiting = any(self._waiting.values()) or self._window.used(now) > 0
        return not waiting and now - self._used_at >= for_seconds and not self._rate.must_keep(now, utc=self._utc())

    def ended(self, rate: RateReport | None, *, began: float) -> None:
        """A request is over."""
        now = self._used_at = self._clock()
        ours = self._window.used(now)
        self._window.end(now, began=began, answered=rate is not None, seconds=self._pace(now).seconds)
        if rate is not None and rate.category is self._category:
            self._rate.learn(rate, ours=ours, now=now, utc=self._utc())
        elif rate is not None and rate.category is not Category.NONE:
            self._counted_elsewhere(rate)
        self._admit()

    def count_report(self, rate: RateReport) -> None:
        """Zoom counted a call of another gate in this category."""
        now = self._used_at = self._clock()
        self._window.charge(now, seconds=self._pace(now).seconds)
        self._rate.count(utc=self._utc())
        self._rate.learn(rate, ours=self._window.used(now), now=now, utc=self._utc())
        self._admit()

    def withdrawn(self) -> None:
        """A permit was not used."""
        self._window.withdraw()
        self._rate.uncount()
        self._admit()

    async def _queue(self, priority: Priority) -> GatePermit:
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        queue = self._waiting[priority]
        queue.append(waiter)
        self._set_timer(self._clock())
        try:
            async with self._enter_waiting():
                async with asyncio.timeout(self._patience[priority]):
                    permit = await waiter
        except BaseException as error:
            if waiter in queue:
                queue.remove(waiter)
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                waiter.result().withdraw()  # issued in the moment in which the wait ended
            if isinstance(error, TimeoutError):
                raise _limited(self._expected_wait(0, now=self._clock())) from None
            raise
        permit.start(self._clock())
        return permit

    def _admit(self) -> None:
        """Issue permits that are due, reject calls that would wait too long, and set the timer."""
        now = self._clock()
        for priority, queue in self._waiting.items():
            while queue:
                try:
                    self._check(priority, now=now)
                except TransientError as error:
                    _fail(queue.popleft(), error)
                    continue
                if not self._is_free(now):
                    break
                waiter = queue.popleft()
                if not waiter.done():
                    waiter.set_result(self._issue(now))
        self._set_timer(now)

    def _check(self, priority: Priority, *, now: float) -> None:
        """Raise when waiting is useless: the day is used up, or Zoom asked for a longer pause."""
        spent_until = self._rate.spent(self._granted(now), utc=self._utc())
        if spent_until is not None:
            raise TransientError(
                Cause.RATE_LIMITED,
                message="the Zoom account's calls of this day are used up",
                retry_after=spent_until,
                daily=True,
            )
        pause = self._rate.paused_until - now
        if pause > self._patience[priority]:
            raise _limited(pause)

    def _is_free(self, now: float) -> bool:
        return now >= self._rate.paused_until and self._window.used(now) < self._pace(now).calls

    def _issue(self, now: float) -> GatePermit:
        self._window.begin()
        self._rate.count(utc=self._utc())
        return GatePermit(self, began=now)

    def _expected_wait(self, ahead: int, *, now: float) -> float:
        """Return the seconds until `ahead` other calls and one more have gone, about."""
        pace = self._pace(now)
        lacking = ahead + 1 - (pace.calls - self._window.used(now))
        return max(0.0, self._rate.paused_until - now) + max(0, lacking) * pace.seconds / pace.calls

    def _set_timer(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not any(self._waiting.values()):
            return
        free_at = self._window.free_at(now, places=self._pace(now).calls)
        if free_at is None:
            return  # the next answer calls `_admit`
        delay = max(free_at, self._rate.paused_until) - now
        self._timer = asyncio.get_running_loop().call_later(max(0.0, delay), self._admit)

    def _pace(self, now: float) -> Pace:
        return self._rate.pace(self._granted(now), now=now)

    def _granted(self, now: float) -> AccountAllowance:
        if now - self._read_at >= _ALLOWANCE_SECONDS:
            self._allowance, self._read_at = self._read_allowance(), now
        return self._allowance


def _fail(waiter: _Waiter, error: TransientError) -> None:
    if not waiter.done():
        waiter.set_exception(error)


def _limited(seconds: float) -> TransientError:
    return TransientError(
        Cause.RATE_LIMITED,
        message="the granted share of the Zoom account's rate limit is used up",
        retry_after=max(1.0, seconds),
    )

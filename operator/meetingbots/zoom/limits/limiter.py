"""The rate limiter of Zoom's REST API: one gate for each account and category, shared by all calls.

Join tokens have priority over calls that keep credentials alive, and these over reading meetings; calls of equal
priority are served in order of arrival. Waiting is bounded: if a turn would not come in time, or the account's daily
limit is used up, the caller gets an error at once, with the time at which to retry.

Each process counts its own calls only. That is correct because only the operator calls Zoom, and of its replicas only
the one that holds the Lease works. The daily count starts again with the process; then Zoom's own refusal ends the day.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime
from typing import Final, TypeAlias

from meetingbots.zoom.errors import Cause, TransientError
from meetingbots.zoom.http.calls import Category, Priority, RateReport
from meetingbots.zoom.limits.adaptive_rate import AdaptiveRate
from meetingbots.zoom.limits.plans import AccountAllowance, Pace
from meetingbots.zoom.limits.sliding_window import Window

_PATIENCE: Final[Mapping[Priority, float]] = {Priority.BOT: 10.0, Priority.CREDENTIAL: 20.0, Priority.SYNC: 60.0}
_ALLOWANCE_LIFE: Final = 1.0

OnWait: TypeAlias = Callable[[str, str, float], None]
Waiting: TypeAlias = Callable[[], AbstractAsyncContextManager[object]]


class AccountLimiter:
    """The gates of all accounts; a :class:`meetingbots.zoom.http.calls.Limiter`."""

    def __init__(
        self,
        *,
        allowance: Callable[[str], AccountAllowance],
        clock: Callable[[], float],
        utc: Callable[[], datetime],
        on_wait: OnWait | None = None,
        waiting: Waiting = nullcontext,
        patience: Mapping[Priority, float] = _PATIENCE,
    ) -> None:
        """Create the limiter.

        Args:
            allowance: the granted part of an account's limits; called once a second for each account in use.
            clock: monotonic seconds, by which the event loop's timers run.
            utc: the time of day, for daily limits.
            on_wait: called with the category, the priority, and the seconds that a call waited for its turn.
            waiting: context of a call while it waits for its turn; leaving it may take a while.
            patience: the longest wait in seconds for each priority.

        """
        self._allowance = allowance
        self._clock = clock
        self._utc = utc
        self._on_wait = on_wait
        self._waiting = waiting
        self._patience = patience
        self._gates: dict[tuple[str, Category], _Gate] = {}

    async def acquire(self, *, account: str, category: Category, priority: Priority) -> GatePermit:
        """Wait for the turn of one request.

        Raises:
            Passing: RATE_LIMITED with ``retry_after``, instead of a longer wait than its priority allows.

        """
        gate = self.gate(account, category)
        began = self._clock()
        turn = await gate.turn(priority)
        if self._on_wait is not None:
            self._on_wait(category.value, priority.name.capitalize(), self._clock() - began)
        return turn

    def gate(self, account: str, category: Category) -> _Gate:
        """The gate of an account's category."""
        key = (account, category)
        gate = self._gates.get(key)
        if gate is None:
            gate = self._gates[key] = _Gate(
                limiter=self,
                account=account,
                category=category,
                allowance=lambda: self._allowance(account),
                clock=self._clock,
                utc=self._utc,
                waiting=self._waiting,
                patience=self._patience,
            )
        return gate


class GatePermit:
    """The right to send one request, to be ended with what its answer says of the limit (None: no answer)."""

    __slots__ = ("_began", "_gate", "_open")

    def __init__(self, gate: _Gate, *, began: float) -> None:
        self._gate = gate
        self._began = began
        self._open = True

    def end(self, rate: RateReport | None) -> None:
        """The request is over. Further calls change nothing."""
        if self._open:
            self._open = False
            self._gate.ended(rate, began=self._began)

    def goes(self, now: float) -> None:
        """The request is sent now, and not when the turn came."""
        self._began = now

    def withdraw(self) -> None:
        """The request is not sent: the next one may go."""
        if self._open:
            self._open = False
            self._gate.withdrawn()


_Waiter: TypeAlias = "asyncio.Future[GatePermit]"


class _Gate:
    """One account's category: its window, its state, and those who wait, by priority."""

    def __init__(
        self,
        *,
        limiter: AccountLimiter,
        account: str,
        category: Category,
        allowance: Callable[[], AccountAllowance],
        clock: Callable[[], float],
        utc: Callable[[], datetime],
        waiting: Waiting,
        patience: Mapping[Priority, float],
    ) -> None:
        self._limiter = limiter
        self._account = account
        self._category = category
        self._read_allowance = allowance
        self._clock = clock
        self._utc = utc
        self._enter_waiting = waiting
        self._patience = patience
        self._window = Window()
        self._state = AdaptiveRate(category=category)
        self._waiting: dict[Priority, deque[_Waiter]] = {priority: deque() for priority in Priority}
        self._timer: asyncio.TimerHandle | None = None
        self._allowance = allowance()
        self._read_at = clock()

    async def turn(self, priority: Priority) -> GatePermit:
        """Wait for a turn."""
        now = self._clock()
        self._check(priority, now=now)
        ahead = sum(len(queue) for other, queue in self._waiting.items() if other <= priority)
        if ahead == 0 and self._is_free(now):
            return self._begin(now)
        wait = self._wait_for(ahead, now=now)
        if wait > self._patience[priority]:
            raise _limited(wait)
        return await self._queue(priority)

    async def _queue(self, priority: Priority) -> GatePermit:
        waiter: _Waiter = asyncio.get_running_loop().create_future()
        queue = self._waiting[priority]
        queue.append(waiter)
        self._set_timer(self._clock())
        try:
            async with self._enter_waiting():
                async with asyncio.timeout(self._patience[priority]):
                    turn = await waiter
        except BaseException as error:
            if waiter in queue:
                queue.remove(waiter)
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                waiter.result().withdraw()  # the turn came together with the end of waiting: it is somebody else's now
            if isinstance(error, TimeoutError):
                raise _limited(self._wait_for(0, now=self._clock())) from None
            raise
        turn.goes(self._clock())
        return turn

    def ended(self, rate: RateReport | None, *, began: float) -> None:
        """A request is over."""
        now = self._clock()
        ours = self._window.used(now)
        self._window.end(now, began=began, answered=rate is not None, seconds=self._pace(now).seconds)
        if rate is not None:
            self._learn(rate, ours=ours, now=now)
        self._admit()

    def _learn(self, rate: RateReport, *, ours: int, now: float) -> None:
        if rate.category is self._category:
            self._state.learn(rate, ours=ours, now=now, utc=self._utc())
        elif rate.category is not Category.NONE:
            # Zoom counts this call elsewhere than we thought.
            self._limiter.gate(self._account, rate.category).counted_here(rate)

    def counted_here(self, rate: RateReport) -> None:
        """Zoom counted a call in this category that was announced in another one."""
        now = self._clock()
        self._window.charge(now, seconds=self._pace(now).seconds)
        self._state.count(utc=self._utc())
        self._state.learn(rate, ours=self._window.used(now), now=now, utc=self._utc())
        self._admit()

    def withdrawn(self) -> None:
        """A request was not sent."""
        self._window.withdraw()
        self._state.uncount()
        self._admit()

    def _admit(self) -> None:
        """Let in who may go now, send away who would wait for too long, and look again in time."""
        now = self._clock()
        for priority, queue in self._waiting.items():
            while queue:
                try:
                    self._check(priority, now=now)
                except TransientError as error:
                    _settle(queue.popleft(), error)
                    continue
                if not self._is_free(now):
                    break
                waiter = queue.popleft()
                if not waiter.done():
                    waiter.set_result(self._begin(now))
        self._set_timer(now)

    def _check(self, priority: Priority, *, now: float) -> None:
        """Raise where waiting is of no use."""
        spent_until = self._state.spent(self._granted(now), utc=self._utc())
        if spent_until is not None:
            raise TransientError(
                Cause.RATE_LIMITED,
                message="the Zoom account's calls of this day are used up",
                retry_after=spent_until,
                daily=True,
            )
        pause = self._state.paused_until - now
        if pause > self._patience[priority]:
            raise _limited(pause)

    def _is_free(self, now: float) -> bool:
        return now >= self._state.paused_until and self._window.used(now) < self._pace(now).calls

    def _begin(self, now: float) -> GatePermit:
        self._window.begin()
        self._state.count(utc=self._utc())
        return GatePermit(self, began=now)

    def _wait_for(self, ahead: int, *, now: float) -> float:
        """About how long it takes until so many others have gone, and one more may."""
        pace = self._pace(now)
        lacking = ahead + 1 - (pace.calls - self._window.used(now))
        return max(0.0, self._state.paused_until - now) + max(0, lacking) * pace.seconds / pace.calls

    def _set_timer(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if not any(self._waiting.values()):
            return
        free_at = self._window.free_at(now, places=self._pace(now).calls)
        if free_at is None:
            return  # an answer has to come first
        delay = max(free_at, self._state.paused_until) - now
        self._timer = asyncio.get_running_loop().call_later(max(0.0, delay), self._admit)

    def _pace(self, now: float) -> Pace:
        return self._state.pace(self._granted(now), now=now)

    def _granted(self, now: float) -> AccountAllowance:
        if now - self._read_at >= _ALLOWANCE_LIFE:
            self._allowance, self._read_at = self._read_allowance(), now
        return self._allowance


def _settle(waiter: _Waiter, error: TransientError) -> None:
    if not waiter.done():
        waiter.set_exception(error)


def _limited(seconds: float) -> TransientError:
    return TransientError(
        Cause.RATE_LIMITED,
        message="the share of the Zoom account's rate limit that may be used is used up",
        retry_after=max(1.0, seconds),
    )

"""Limits calls to Zoom's REST API: one gate for each Zoom account and category, shared by the whole process.

Join tokens go before calls that keep credentials alive, and those before reads of meetings; within a priority the first
to come goes first. Waiting is bounded: a call that would wait too long, or that finds the account's day used up, fails
at once with the time to try again.

Each process counts its own calls. Only the operator calls Zoom's REST API, and only the replica with the Lease works,
so this is the whole count. The count of a day's calls restarts with the process; then Zoom's own refusal ends the day.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from meetingbots.zoom.http.calls import Category, Priority
from meetingbots.zoom.limits.account_rate import AccountAllowance
from meetingbots.zoom.limits.gate import Clocks, Gate, GatePermit, Waiting

_PATIENCE: Final[Mapping[Priority, float]] = {Priority.BOT: 10.0, Priority.CREDENTIAL: 20.0, Priority.SYNC: 60.0}
_IDLE_SECONDS: Final = 600.0
"""How long an unused gate is kept; by then its window is empty and Zoom's last report outdated."""

OnWait: TypeAlias = Callable[[str, str, float], None]


@dataclass(frozen=True, slots=True)
class _GateKey:
    account: str
    category: Category


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
        """Create a limiter.

        Args:
            allowance: the granted part of an account's limits; read once a second for each account in use.
            clock: monotonic seconds, the clock of the event loop's timers.
            utc: the time of day, for daily limits.
            on_wait: observes category, priority and seconds of every wait.
            waiting: context that a call enters while it waits.
            patience: the longest wait of a priority in seconds.

        """
        self._allowance = allowance
        self._clocks = Clocks(monotonic=clock, utc=utc)
        self._on_wait = on_wait
        self._waiting = waiting
        self._patience = patience
        self._gates: dict[_GateKey, Gate] = {}
        self._cleaned_at = clock()

    def __len__(self) -> int:
        """The number of gates in memory."""
        return len(self._gates)

    async def acquire(self, *, account: str, category: Category, priority: Priority) -> GatePermit:
        """Wait until one request may be sent.

        Raises:
            TransientError: RATE_LIMITED with ``retry_after``, when the wait would be too long for the priority.

        """
        began = self._clocks.monotonic()
        self._drop_idle(began)
        permit = await self._gate(_GateKey(account, category)).acquire(priority)
        if self._on_wait is not None:
            self._on_wait(category.value, priority.name.capitalize(), self._clocks.monotonic() - began)
        return permit

    def _gate(self, key: _GateKey) -> Gate:
        gate = self._gates.get(key)
        if gate is None:
            gate = self._gates[key] = Gate(
                category=key.category,
                allowance=lambda: self._allowance(key.account),
                clocks=self._clocks,
                waiting=self._waiting,
                patience=self._patience,
                counted_elsewhere=lambda rate: self._gate(_GateKey(key.account, rate.category)).count_report(rate),
            )
        return gate

    def _drop_idle(self, now: float) -> None:
        """Drop unused gates, so that accounts of deleted credentials take no memory."""
        if now - self._cleaned_at < _IDLE_SECONDS:
            return
        self._cleaned_at = now
        for key in [key for key, gate in self._gates.items() if gate.is_idle(for_seconds=_IDLE_SECONDS)]:
            del self._gates[key]

"""When to ask Zoom about a reported removal of a user, and what its answers mean."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from meetingbots.credentials.decide.revocation import CLOCK_SKEW

LAG: Final = timedelta(seconds=60)
"""Zoom's API may lag behind its events: within this time after the report, an active user refutes nothing."""
_FIRST_SECONDS: Final = 5.0
_LONGEST_SECONDS: Final = 600.0
_INTERVAL_SHARE: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class RemovalCheck:
    """What Zoom has said about the removal of `reported`.

    `confirmed`: Zoom says that the user is removed. `active`: Zoom says that the user is active. `asked_at` is the time
    of the last question, None before the first.
    """

    reported: datetime
    confirmed: bool = False
    active: bool = False
    asked_at: datetime | None = None

    def wait_seconds(self, now: datetime) -> float:
        """Return the seconds until the next question: short at first, later a tenth of the report's age."""
        if self.asked_at is None or now < self.asked_at:
            return 0.0
        age = (self.asked_at - self.reported).total_seconds()
        lag = LAG.total_seconds()
        if not 0 <= age < lag:
            interval = min(max(age * _INTERVAL_SHARE, lag), _LONGEST_SECONDS)
        elif self.confirmed:
            interval = lag - age
        else:
            interval = min(max(age, _FIRST_SECONDS), lag - age)
        return interval - (now - self.asked_at).total_seconds()


def checked(check: RemovalCheck, *, removed: bool | None, now: datetime) -> RemovalCheck:
    """Return the check after an answer; None, no clear answer, changes nothing but the time."""
    if removed is None:
        return replace(check, active=False, asked_at=now)
    return replace(check, confirmed=removed, active=not removed, asked_at=now)


def is_withdrawn(check: RemovalCheck) -> bool:
    """Return whether the report is refuted: Zoom says active, and not only because its API lags."""
    if not check.active or check.asked_at is None:
        return False
    return not -CLOCK_SKEW <= check.asked_at - check.reported < LAG

"""When a consent has ended: the user removed the app, or is no longer an active user.

Zoom's webhooks report both, and the receiver, which faces the internet, writes the reports into the status. A report
alone ends no consent. After a removal of the app, the operator asks Zoom for new tokens, and the consent ends when Zoom
refuses them. After a removal of the user, it asks Zoom about the user. So neither a forged report nor the replay of an
old event does harm, and a new consent needs no clean-up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from meetingbots.credentials.decide.token_state import TokenState
from meetingbots.models.conditions import ConditionType, find
from meetingbots.models.credential import CredentialReason, CredentialStatus, ZoomCredential

CLOCK_SKEW: Final = timedelta(minutes=5)
"""The largest difference between Zoom's clock and ours: the receiver rejects events outside of it."""
_REFUSED: Final = frozenset(
    {CredentialReason.REAUTHORIZATION_REQUIRED, CredentialReason.ROTATION_INTERRUPTED, CredentialReason.DEAUTHORIZED}
)


def ended_at(
    *,
    renewed: datetime | None,
    deauthorized: datetime | None,
    removed: datetime | None,
    refused: bool = False,
) -> datetime | None:
    """Return when the consent ended; None while it is valid. `renewed` is when Zoom last issued tokens.

    A removal of the app (`deauthorized`) counts only when Zoom has refused to refresh the tokens (`refused`), and not
    if it is older than the last refresh; five minutes of tolerance cover the difference between the clocks. A removal
    of the user (`removed`) counts until it is withdrawn: Zoom may go on refreshing tokens. The caller leaves out one
    that Zoom does not confirm.
    """
    before = renewed is not None and deauthorized is not None and deauthorized < renewed - CLOCK_SKEW
    if not refused or before:
        deauthorized = None
    return max((moment for moment in (deauthorized, removed) if moment is not None), default=None)


def revoked_at(status: CredentialStatus, state: TokenState, *, now: datetime) -> datetime | None:
    """Return when the user removed the app, if that ended the consent; None otherwise."""
    reported = _reported(status, now=now)
    if reported is None:
        return None
    if state.tokens is None and state.candidate is None:
        return reported if status.ended_grant else None  # the tokens have been deleted
    return ended_at(renewed=_renewed(state), deauthorized=reported, removed=None, refused=_refused(state))


def in_doubt(status: CredentialStatus, state: TokenState, *, now: datetime) -> datetime | None:
    """Return the time of a reported removal of the app about which Zoom must be asked; None without one."""
    reported, renewed = _reported(status, now=now), _renewed(state)
    if reported is None or renewed is None or _refused(state) or reported < renewed - CLOCK_SKEW:
        return None
    return reported


def consent_end(credential: ZoomCredential) -> datetime | None:
    """Return when the consent ended, by the status alone; None while it is valid."""
    status = credential.status
    shown = find(status.conditions, ConditionType.READY)
    reason = shown.reason if shown is not None else ""
    gone = reason in _REFUSED or reason == CredentialReason.USER_INACTIVE
    return ended_at(
        refused=reason in _REFUSED,
        renewed=status.last_refresh_time,
        deauthorized=status.deauthorization.time if status.deauthorization else None,
        removed=status.user_removal.time if status.user_removal and gone else None,
    )


def _reported(status: CredentialStatus, *, now: datetime) -> datetime | None:
    """Return the reported time of a removal of the app, unless it is in the future."""
    reported = status.deauthorization.time if status.deauthorization else None
    return reported if reported is not None and reported <= now + CLOCK_SKEW else None


def _renewed(state: TokenState) -> datetime | None:
    held = (state.tokens, state.candidate.tokens if state.candidate else None)
    return max((one.last_refresh for one in held if one is not None and one.last_refresh is not None), default=None)


def _refused(state: TokenState) -> bool:
    rejected, tokens = state.rejected_token, state.tokens
    return rejected is not None and tokens is not None and rejected.mark == tokens.mark and rejected.reason in _REFUSED


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

"""When a consent has ended, by Zoom's webhooks: the user removed the app, or is no longer an active user.

A removal of the app counts until the tokens are refreshed after it, for Zoom would not refresh them. So the replay of
an old event does no harm, and a new consent needs no clean-up. Whether a removed user is active again, Zoom is asked.
"""

from __future__ import annotations

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

    A removal of the user (`removed`) counts until it is withdrawn: Zoom may go on refreshing tokens. `refused` says
    that Zoom no longer refreshes the tokens. Then a removal of the app up to five minutes before the last refresh is
    taken for the cause, because its time is by another clock.
    """
    since = CLOCK_SKEW if refused else timedelta(0)
    if deauthorized is not None and renewed is not None and deauthorized < renewed - since:
        deauthorized = None
    return max((moment for moment in (deauthorized, removed) if moment is not None), default=None)


def revoked_at(status: CredentialStatus, state: TokenState) -> datetime | None:
    """Return when the user removed the app, if Zoom has issued no tokens since; None otherwise."""
    reported = status.deauthorization
    return ended_at(
        renewed=_renewed(state), deauthorized=reported.time if reported else None, removed=None, refused=_refused(state)
    )


def in_doubt(status: CredentialStatus, state: TokenState) -> bool:
    """Return whether the app may have been removed after the last refresh although the clocks say before."""
    reported, renewed = status.deauthorization, _renewed(state)
    if reported is None or reported.time is None or renewed is None or _refused(state):
        return False
    return renewed - CLOCK_SKEW <= reported.time < renewed


def consent_end(credential: ZoomCredential) -> datetime | None:
    """Return when the consent ended, by the status alone; None while it is valid."""
    status = credential.status
    shown = find(status.conditions, ConditionType.READY)
    return ended_at(
        refused=shown is not None and shown.reason in _REFUSED,
        renewed=status.last_refresh_time,
        deauthorized=status.deauthorization.time if status.deauthorization else None,
        removed=status.user_removal.time if status.user_removal else None,
    )


def _renewed(state: TokenState) -> datetime | None:
    held = (state.tokens, state.candidate.tokens if state.candidate else None)
    return max((one.last_refresh for one in held if one is not None and one.last_refresh is not None), default=None)


def _refused(state: TokenState) -> bool:
    rejected, tokens = state.rejected_token, state.tokens
    return rejected is not None and tokens is not None and rejected.mark == tokens.mark and rejected.reason in _REFUSED

"""When a consent has come to its end, by what Zoom's webhooks told: its user took it back, or is no user any more.

That the app was removed counts until tokens were renewed after it: Zoom would not renew them. So the replay of an old
event does no harm, and a new consent needs nothing to be cleared first. Whether a user is one again, Zoom is asked.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from meetingbots.credentials.decide.token_state import TokenState
from meetingbots.models.conditions import ConditionType, find
from meetingbots.models.credential import CredentialReason, CredentialStatus, ZoomCredential

CLOCK_SKEW: Final = timedelta(minutes=5)
"""So far our clock may be from Zoom's: the receiver takes no event whose clock is further off."""
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
    """When the consent ended; None while there is one. `renewed` is when tokens were last had from Zoom.

    That a user was deactivated or left (`removed`) counts until it is taken back: Zoom may go on renewing tokens.
    `refused` says that Zoom has ceased to renew: then a removal of the app up to five minutes before the last renewal
    is the cause of it, for its time is by another clock.
    """
    since = CLOCK_SKEW if refused else timedelta(0)
    if deauthorized is not None and renewed is not None and deauthorized < renewed - since:
        deauthorized = None
    return max((moment for moment in (deauthorized, removed) if moment is not None), default=None)


def taken_back_at(status: CredentialStatus, state: TokenState) -> datetime | None:
    """When the user of a credential removed the app, if no tokens were had from Zoom since; None otherwise."""
    told = status.deauthorization
    return ended_at(
        renewed=_renewed(state), deauthorized=told.time if told else None, removed=None, refused=_is_refused(state)
    )


def in_doubt(status: CredentialStatus, state: TokenState) -> bool:
    """Whether the user may have removed the app after the last renewal, though the two clocks say before: ask Zoom."""
    told, renewed = status.deauthorization, _renewed(state)
    if told is None or told.time is None or renewed is None or _is_refused(state):
        return False
    return renewed - CLOCK_SKEW <= told.time < renewed


def _renewed(state: TokenState) -> datetime | None:
    held = (state.tokens, state.candidate.tokens if state.candidate else None)
    return max((one.last_refresh for one in held if one is not None and one.last_refresh is not None), default=None)


def _is_refused(state: TokenState) -> bool:
    rejected, tokens = state.rejected_token, state.tokens
    return rejected is not None and tokens is not None and rejected.mark == tokens.mark and rejected.reason in _REFUSED


def consent_end(credential: ZoomCredential) -> datetime | None:
    """The same from a ZoomCredential's status."""
    status = credential.status
    told = find(status.conditions, ConditionType.READY)
    return ended_at(
        refused=told is not None and told.reason in _REFUSED,
        renewed=status.last_refresh_time,
        deauthorized=status.deauthorization.time if status.deauthorization else None,
        removed=status.user_removal.time if status.user_removal else None,
    )

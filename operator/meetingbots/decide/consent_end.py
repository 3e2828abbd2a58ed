"""When a consent has come to its end, by what Zoom's webhooks told: its user took it back, or is no user any more.

That the app was removed counts until tokens were renewed after it: Zoom would not renew them. So the replay of an old
event does no harm, and a new consent needs nothing to be cleared first. Whether a user is one again, Zoom is asked.
"""

from __future__ import annotations

from datetime import datetime

from meetingbots.build.token_state import TokenState
from meetingbots.models.credential import CredentialStatus, ZoomCredential


def ended_at(*, renewed: datetime | None, deauthorized: datetime | None, removed: datetime | None) -> datetime | None:
    """When the consent ended; None while there is one. `renewed` is when tokens were last had from Zoom.

    That a user was deactivated or left (`removed`) counts until it is taken back: Zoom may go on renewing tokens.
    """
    if deauthorized is not None and renewed is not None and deauthorized < renewed:
        deauthorized = None
    return max((moment for moment in (deauthorized, removed) if moment is not None), default=None)


def taken_back_at(status: CredentialStatus, state: TokenState) -> datetime | None:
    """When the user of a credential removed the app, if no tokens were had from Zoom since; None otherwise."""
    told = status.deauthorization
    held = (state.tokens, state.candidate.tokens if state.candidate else None)
    renewed = max((one.last_refresh for one in held if one is not None and one.last_refresh is not None), default=None)
    return ended_at(renewed=renewed, deauthorized=told.time if told else None, removed=None)


def consent_end(credential: ZoomCredential) -> datetime | None:
    """The same from a ZoomCredential's status."""
    status = credential.status
    return ended_at(
        renewed=status.last_refresh_time,
        deauthorized=status.deauthorization.time if status.deauthorization else None,
        removed=status.user_removal.time if status.user_removal else None,
    )

"""What Zoom's refusals of a token mean for a bot: which reason it is told with, and whether waiting may help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from meetingbots.models.bot import BotReason, TokenKind
from meetingbots.zoom.errors import Cause, ZoomError

_REASONS: Mapping[Cause, BotReason] = {
    Cause.LOCAL_RECORDING_DISABLED: BotReason.LOCAL_RECORDING_DISABLED,
    Cause.FEATURE_DISABLED: BotReason.LOCAL_RECORDING_DISABLED,
    Cause.MEETING_NOT_FOUND: BotReason.MEETING_NOT_FOUND,
    Cause.INVALID_MEETING: BotReason.MEETING_NOT_FOUND,
    Cause.IS_WEBINAR: BotReason.INVALID_MEETING,
    Cause.IS_MEETING: BotReason.INVALID_MEETING,
    Cause.NOT_THE_HOST: BotReason.NOT_THE_HOST,
    Cause.NO_PERMISSION: BotReason.NOT_THE_HOST,
    Cause.SCOPES_MISSING: BotReason.SCOPES_MISSING,
    Cause.USER_NOT_IN_MEETING: BotReason.USER_NOT_IN_MEETING,
    Cause.RATE_LIMITED: BotReason.RATE_LIMITED,
    Cause.TOKEN_EXPIRED: BotReason.CREDENTIAL_NOT_READY,
    Cause.CONSENT_REVOKED: BotReason.CREDENTIAL_NOT_READY,
    Cause.USER_INACTIVE: BotReason.CREDENTIAL_NOT_READY,
    Cause.USER_NOT_FOUND: BotReason.CREDENTIAL_NOT_READY,
    Cause.DISABLED_BY_ADMIN: BotReason.CREDENTIAL_NOT_READY,
    Cause.APP_DISABLED: BotReason.CREDENTIAL_NOT_READY,
    Cause.APP_INVALID: BotReason.CREDENTIAL_NOT_READY,
    Cause.WRONG_TOKEN_KIND: BotReason.CREDENTIAL_NOT_READY,
}


@dataclass(frozen=True)
class Refusal:
    """One credential's try that did not give a token."""

    credential: str
    reason: BotReason
    message: str
    transient: bool
    retry_at: datetime | None = None
    kind: TokenKind | None = None


def refusal_of(credential: str, kind: TokenKind, error: ZoomError, *, now: datetime) -> Refusal:
    """The refusal that an answer of Zoom amounts to; what we do not know is transient."""
    reason = _REASONS.get(error.kind, BotReason.ZOOM_UNAVAILABLE)
    # A token that ran out early is renewed meanwhile, and a person who is not there yet may come.
    transient = not error.definite or error.kind in (Cause.TOKEN_EXPIRED, Cause.USER_NOT_IN_MEETING)
    return Refusal(
        credential=credential,
        reason=reason,
        message=f"{kind}: {error.message}",
        transient=transient,
        retry_at=error.retry_at(now),
        kind=kind,
    )


def explain(trail: Sequence[Refusal], *, origins: Mapping[str, str]) -> str:
    """The whole trail in words: which credential was tried, how it was found, and why it did not do."""
    return " ".join(
        f"{refusal.credential} ({origins.get(refusal.credential, 'named')}): {refusal.message.rstrip('.')}."
        for refusal in trail
    )

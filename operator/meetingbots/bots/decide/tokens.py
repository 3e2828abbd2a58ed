"""Which tokens a bot wants, on whose behalf it comes, and how what is missing is named to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from meetingbots.bots.decide.token_errors import Refusal
from meetingbots.models.bot import MeetingBot, TokenKind
from meetingbots.models.mapping import MappingPhase, MeetingMapping

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class OnBehalfUser:
    """The user on whose behalf the bot comes, by their ZoomCredential.

    `present` is None where nobody told whether they are in the meeting; `since` is when that was last told.
    """

    credential: str
    present: bool | None = None
    since: datetime | None = None


def wanted_tokens(bot: MeetingBot, *, meeting_account: str, app_account: str) -> tuple[TokenKind, ...]:
    """The tokens to ask for; empty accounts are not known.

    Since March 2026 an app of one account gets into another account's meeting only on behalf of somebody there (Zoom,
    Meeting SDK, OBF). So OnBehalf is added where the spec leaves the tokens open and the accounts differ.
    """
    kinds = bot.requested_tokens
    foreign = bool(meeting_account) and bool(app_account) and meeting_account != app_account
    return (*kinds, TokenKind.ON_BEHALF) if bot.tokens_defaulted and foreign else kinds


def person_in(mapping: MeetingMapping | None, *, credential: str) -> OnBehalfUser:
    """What is known of the presence of this credential's user in the meeting."""
    if mapping is None:
        return OnBehalfUser(credential)
    told = next((one for one in mapping.status.presence if one.name == credential), None)
    if told is None:
        return OnBehalfUser(credential)
    # Nobody is in a meeting that is over; until it begins again, they are waited for.
    present = told.present and mapping.status.phase is not MappingPhase.ENDED
    return OnBehalfUser(credential, present=present, since=_EPOCH + timedelta(milliseconds=told.event_time))


def named_reason(refusals: Sequence[Refusal], *, had: Sequence[TokenKind]) -> str:
    """What ZOOM_TOKEN_REASON says: one word if there is no token at all, else which ones are missing, and why."""
    if not refusals:
        return ""
    if not had and len({refusal.reason for refusal in refusals}) == 1:
        return refusals[0].reason
    return ", ".join(f"{refusal.kind}: {refusal.reason}" if refusal.kind else refusal.reason for refusal in refusals)

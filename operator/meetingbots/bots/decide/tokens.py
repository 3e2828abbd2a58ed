"""Which tokens a bot wants, which credentials can issue them, and what Zoom's refusals mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from meetingbots.bots.decide.meeting import Problem
from meetingbots.models.bot import BotReason, MeetingBot, TokenKind
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.mapping import MappingPhase, MeetingMapping, Role
from meetingbots.zoom.errors import Cause, ZoomError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ROLE_ORDER = (Role.HOST, Role.ALTERNATIVE_HOST, Role.OPERATOR)
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


@dataclass(frozen=True)
class Candidates:
    """Names of credentials to try one after another, and how each was found."""

    names: tuple[str, ...]
    origins: Mapping[str, str]


def candidates(
    bot: MeetingBot, *, mapping: MeetingMapping | None, credentials: Sequence[ZoomCredential]
) -> Candidates | Problem:
    """The order of trial: the bot's own reference, people's entries, Host, AlternativeHost, Operator.

    The bot's selector filters all of them. A meeting that no mapping knows is tried with the named or the selected
    credentials only, never with anybody else's. `credentials` are those of the bot's namespace.
    """
    known = {credential.name: credential for credential in credentials}
    found = _found(bot, mapping, credentials)
    selector = bot.spec.credential_selector
    allowed = {
        name: origin
        for name, origin in found.items()
        if selector is None or (name in known and selector.matches(known[name].metadata.labels))
    }
    if allowed:
        return Candidates(names=tuple(allowed), origins=allowed)
    if found:
        return Problem(
            BotReason.NO_MAPPING,
            f"The credentials of this meeting ({', '.join(found)}) are not among those that credentialSelector allows.",
            mendable=True,
        )
    if selector is not None:
        return Problem(BotReason.NO_MAPPING, "No ZoomCredential matches credentialSelector.", mendable=True)
    return Problem(
        BotReason.NO_MAPPING,
        "No ZoomCredential in this namespace is known to belong to this meeting (no MeetingMapping of its ID).",
        mendable=True,
    )


def _found(bot: MeetingBot, mapping: MeetingMapping | None, credentials: Sequence[ZoomCredential]) -> dict[str, str]:
    found: dict[str, str] = {}
    if bot.spec.credential_ref is not None:
        found[bot.spec.credential_ref.name] = "credentialRef"
    if mapping is not None:
        for entry in mapping.spec.credentials:
            found.setdefault(entry.name, "mapping")
        for role in _ROLE_ORDER:
            for known in mapping.status.credentials:
                if known.role is role:
                    found.setdefault(known.name, role.value)
    if not found and bot.spec.credential_selector is not None:
        selector = bot.spec.credential_selector
        found = {item.name: "credentialSelector" for item in credentials if selector.matches(item.metadata.labels)}
    return found


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

"""Which tokens a bot wants, which credentials can issue them, and what Zoom's refusals mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from meetingbots.bots.decide.meeting import Problem
from meetingbots.models.bot import BotReason, MeetingBot, TokenKind
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.mapping import MappingPhase, MeetingMapping, Role
from meetingbots.models.metadata import NameReference
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
    """One credential's attempt that yielded no token."""

    credential: str
    reason: BotReason
    message: str
    transient: bool
    retry_at: datetime | None = None
    kind: TokenKind | None = None


def refusal_of(credential: str, kind: TokenKind, error: ZoomError, *, now: datetime) -> Refusal:
    """The refusal that an error from Zoom means; an unknown error is transient."""
    reason = _REASONS.get(error.kind, BotReason.ZOOM_UNAVAILABLE)
    # The operator renews a token that expired early, and a user who is absent may still come.
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
    """All refusals as text: each credential, how it was found, and why it yielded no token."""
    return " ".join(
        f"{refusal.credential} ({origins.get(refusal.credential, 'named')}): {refusal.message.rstrip('.')}."
        for refusal in trail
    )


@dataclass(frozen=True)
class Candidates:
    """Names of credentials in the order to try them, and how each was found."""

    names: tuple[str, ...]
    origins: Mapping[str, str]


def candidates(
    bot: MeetingBot, *, mapping: MeetingMapping | None, credentials: Sequence[ZoomCredential]
) -> Candidates | Problem:
    """The credentials to try: the bot's reference, manual entries of the mapping, Host, AlternativeHost, Operator.

    The bot's selector filters all of them. A meeting without a mapping is tried only with the named or selected
    credentials. `credentials` are those of the bot's namespace.
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
            recoverable=True,
        )
    if selector is not None:
        return Problem(BotReason.NO_MAPPING, "No ZoomCredential matches credentialSelector.", recoverable=True)
    return Problem(
        BotReason.NO_MAPPING,
        "No MeetingMapping in this namespace says which ZoomCredential belongs to this meeting.",
        recoverable=True,
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
    """The user on whose behalf the bot joins, by their ZoomCredential.

    `present` is None if no event says whether the user is in the meeting; `since` is the time of the last such event.
    """

    credential: str
    present: bool | None = None
    since: datetime | None = None


def wanted_tokens(bot: MeetingBot, *, meeting_account: str, app_account: str) -> tuple[TokenKind, ...]:
    """The tokens to request; an empty account is unknown.

    Since March 2026 Zoom admits an app to another account's meeting only on behalf of a participant (Meeting SDK, OBF
    token). So OnBehalf is added if the spec names no tokens and the accounts differ.
    """
    kinds = bot.requested_tokens
    foreign = bool(meeting_account) and bool(app_account) and meeting_account != app_account
    return (*kinds, TokenKind.ON_BEHALF) if bot.tokens_defaulted and foreign else kinds


def person_in(mapping: MeetingMapping | None, *, credential: str) -> OnBehalfUser:
    """The presence of this credential's user in the meeting, as far as it is known."""
    if mapping is None:
        return OnBehalfUser(credential)
    presence = next((one for one in mapping.status.presence if one.name == credential), None)
    if presence is None:
        return OnBehalfUser(credential)
    # No one is in a meeting that has ended; the bot waits until it begins again.
    present = presence.present and mapping.status.phase is not MappingPhase.ENDED
    return OnBehalfUser(credential, present=present, since=_EPOCH + timedelta(milliseconds=presence.event_time))


def on_behalf_names(bot: MeetingBot, credentials: Sequence[ZoomCredential]) -> tuple[str, ...]:
    """The credentials that the spec names for the on-behalf token, in order; empty if it names none.

    `credentials` are those of the bot's namespace.
    """
    on_behalf = bot.spec.on_behalf
    if on_behalf.credential_ref is not None:
        return (on_behalf.credential_ref.name,)
    if on_behalf.credential_selector is None:
        return tuple(dict.fromkeys(reference.name for reference in on_behalf.credential_refs or ()))
    selector = on_behalf.credential_selector
    return tuple(sorted(one.name for one in credentials if selector.matches(one.metadata.labels)))


def by_presence(users: Iterable[OnBehalfUser]) -> list[OnBehalfUser]:
    """The users in the order in which they can serve: present, unknown, absent."""
    return sorted(users, key=lambda user: {True: 0, None: 1, False: 2}[user.present])


def serving(bot: MeetingBot, users: Sequence[OnBehalfUser]) -> MeetingBot:
    """`bot` with the first user's credential as onBehalf.credentialRef, and as credentialRefs those to try next."""
    on_behalf = bot.spec.on_behalf
    if not users or not (on_behalf.credential_refs or on_behalf.credential_selector):
        return bot
    names = [NameReference(name=user.credential) for user in users if user is users[0] or user.present is not False]
    changes = {"credential_ref": names[0], "credential_refs": tuple(names[1:]), "credential_selector": None}
    served = on_behalf.model_copy(update=changes)
    return bot.model_copy(update={"spec": bot.spec.model_copy(update={"on_behalf": served})})


def named_reason(refusals: Sequence[Refusal], *, had: Sequence[TokenKind]) -> str:
    """The value of ZOOM_TOKEN_REASON: one word if all tokens are missing, else each missing token with its reason."""
    if not refusals:
        return ""
    if not had and len({refusal.reason for refusal in refusals}) == 1:
        return refusals[0].reason
    return ", ".join(f"{refusal.kind}: {refusal.reason}" if refusal.kind else refusal.reason for refusal in refusals)

"""Which tokens a bot wants, which credentials can issue them, what refusals mean, and how the status reports it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from meetingbots.bots.decide.facts import BotFacts, Delivery, Finding, OnBehalfUser, Problem
from meetingbots.models.bot import BotReason, BotStatus, MeetingBot, TokenKind, TokenStatus
from meetingbots.models.conditions import Condition, ConditionStatus, ConditionType, find
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.mapping import MappingPhase, MeetingMapping, Role
from meetingbots.models.metadata import NameReference
from meetingbots.zoom.errors import Cause, ZoomError

_NAMED: Final = 3
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


def webhook_doubt(credentials: Iterable[ZoomCredential]) -> str:
    """The sentence that names credentials without verified webhooks, from which mappings would come; else empty."""
    named = [
        f"{one.name} ({condition.reason})"
        for one in credentials
        if (condition := find(one.status.conditions, ConditionType.WEBHOOK_RECEIVING)) is not None
        and condition.status is not ConditionStatus.TRUE
    ]
    if not named:
        return ""
    more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
    names = f"{', '.join(sorted(named)[:_NAMED])}{more}"
    return f" Webhooks may be missing: look at condition WebhookReceiving of ZoomCredential {names}."


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


def token_status(delivery: Delivery) -> TokenStatus:
    """A delivery as the status reports it."""
    return TokenStatus(
        kinds=list(delivery.kinds),
        issued_time=delivery.issued_at.replace(microsecond=0) if delivery.issued_at else None,
        delivered_time=delivery.delivered_at.replace(microsecond=0),
        reason=delivery.reason or None,
    )


def token_finding(facts: BotFacts) -> Finding | None:
    """What TokenIssued says; None before the first token request."""
    failure, delivery = facts.token_failure, facts.delivery
    if delivery is None:
        if failure is None:
            return None
        return Finding(ConditionStatus.FALSE, failure.reason, failure.message)
    if delivery.reason:
        return Finding(ConditionStatus.FALSE, delivery.reason, delivery.message)
    if not delivery.kinds:
        message = "The spec requests no token."
        return Finding(ConditionStatus.FALSE, "NotRequested", message)
    message = _issued(delivery.kinds, delivery.credential)
    message = f"{message} Tried before: {delivery.message}" if delivery.message else message
    return Finding(ConditionStatus.TRUE, "Issued", message)


def _issued(kinds: Sequence[TokenKind], credential: str | None) -> str:
    return f"{', '.join(kinds)}, issued with ZoomCredential {credential}."


def delivery_message(status: BotStatus, condition: Condition | None) -> str:
    """The message of the delivery that a condition TokenIssued was computed from."""
    token = status.token
    if token is None or condition is None:
        return ""
    if token.reason:
        return condition.message
    prefix = f"{_issued(token.kinds, status.credential_name)} Tried before: "
    return condition.message.removeprefix(prefix) if condition.message.startswith(prefix) else ""


def recorded_delivery(status: BotStatus, pod_name: str) -> Delivery | None:
    """The delivery to a Pod that the status records."""
    token = status.token
    if token is None or token.delivered_time is None:
        return None
    condition = find(status.conditions, ConditionType.TOKEN_ISSUED)
    return Delivery(
        pod_name=pod_name,
        kinds=tuple(token.kinds),
        delivered_at=token.delivered_time,
        issued_at=token.issued_time,
        credential=status.credential_name,
        reason=token.reason or "",
        message=delivery_message(status, condition),
        spec_hash=status.spec_hash or "",
    )


def without_token(facts: BotFacts) -> str:
    """The sentence that says why the bot joins without (some of) its tokens; empty if it has them."""
    delivery = facts.delivery
    if delivery is None or not delivery.reason:
        return ""
    if delivery.kinds:
        return f" It joins with {', '.join(delivery.kinds)} only ({delivery.reason}: {delivery.message})"
    return f" It joins without a token and asks the host ({delivery.reason}: {delivery.message})"

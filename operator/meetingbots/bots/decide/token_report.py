"""How the status reports a bot's tokens: status.token, the condition TokenIssued, and a sentence for Ready."""

from __future__ import annotations

from collections.abc import Sequence

from meetingbots.bots.decide.facts import BotFacts, Delivery, Finding
from meetingbots.models.bot import BotStatus, TokenKind, TokenStatus
from meetingbots.models.conditions import Condition, ConditionStatus, ConditionType, find


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


def without_token(facts: BotFacts) -> str:
    """The sentence that says why the bot joins without (some of) its tokens; empty if it has them."""
    delivery = facts.delivery
    if delivery is None or not delivery.reason:
        return ""
    if delivery.kinds:
        return f" It joins with {', '.join(delivery.kinds)} only ({delivery.reason}: {delivery.message})"
    return f" It joins without a token and asks the host ({delivery.reason}: {delivery.message})"


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

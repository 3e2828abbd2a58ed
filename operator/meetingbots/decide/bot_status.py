"""How a bot's state is told: phase and conditions for people, `kubectl wait` and GitOps tools.

Ready is True while a bot waits for its time, stages, joins, runs, succeeded or expired; False with a reason once
something is in its way (Reconciling: it may heal; Stalled: it takes a person, or it is over).
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from meetingbots.build.join_secret import Delivery
from meetingbots.decide.bot_facts import BotFacts, Shortfall
from meetingbots.models.bot import BotPhase, BotReason, BotStatus, MeetingBot, TokenStatus
from meetingbots.models.conditions import Condition, ConditionType, find, remove, set_condition

_STILL_ACTS = {"suspend", "meetingEndPolicy", "leaveAfterMeetingEndSeconds", "ttlSecondsAfterFinished"}


def fixed_spec_hash(bot: MeetingBot) -> str:
    """A fingerprint of what an edit can no longer change once the bot joins."""
    fixed = {key: value for key, value in bot.spec.to_dict().items() if key not in _STILL_ACTS}
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:16]


def going_well(facts: BotFacts, phase: BotPhase, message: str, **changes: Any) -> BotStatus:
    """The status of a bot with nothing in its way (or past it: Succeeded, Expired)."""
    status = _changed(facts, phase=phase, **changes)
    conditions = _set(status.conditions, facts, ConditionType.READY, True, phase.value, message)
    conditions = remove(remove(conditions, ConditionType.RECONCILING), ConditionType.STALLED)
    return status.model_copy(update={"conditions": _token_condition(conditions, facts)})


def in_trouble(
    facts: BotFacts, phase: BotPhase, reason: BotReason, message: str, *, mendable: bool = True, **changes: Any
) -> BotStatus:
    """The status of a bot that something holds up: Reconciling where it may heal, else Stalled."""
    status = _changed(facts, phase=phase, **changes)
    conditions = _set(status.conditions, facts, ConditionType.READY, False, reason, message)
    present, absent = ConditionType.RECONCILING, ConditionType.STALLED
    if not mendable:
        present, absent = absent, present
    if reason is BotReason.SUSPENDED:
        conditions = remove(conditions, present)
    else:
        conditions = _set(conditions, facts, present, True, reason, message)
    conditions = remove(conditions, absent)
    return status.model_copy(update={"conditions": _token_condition(conditions, facts)})


def failed(facts: BotFacts, reason: BotReason, message: str, **changes: Any) -> BotStatus:
    """The status of a bot that has failed for good."""
    changes.setdefault("completion_time", whole_seconds(facts.now))
    changes.setdefault("next_attempt_time", None)
    return in_trouble(facts, BotPhase.FAILED, reason, message, mendable=False, **changes)


def spec_change(facts: BotFacts, status: BotStatus) -> BotStatus:
    """`status` with `SpecChangeIgnored` while the spec differs from the one that the bot joined with."""
    known = status.spec_hash
    conditions: list[Condition] = list(status.conditions)
    if known is not None and known != fixed_spec_hash(facts.bot):
        conditions = _set(
            conditions,
            facts,
            ConditionType.SPEC_CHANGE_IGNORED,
            True,
            "AlreadyJoined",
            "The spec was changed after the bot had joined; it goes on as it was. Only suspend, meetingEndPolicy, "
            "leaveAfterMeetingEndSeconds and ttlSecondsAfterFinished still act.",
        )
    else:
        conditions = remove(conditions, ConditionType.SPEC_CHANGE_IGNORED)
    generation = facts.bot.metadata.generation
    return status.model_copy(update={"conditions": conditions, "observed_generation": generation})


def whole_seconds(moment: datetime) -> datetime:
    """The moment as Kubernetes stores it."""
    return moment.replace(microsecond=0)


def _changed(facts: BotFacts, **changes: Any) -> BotStatus:
    bot = facts.bot
    meeting_id = getattr(facts.meeting, "meeting_id", None) or bot.status.meeting_id
    update: dict[str, Any] = {
        "observed_generation": bot.metadata.generation,
        "meeting_id": meeting_id,
        "scheduled_time": whole_seconds(bot.join_at),
    }
    if facts.delivery is not None:
        update["token"] = _token_status(facts.delivery)
        update["credential_name"] = facts.delivery.credential or bot.status.credential_name
    elif facts.shortfall is not None:
        update["token"] = TokenStatus(reason=facts.shortfall.reason)
    return bot.status.model_copy(update={**update, **changes})


def _token_status(delivery: Delivery) -> TokenStatus:
    return TokenStatus(
        kinds=list(delivery.kinds),
        issued_time=whole_seconds(delivery.issued_at) if delivery.issued_at else None,
        delivered_time=whole_seconds(delivery.delivered_at),
        reason=delivery.reason or None,
    )


def _token_condition(conditions: list[Condition], facts: BotFacts) -> list[Condition]:
    told = facts.delivery or facts.shortfall
    if told is None:
        return conditions
    if isinstance(told, Shortfall):
        return _set(conditions, facts, ConditionType.TOKEN_ISSUED, False, told.reason, told.message)
    if told.reason:
        return _set(conditions, facts, ConditionType.TOKEN_ISSUED, False, told.reason, told.message)
    if not told.kinds:
        return _set(conditions, facts, ConditionType.TOKEN_ISSUED, False, "NotRequested", "The spec asks for no token.")
    names = ", ".join(told.kinds)
    words = f"{names}, made with the ZoomCredential {told.credential}."
    return _set(conditions, facts, ConditionType.TOKEN_ISSUED, True, "Issued", words)


def _set(
    conditions: list[Condition], facts: BotFacts, kind: ConditionType, status: bool, reason: str, message: str
) -> list[Condition]:
    return set_condition(
        conditions,
        type=kind,
        status=status,
        reason=str(reason),
        message=message,
        generation=facts.bot.metadata.generation,
        now=whole_seconds(facts.now),
    )


def ready(status: BotStatus) -> Condition | None:
    """The Ready condition, if there is one."""
    return find(status.conditions, ConditionType.READY)

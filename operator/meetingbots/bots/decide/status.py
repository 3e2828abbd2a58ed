"""A bot's status: phase and conditions for people, `kubectl wait` and GitOps tools.

Ready is True while a bot waits for its time, stages, joins or runs, and when it succeeded or expired. It is False with
a reason once something blocks the bot: Reconciling if that may pass, Stalled if it needs a person or is final.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from meetingbots.bots.decide.facts import BotFacts, MeetingRef, Problem, is_template_error, template_problem
from meetingbots.bots.decide.in_meeting import Stage, with_progress
from meetingbots.bots.decide.pod_state import Obstacle, PodState, Trouble
from meetingbots.bots.decide.schedule import join_time
from meetingbots.bots.decide.tokens import token_finding, token_status, without_token
from meetingbots.models.bot import BotPhase, BotReason, BotStatus, MeetingBot, TokenStatus
from meetingbots.models.conditions import Condition, ConditionStatus, ConditionType, find, remove, set_condition

_STILL_ACTS = {"suspend", "meetingEndPolicy", "leaveAfterMeetingEndSeconds", "ttlSecondsAfterFinished"}
_TOO_DEEP = "too-deep"


def fixed_spec_hash(bot: MeetingBot) -> str:
    """A fingerprint of what an edit can no longer change once the bot joins.

    It leaves out defaults, so that a field that a later version adds is not an edit.
    """
    try:
        spec = bot.spec.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude_none=True)
    except ValueError:  # pydantic serializes 255 levels; no bot joins with a template that deep
        return _TOO_DEEP
    fixed = {key: value for key, value in spec.items() if key not in _STILL_ACTS}
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()[:16]


def known_pod(facts: BotFacts) -> str | None:
    """``status.podName`` at the end of an attempt: None if its Pod was never created."""
    never_created = facts.pod is None and not facts.pod_seen and facts.delivery is None
    return None if never_created and facts.previous_pod is None else facts.bot.status.pod_name


def unchanged(facts: BotFacts) -> BotStatus:
    """The same status, with the generation that it was computed from."""
    return facts.bot.status.model_copy(update={"observed_generation": facts.bot.metadata.generation})


def staged(facts: BotFacts, pod_name: str) -> BotStatus:
    """The status of a bot whose Pod is prepared or waits at its gate: the same for both, so that it is written once."""
    return going_well(facts, BotPhase.STAGING, _preparing(facts, pod_name))


def _preparing(facts: BotFacts, pod_name: str) -> str:
    return f"Pod {pod_name} is being prepared; the bot joins at {join_time(facts.bot):%H:%M:%S} UTC or later."


def claimed(facts: BotFacts, *, pod_name: str) -> BotStatus:
    """The status that claims a Pod's name for a new attempt, without the tokens of an earlier one.

    A refusal of the template is still reported: it may be refused again.
    """
    status = facts.bot.status
    fresh = replace(facts, delivery=None, token_failure=None)
    new_status = going_well(
        fresh,
        BotPhase.STAGING,
        _preparing(facts, pod_name),
        pod_name=pod_name,
        attempts=status.attempts + 1,
        token=None,
        credential_name=None,
        spec_hash=None,
    )
    conditions = status.conditions if facts.doubtful else new_status.conditions
    conditions = remove(remove(conditions, ConditionType.TOKEN_ISSUED), ConditionType.SPEC_CHANGE_IGNORED)
    return new_status.model_copy(update={"conditions": conditions})


def going_well(
    facts: BotFacts, phase: BotPhase, message: str, *, reason: BotReason | None = None, **changes: Any
) -> BotStatus:
    """The status of a bot that nothing blocks; the reason of Ready is `reason` or else the phase."""
    status = _changed(facts, phase=phase, **changes)
    conditions = _set(status.conditions, facts, ConditionType.READY, True, reason or phase.value, message)
    conditions = remove(remove(conditions, ConditionType.RECONCILING), ConditionType.STALLED)
    return status.model_copy(update={"conditions": _with_findings(conditions, facts, status)})


def in_trouble(
    facts: BotFacts, phase: BotPhase, reason: BotReason, message: str, *, recoverable: bool = True, **changes: Any
) -> BotStatus:
    """The status of a bot that something blocks: Reconciling if that is `recoverable`, else Stalled."""
    status = _changed(facts, phase=phase, **changes)
    conditions = _set(status.conditions, facts, ConditionType.READY, False, reason, message)
    present, absent = ConditionType.RECONCILING, ConditionType.STALLED
    if not recoverable:
        present, absent = absent, present
    if reason is BotReason.SUSPENDED:
        conditions = remove(conditions, present)
    else:
        conditions = _set(conditions, facts, present, True, reason, message)
    conditions = remove(conditions, absent)
    return status.model_copy(update={"conditions": _with_findings(conditions, facts, status)})


def blocked(facts: BotFacts, phase: BotPhase, problem: Problem, **changes: Any) -> BotStatus:
    """The status of a bot that a problem blocks."""
    reason, message = problem.reason, problem.message
    return in_trouble(facts, phase, reason, message, recoverable=problem.recoverable, **changes)


_OBSTACLES: Mapping[Obstacle, BotReason] = {
    Obstacle.IMAGE: BotReason.IMAGE_PULL_FAILED,
    Obstacle.CONFIG: BotReason.CONFIG_ERROR,
    Obstacle.PLACEMENT: BotReason.UNSCHEDULABLE,
}


def obstructed(facts: BotFacts, phase: BotPhase, trouble: Trouble, **changes: Any) -> BotStatus:
    """The status of a bot whose Pod cannot start."""
    return in_trouble(facts, phase, _OBSTACLES[trouble.obstacle], trouble.message, **changes)


def running(facts: BotFacts, pod: PodState) -> BotStatus:
    """The status of a bot whose container runs."""
    return going_well(
        facts,
        BotPhase.RUNNING,
        f"The bot runs in Pod {pod.name}.{without_token(facts)}",
        start_time=facts.bot.status.start_time or (pod.bot.started_at if pod.bot else None),
        spec_hash=joined_with(facts),
        next_attempt_time=None,
    )


def failed(facts: BotFacts, reason: BotReason, message: str, **changes: Any) -> BotStatus:
    """The status of a bot that has failed and never runs again."""
    changes.setdefault("completion_time", whole_seconds(facts.now))
    changes.setdefault("next_attempt_time", None)
    return in_trouble(facts, BotPhase.FAILED, reason, message, recoverable=False, **changes)


def spec_change(facts: BotFacts, status: BotStatus) -> BotStatus:
    """`status` with `SpecChangeIgnored` while the spec differs from the one that the bot joined with."""
    known = status.spec_hash
    conditions = list(status.conditions)
    if known is not None and known != fixed_spec_hash(facts.bot):
        conditions = _set(
            conditions,
            facts,
            ConditionType.SPEC_CHANGE_IGNORED,
            True,
            "AlreadyJoined",
            "The spec was changed after the bot had joined, and the change has no effect. Only suspend, "
            "meetingEndPolicy, leaveAfterMeetingEndSeconds and ttlSecondsAfterFinished still act.",
        )
    else:
        conditions = remove(conditions, ConditionType.SPEC_CHANGE_IGNORED)
    generation = facts.bot.metadata.generation
    return status.model_copy(update={"conditions": conditions, "observed_generation": generation})


def whole_seconds(moment: datetime) -> datetime:
    """A time as Kubernetes stores it."""
    return moment.replace(microsecond=0)


def unreadable(item: Mapping[str, Any], message: str, *, now: datetime) -> dict[str, Any] | None:
    """The status of an object that is not a valid MeetingBot; None if its status says so already."""
    generation = item["metadata"].get("generation")
    known = item.get("status", {}).get("conditions", ())
    if any(one.get("type") == ConditionType.READY and one.get("message") == message for one in known):
        return None
    common = {"reason": BotReason.CONFIG_ERROR, "message": message, "last_transition_time": whole_seconds(now)}
    conditions = [
        Condition(type=kind, status=status, observed_generation=generation, **common).to_dict()
        for kind, status in (
            (ConditionType.READY, ConditionStatus.FALSE),
            (ConditionType.STALLED, ConditionStatus.TRUE),
        )
    ]
    return {"conditions": conditions, "observedGeneration": generation}


def _changed(facts: BotFacts, **changes: Any) -> BotStatus:
    bot = facts.bot
    update: dict[str, Any] = {"observed_generation": bot.metadata.generation}
    if facts.delivery is None or bot.status.accounted:
        # An edit after the delivery does not move the bot to another meeting or time.
        known = facts.meeting.meeting_id if isinstance(facts.meeting, MeetingRef) else None
        update["meeting_id"] = known or bot.status.meeting_id
        update["scheduled_time"] = whole_seconds(join_time(bot))
    if facts.delivery is not None:
        update["token"] = token_status(facts.delivery)
        update["credential_name"] = facts.delivery.credential or bot.status.credential_name
    elif facts.token_failure is not None:
        update["token"] = TokenStatus(reason=facts.token_failure.reason)
    update["in_meeting"] = facts.in_meeting
    return bot.status.model_copy(update={**update, **changes})


def _with_findings(conditions: list[Condition], facts: BotFacts, status: BotStatus) -> list[Condition]:
    """The conditions with TokenIssued, and with Admitted and Recording once the bot runs or anything is reported."""
    issued = token_finding(facts)
    if issued is not None:
        conditions = _set(conditions, facts, ConditionType.TOKEN_ISSUED, issued.status, issued.reason, issued.message)
    if facts.in_meeting is None and status.phase is not BotPhase.RUNNING and status.start_time is None:
        return conditions
    generation, now = facts.bot.metadata.generation, whole_seconds(facts.now)
    return with_progress(conditions, facts.in_meeting, stage=_stage(facts, status), generation=generation, now=now)


def _stage(facts: BotFacts, status: BotStatus) -> Stage:
    """Whether the reports are about the current Pod, an earlier one, or a finished bot."""
    if status.finished:
        return Stage.FINISHED
    seen, delivery = facts.in_meeting, facts.delivery
    if seen is None or delivery is None or status.accounted:
        return Stage.EARLIER_POD
    return Stage.CURRENT_POD if seen.since >= whole_seconds(delivery.delivered_at) else Stage.EARLIER_POD


def _set(
    conditions: list[Condition],
    facts: BotFacts,
    kind: ConditionType,
    status: ConditionStatus | bool,
    reason: str,
    message: str,
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


def present_trouble(status: BotStatus) -> str:
    """What blocks the bot now, as a sentence; empty if nothing does."""
    condition = status.ready
    return condition.message if condition is not None and condition.status is ConditionStatus.FALSE else ""


def is_suspended(status: BotStatus) -> bool:
    """Whether the status says that the bot is suspended."""
    condition = status.ready
    return condition is not None and condition.reason == BotReason.SUSPENDED


def has_invalid_template(status: BotStatus) -> bool:
    """Whether the status says that the template is invalid."""
    condition = status.ready
    return condition is not None and condition.reason == BotReason.TEMPLATE_INVALID


def refused_for_its_template(bot: MeetingBot) -> Problem | None:
    """The fault of the bot's own template that the status reports for this generation of the spec.

    It stays until the spec changes: after a change of the operator's default template alone, nobody expects the bot
    any more. A refusal by Kubernetes is not meant, since a policy may change.
    """
    condition = find(bot.status.conditions, ConditionType.STALLED)
    if condition is None or condition.reason != BotReason.TEMPLATE_INVALID:
        return None
    if condition.observed_generation != bot.metadata.generation or not is_template_error(condition.message):
        return None
    return template_problem(condition.message, by_default=False)


def joined_with(facts: BotFacts) -> str:
    """The fingerprint of the spec that the current attempt joined with."""
    delivered = facts.delivery.spec_hash if facts.delivery is not None else ""
    return facts.bot.status.spec_hash or delivered or fixed_spec_hash(facts.bot)


def noted(facts: BotFacts, status: BotStatus, message: str) -> BotStatus:
    """`status` with a sentence added to the message of Ready; the same status if there is none."""
    condition = status.ready
    if not message or condition is None or message in condition.message:
        return status
    well = condition.status is ConditionStatus.TRUE
    conditions = _set(
        status.conditions, facts, ConditionType.READY, well, condition.reason, f"{condition.message} {message}"
    )
    return status.model_copy(update={"conditions": conditions})

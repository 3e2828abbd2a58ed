"""The times of a bot: when its Pod is created, when it joins, by when it must have started, and when it must leave.

Any joinAt that Kubernetes accepts works, including the years 1 and 9999. A bot leaves because it is suspended, not
admitted, there for too long, or because the meeting has ended. Deleting the Pod sends SIGTERM; the cause is found again
afterwards from the same facts, so that a process that dies in between reaches the same end.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from meetingbots.bots.decide.facts import BotFacts
from meetingbots.bots.decide.in_meeting import is_inside, is_out
from meetingbots.bots.decide.pod_state import PodState, attempt_of
from meetingbots.models.bot import BotPhase, BotReason, MeetingBot, MeetingEndPolicy, Retry
from meetingbots.models.conditions import ConditionStatus, ConditionType, find
from meetingbots.models.mapping import MappingPhase, MeetingMapping
from meetingbots.runtime.plan import Backoff

WITHDRAWN = "Withdrawn"
"""Reason of an attempt that its author took back."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SLACK_SECONDS = 5.0
"""Time beyond its grace period after which a Pod's end counts as overdue."""
_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)
_IMMEDIATE_RESTARTS = 3
"""With `backoffSeconds: 0`."""
_MAX_FAILURE_BACKOFF = 300
"""The kubelet's longest pause between restarts. A longer `backoffSeconds` is its own limit."""
_PREPARE_SECONDS = 4.0
_PREPARE_SPREAD_SECONDS = 8.0
_LAST_TRY_SECONDS = 5.0
"""Time for the last token request after the wait for the user and for transient failures."""


def shifted(moment: datetime, *, seconds: float) -> datetime:
    """`moment` plus `seconds`, which may be negative, within the range of a datetime."""
    try:
        return moment + timedelta(seconds=seconds)
    except OverflowError:
        return _LAST if seconds > 0 else _FIRST


def join_time(bot: MeetingBot) -> datetime:
    """When the bot joins.

    Once it was in its meeting, a later joinAt is ignored, also by a replacement, unless its author suspended it.
    """
    status = bot.status
    last = status.last_attempt
    if status.start_time is None or status.scheduled_time is None or last is None or last.reason == WITHDRAWN:
        return bot.join_at
    return min(bot.join_at, status.scheduled_time)


def lead_time(bot: MeetingBot) -> datetime:
    """When the bot's Pod is created."""
    return shifted(join_time(bot), seconds=-bot.spec.lead_seconds)


def prepare_time(bot: MeetingBot) -> datetime:
    """When to read ahead what the token requests need; spread, because many bots join at the full hour."""
    spread = zlib.crc32(bot.metadata.uid.encode()) / 2**32 * _PREPARE_SPREAD_SECONDS
    return shifted(join_time(bot), seconds=-_PREPARE_SECONDS - spread)


def attempt_due(bot: MeetingBot) -> datetime:
    """When the current attempt starts: at joinAt, or when a replacement is due."""
    due = join_time(bot)
    return max(due, bot.status.next_attempt_time or due)


def start_deadline(bot: MeetingBot) -> datetime:
    """By when the current attempt must have started; each replacement has its own deadline."""
    return shifted(attempt_due(bot), seconds=bot.spec.start_deadline_seconds)


def waits_since(bot: MeetingBot) -> datetime | None:
    """Since when the bot has waited for its user, across its Pods, at its current joinAt; None if it has not."""
    since = bot.status.waiting_since
    return None if since is None else max(since, join_time(bot))


def user_deadline(bot: MeetingBot) -> datetime:
    """Until when the bot waits for its user."""
    return shifted(waits_since(bot) or attempt_due(bot), seconds=bot.spec.on_behalf.wait_seconds)


def gate_deadline(facts: BotFacts) -> datetime:
    """Until when the Pod may wait at its gate: `startDeadlineSeconds`, or as long as the bot waits for its user."""
    bot, failure = facts.bot, facts.token_failure
    limit = start_deadline(bot)
    if facts.on_behalf_user is None and not (failure is not None and failure.user_absent):
        return limit
    return max(limit, shifted(user_deadline(bot), seconds=bot.spec.token_wait_seconds + _LAST_TRY_SECONDS))


def is_expired(facts: BotFacts, deadline: datetime) -> bool:
    """Whether a bot that never had a Pod was created too late, or an earlier bot of its name did its work."""
    created = facts.bot.metadata.creation_timestamp
    if facts.bot.status.pod_name is not None or created is None:
        return False
    return facts.done_before or (created > deadline and facts.now >= deadline)


def until(facts: BotFacts, moment: datetime, *, at_most: float = 86_400.0) -> float:
    """The seconds from `facts.now` to `moment`, between 0 and `at_most`."""
    return min(at_most, max(0.0, (moment - facts.now).total_seconds()))


@dataclass(frozen=True)
class Leave:
    """The bot must be out of the meeting from `at` on."""

    at: datetime
    reason: BotReason


def meeting_end(bot: MeetingBot, mapping: MeetingMapping | None) -> datetime | None:
    """When the last run of the bot's meeting ended; None while the meeting runs or no run has ended since joinAt.

    A run that ended before joinAt belongs to another occurrence, or to an earlier meeting with the same personal ID.
    """
    if mapping is None or mapping.status.phase not in (MappingPhase.ENDED, MappingPhase.DELETED):
        return None
    end, event_time = mapping.status.end_time, mapping.status.event_times.live
    # In whole seconds, as Kubernetes stores them: an end within the second of joinAt counts.
    if end is None or end < bot.join_at.replace(microsecond=0):
        return None
    precise = _EPOCH + timedelta(milliseconds=event_time or 0)
    return precise if precise.replace(microsecond=0) == end else end


def run_end(facts: BotFacts) -> datetime | None:
    """From when on the meeting's end concerns the bot; None if it does not (policy Stay) or the meeting goes on.

    A run that ended before the bot was in it (join before host, a test call) counts only after the bot's deadline:
    until then the next run may begin.
    """
    ended = facts.meeting_ended_at
    if ended is None or facts.bot.spec.meeting_end_policy is MeetingEndPolicy.STAY:
        return None
    began = facts.bot.status.start_time
    if began is None and facts.pod is not None and facts.pod.bot is not None:
        began = facts.pod.bot.started_at
    return ended if began is not None and _was_in(facts, began, ended) else max(ended, gate_deadline(facts))


def _was_in(facts: BotFacts, began: datetime, ended: datetime) -> bool:
    """Whether a bot that first started at `began` was in the run that ended at `ended`.

    Container starts are in whole seconds. Within the second of the end, the delivery of the tokens decides.
    """
    delivered = facts.delivery.delivered_at if facts.delivery is not None else began
    return began < ended.replace(microsecond=0) or (began <= ended and delivered <= ended)


def is_run_over(facts: BotFacts) -> bool:
    """Whether no further attempt makes sense, because the bot's run of the meeting has ended."""
    end = run_end(facts)
    return end is not None and facts.now >= end


def leave(facts: BotFacts, pod: PodState) -> Leave | None:
    """The earliest cause to leave, now or in the future; None if there is none."""
    spec, causes = facts.bot.spec, []
    if spec.suspend:
        return Leave(facts.now, BotReason.SUSPENDED)
    end = run_end(facts)
    if end is not None:
        causes.append(Leave(shifted(end, seconds=spec.leave_after_meeting_end_seconds), BotReason.MEETING_ENDED))
    started = pod.bot.started_at if pod.bot is not None else None
    if started is not None:
        at = shifted(started, seconds=spec.max_duration_seconds)
        causes.append(Leave(at, BotReason.MAX_DURATION_EXCEEDED))
        if _is_known_outside(facts, since=started):
            at = shifted(started, seconds=spec.admission_deadline_seconds)
            causes.append(Leave(at, BotReason.NOT_ADMITTED))
    return min(causes, key=lambda cause: cause.at, default=None)


def _is_known_outside(facts: BotFacts, *, since: datetime) -> bool:
    """Whether reports about this attempt say that the bot has not been in the meeting."""
    seen, delivered = facts.in_meeting, facts.delivery.delivered_at if facts.delivery is not None else since
    # The delivery has the operator's clock; the container's start has the node's.
    began = min(since, delivered).replace(microsecond=0)
    if seen is None or seen.since < began or is_inside(seen.state):
        return False
    if seen.admitted_time is None:
        return True
    # admittedTime is the first of all Pods; the condition says whether this Pod was in the meeting before it left.
    admitted = find(facts.bot.status.conditions, ConditionType.ADMITTED)
    was_in = (
        is_out(seen.state)
        and admitted is not None
        and admitted.status is ConditionStatus.TRUE
        and began <= admitted.last_transition_time < seen.since
    )
    return seen.admitted_time < began and not was_in


def is_due(facts: BotFacts, pod: PodState) -> bool:
    """Whether the Pod must be deleted now."""
    cause = leave(facts, pod)
    return cause is not None and facts.now >= cause.at and not pod.deleting


def stayed_its_time(facts: BotFacts, name: str) -> bool:
    """Whether a Pod that left no trace had run for maxDurationSeconds, so that the operator had deleted it."""
    status = facts.bot.status
    delivered = facts.delivery.delivered_at if facts.delivery is not None else None
    began = status.start_time if attempt_of(name) == 1 else delivered
    if began is None or status.phase is not BotPhase.RUNNING:
        return False
    return facts.now >= shifted(began, seconds=facts.bot.spec.max_duration_seconds)


def overdue(pod: PodState) -> datetime | None:
    """From when on the Pod's end is overdue; None if nothing asked it to end."""
    return shifted(pod.ends_by, seconds=_SLACK_SECONDS) if pod.ends_by is not None else None


def time_to_live(facts: BotFacts) -> int | None:
    """Seconds after its end at which the finished bot is deleted; None: never. The default needs a joinAt."""
    own, default = facts.bot.spec.ttl_seconds_after_finished, facts.default_ttl
    return default if own is None and facts.bot.spec.join_at is not None else own


def does_not_end(facts: BotFacts, pod: PodState | None) -> str:
    """The message for a Pod that still exists after its grace period; empty if there is none."""
    limit = overdue(pod) if pod is not None and not pod.finished else None
    if pod is None or pod.ends_by is None or limit is None or facts.now < limit:
        return ""
    where = f" on node {pod.node}, which may be lost" if pod.node else ""
    return f"Pod {pod.name} should have ended by {pod.ends_by:%H:%M:%S} UTC and has not{where}."


def needs_no_watch(mapping: MeetingMapping, bots: Iterable[MeetingBot]) -> bool:
    """Whether the meeting's mapping can lose its label `live`: the meeting is over, and each of its `bots` is finished.

    The label outlasts the meeting's end until then, so that a process that missed the event still learns of the end.
    """
    if mapping.status.phase is MappingPhase.LIVE:
        return False
    return not any(meeting_end(bot, mapping) is not None and not bot.status.finished for bot in bots)


def restart_pause(retry: Retry, *, attempts: int) -> int:
    """Seconds until a failed bot is restarted. Restarts without any pause are few, as each costs the API server."""
    if retry.backoff_seconds or attempts <= _IMMEDIATE_RESTARTS:
        first, failures = retry.backoff_seconds, attempts
    else:
        first, failures = 1, attempts - _IMMEDIATE_RESTARTS
    return round(Backoff(first=first, cap=max(first, _MAX_FAILURE_BACKOFF)).delay(failures))

"""When a bot has to leave its meeting: it was suspended, the meeting has ended, or it has been there long enough.

What is told to the bot is SIGTERM, by deleting its Pod with its grace period; the cause is found again afterwards from
the same facts, so that a process that died in between comes to the same end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from meetingbots.bots.decide.facts import BotFacts
from meetingbots.bots.decide.pod_state import PodState
from meetingbots.bots.decide.schedule import shifted
from meetingbots.models.bot import BotReason, MeetingBot, MeetingEndPolicy
from meetingbots.models.mapping import MappingPhase, MeetingMapping

_SLACK_SECONDS = 5.0
"""How much longer than its grace period a Pod may take before that is worth telling."""


@dataclass(frozen=True)
class Leave:
    """From `at` on the bot is to be out of the meeting."""

    at: datetime
    reason: BotReason


def meeting_end(bot: MeetingBot, mapping: MeetingMapping | None) -> datetime | None:
    """When the bot's meeting ended; None while it runs, or has not begun for all that is known.

    A run that was over when the bot's time came is another occurrence's, or the one before under a personal ID.
    """
    if mapping is None or mapping.status.phase not in (MappingPhase.ENDED, MappingPhase.DELETED):
        return None
    end = mapping.status.end_time
    # In whole seconds, as Kubernetes stores them: what happened within the bot's second happened to its meeting.
    return end if end is not None and end >= bot.join_at.replace(microsecond=0) else None


def leave(facts: BotFacts, pod: PodState) -> Leave | None:
    """The first cause to leave that there is, or will be by time alone; None if the Pod may go on for ever."""
    spec, causes = facts.bot.spec, []
    if spec.suspend:
        return Leave(facts.now, BotReason.SUSPENDED)
    if facts.meeting_ended_at is not None and spec.meeting_end_policy is MeetingEndPolicy.LEAVE:
        at = shifted(facts.meeting_ended_at, seconds=spec.leave_after_meeting_end_seconds)
        causes.append(Leave(at, BotReason.MEETING_ENDED))
    if pod.bot is not None and pod.bot.started_at is not None:
        at = shifted(pod.bot.started_at, seconds=spec.max_duration_seconds)
        causes.append(Leave(at, BotReason.MAX_DURATION_EXCEEDED))
    return min(causes, key=lambda cause: cause.at, default=None)


def is_due(facts: BotFacts, pod: PodState) -> bool:
    """Whether the Pod has to be told to end now."""
    cause = leave(facts, pod)
    return cause is not None and facts.now >= cause.at and not pod.deleting


def overdue(pod: PodState) -> datetime | None:
    """From when on it is remarkable that the Pod is still there; None if it was not told to end."""
    return shifted(pod.ends_by, seconds=_SLACK_SECONDS) if pod.ends_by is not None else None


def does_not_end(facts: BotFacts, pod: PodState | None) -> str:
    """What is to be told of a Pod that is still there after its grace period; empty if there is nothing."""
    limit = overdue(pod) if pod is not None and not pod.finished else None
    if pod is None or pod.ends_by is None or limit is None or facts.now < limit:
        return ""
    where = f" on node {pod.node}, which may be lost" if pod.node else ""
    return f"Pod {pod.name} was to have ended by {pod.ends_by:%H:%M:%S} UTC and has not{where}."

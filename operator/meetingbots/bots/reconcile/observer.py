"""Shows what happens to MeetingBots: Events at transitions, and metrics, each counted once per written status."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Final

from meetingbots.bots.decide.facts import BotFacts
from meetingbots.bots.decide.schedule import attempt_due, join_time
from meetingbots.bots.reconcile.memory import BotMemory
from meetingbots.kube.client import Object
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.models.bot import BotPhase, BotStatus, InMeetingSource, InMeetingState, MeetingBot
from meetingbots.models.conditions import Condition, ConditionStatus, ConditionType, find
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.object_cache import ObjectCache


class RecordingOutcome(StrEnum):
    """How far a finished bot came."""

    RECORDED = "recorded"
    DENIED = "denied"
    """The host refused to let it record."""
    NOT_RECORDED = "not_recorded"
    """It was in the meeting and reported, but never that it recorded."""
    NOT_ADMITTED = "not_admitted"
    NOT_STARTED = "not_started"
    """Its container never ran."""
    NOT_REPORTED = "not_reported"
    """It ran, and nothing says whether it recorded."""


@dataclass(frozen=True)
class TokenCount:
    """One requested token of a delivery: issued, or missing for a reason."""

    kind: str
    outcome: str
    reason: str


def token_counts(bot: MeetingBot, after: BotStatus) -> list[TokenCount]:
    """The tokens of a delivery that `after` records and the bot's status did not."""
    before, token = bot.status.token, after.token
    if token is None or token.delivered_time is None:
        return []
    if before is not None and before.delivered_time == token.delivered_time and bot.status.pod_name == after.pod_name:
        return []
    kinds = dict.fromkeys((*bot.requested_tokens, *token.kinds))
    return [
        TokenCount(kind, "issued", "") if kind in token.kinds else TokenCount(kind, "missing", token.reason or "")
        for kind in kinds
    ]


def recording_outcome(bot: MeetingBot, after: BotStatus) -> RecordingOutcome | None:
    """The outcome of a bot that finishes with `after`; None if it does not, or expired."""
    finishes = after.phase in (BotPhase.SUCCEEDED, BotPhase.FAILED) and bot.status.phase is not after.phase
    if not finishes:
        return None
    seen = after.in_meeting
    if seen is not None and seen.recording_time is not None:
        return RecordingOutcome.RECORDED
    if after.start_time is None:
        return RecordingOutcome.NOT_STARTED
    if seen is None:
        return RecordingOutcome.NOT_REPORTED
    if seen.admitted_time is None:
        return RecordingOutcome.NOT_ADMITTED
    if seen.state is InMeetingState.RECORDING_DENIED:
        return RecordingOutcome.DENIED
    # Zoom's events alone do not say whether a bot records.
    return RecordingOutcome.NOT_RECORDED if seen.source is InMeetingSource.BOT else RecordingOutcome.NOT_REPORTED


def join_to_recording(bot: MeetingBot, after: BotStatus) -> float | None:
    """Seconds from joinAt to the first recording, when `after` records it first."""
    seen, before = after.in_meeting, bot.status.in_meeting
    if seen is None or seen.recording_time is None or (before is not None and before.recording_time is not None):
        return None
    return max(0.0, (seen.recording_time - join_time(bot)).total_seconds())


def measure(metrics: Metrics, bot: MeetingBot, after: BotStatus) -> None:
    """Count what `after`, which was written for `bot`, says that the bot's status did not."""
    for count in token_counts(bot, after):
        metrics.tokens.labels(count.kind, count.outcome, count.reason).inc()
    outcome = recording_outcome(bot, after)
    if outcome is not None:
        metrics.recordings.labels(outcome).inc()
    seconds = join_to_recording(bot, after)
    if seconds is not None:
        metrics.join_to_recording.observe(seconds)


_ALARMING: Final = frozenset({"RecordingDenied", "Removed"})
"""Reasons of Admitted and Recording that make a Warning."""


class BotObserver:
    """Records Events and metrics. `bots` is the cache of MeetingBots, which are counted by phase."""

    def __init__(self, *, recorder: EventRecorder, metrics: Metrics, bots: ObjectCache) -> None:
        self._recorder = recorder
        self._metrics = metrics
        for phase in BotPhase:
            metrics.bots.labels(phase).set_function(partial(bots.size, phase.value))

    def written(self, item: Object, bot: MeetingBot, after: BotStatus) -> None:
        """Record Events and metrics for a status that was written for `bot`.

        An Event follows when the phase, Ready's reason, Admitted or Recording changes.
        """
        before = bot.status
        ready, was = after.ready, before.ready
        if ready is not None and (was is None or was.reason != ready.reason or before.phase != after.phase):
            warning = ready.status is ConditionStatus.FALSE
            self._recorder.event(item, reason=ready.reason, note=ready.message, warning=warning)
        for condition in news(before, after):
            warning = condition.reason in _ALARMING
            self._recorder.event(item, reason=condition.reason, note=condition.message, warning=warning)
        measure(self._metrics, bot, after)
        if after.phase is BotPhase.FAILED and before.phase is not BotPhase.FAILED and ready is not None:
            self._metrics.bots_failed.labels(ready.reason).inc()

    def measure(self, facts: BotFacts, memory: BotMemory) -> None:
        """Measure, once per attempt, the token's age at the start and the start's delay after joinAt.

        The container's own start time counts; this process may notice it much later.
        """
        attempt, pod = memory.attempt, facts.pod
        if attempt is None or pod is None or not pod.started or attempt.started_seen:
            return
        attempt.started_seen = True
        if facts.bot.status.phase is BotPhase.RUNNING or facts.bot.status.finished:
            return  # It was measured before.
        started_at = (pod.bot.started_at if pod.bot is not None else None) or facts.now
        if facts.delivery is not None and facts.delivery.issued_at is not None:
            self._metrics.token_age_at_start.observe(_seconds(facts.delivery.issued_at, started_at))
        self._metrics.join_delay.observe(_seconds(attempt_due(facts.bot), started_at))

    def token_issued_again(self, item: Object, pod: str) -> None:
        """Record an Event for a further join token."""
        note = f"Pod {pod} requested a further join token and got one."
        self._recorder.event(item, reason="TokenIssuedAgain", note=note, action="Rejoin")

    def answered(self, result: str) -> None:
        """Count an answer of the token endpoint."""
        self._metrics.rejoin_tokens.labels(result).inc()


def news(before: BotStatus, after: BotStatus) -> list[Condition]:
    """The conditions Admitted and Recording that changed status or reason, for Events; Unknown is no news."""
    changed = []
    for kind in (ConditionType.ADMITTED, ConditionType.RECORDING):
        old, new = find(before.conditions, kind), find(after.conditions, kind)
        if new is None or new.status is ConditionStatus.UNKNOWN:
            continue
        if old is None or (old.status, old.reason) != (new.status, new.reason):
            changed.append(new)
    return changed


def _seconds(start: datetime, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds())

"""Shows what happens to MeetingBots: Events at transitions, and metrics."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Final

from meetingbots.bots.decide import status as bot_status
from meetingbots.bots.decide.facts import BotFacts
from meetingbots.bots.decide.in_meeting import news
from meetingbots.bots.decide.schedule import attempt_due
from meetingbots.bots.reconcile.measures import measure
from meetingbots.bots.reconcile.memory import BotMemory
from meetingbots.kube.client import Object
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.models.bot import BotPhase, BotStatus, MeetingBot
from meetingbots.models.conditions import ConditionStatus
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.object_cache import ObjectCache

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
        ready, was = bot_status.ready(after), bot_status.ready(before)
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
        if facts.bot.status.phase is BotPhase.RUNNING:
            return  # An earlier process has measured it.
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


def _seconds(start: datetime, end: datetime) -> float:
    return max(0.0, (end - start).total_seconds())

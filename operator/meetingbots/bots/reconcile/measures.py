"""Adds each written status to the metrics."""

from __future__ import annotations

from meetingbots.bots.decide.measures import join_to_recording, recording_outcome, token_counts
from meetingbots.models.bot import BotStatus, MeetingBot
from meetingbots.runtime.metrics import Metrics


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

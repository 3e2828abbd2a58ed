"""What a written status adds to the metrics: derived from the status before and after, so that it counts once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from meetingbots.bots.decide.schedule import join_time
from meetingbots.models.bot import BotPhase, BotStatus, InMeetingSource, InMeetingState, MeetingBot


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

"""Where the bot is in the meeting: merges reports from Zoom and from the bot, and says what the conditions report.

Both sources repeat, delay and reorder their reports, so merging is ordered by time and idempotent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from meetingbots.bots.decide.facts import Finding
from meetingbots.models.bot import BotStatus, InMeeting, InMeetingSource, InMeetingState, MeetingBot
from meetingbots.models.conditions import Condition, ConditionStatus, ConditionType, set_condition
from meetingbots.models.mapping import MeetingMapping

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_RANK: Final = {state: rank for rank, state in enumerate(InMeetingState)}
_INSIDE: Final = frozenset(
    {
        InMeetingState.IN_MEETING,
        InMeetingState.ASKING_HOST,
        InMeetingState.RECORDING,
        InMeetingState.RECORDING_DENIED,
    }
)
_OUT: Final = frozenset({InMeetingState.REMOVED, InMeetingState.LEFT})


class Stage(StrEnum):
    """What the known reports are about."""

    CURRENT_POD = "CurrentPod"
    EARLIER_POD = "EarlierPod"
    FINISHED = "Finished"


@dataclass(frozen=True)
class Report:
    """One observation of a bot, by Zoom or by the bot itself."""

    state: InMeetingState
    source: InMeetingSource
    at: datetime
    code: int | None = None
    message: str = ""


def sightings(bot: MeetingBot, mapping: MeetingMapping) -> list[Report]:
    """What Zoom's events, as the meeting's mapping keeps them, say about the bot."""
    reports = []
    for presence in mapping.status.bots or ():
        if presence.customer_key == bot.customer_key:
            times = {
                InMeetingState.WAITING_ROOM: presence.waiting_room_time,
                InMeetingState.IN_MEETING: presence.joined_time,
                InMeetingState.LEFT: presence.left_time,
            }
            for state, milliseconds in times.items():
                if milliseconds is not None:
                    at = _EPOCH + timedelta(milliseconds=milliseconds)
                    reports.append(Report(state, InMeetingSource.ZOOM, at))
    return reports


def is_inside(state: InMeetingState) -> bool:
    """Whether a bot in this state is in the meeting, past the waiting room."""
    return state in _INSIDE


def is_out(state: InMeetingState) -> bool:
    """Whether a bot in this state has left the meeting or was removed from it."""
    return state in _OUT


def merge(known: InMeeting | None, reports: Iterable[Report]) -> InMeeting | None:
    """`known` updated with reports, in order of time; the very same object if they add nothing."""
    for report in sorted(reports, key=lambda one: (one.at, _RANK[one.state])):
        known = _merged(known, report)
    return known


def _merged(known: InMeeting | None, report: Report) -> InMeeting:
    at = report.at.replace(microsecond=0)  # as Kubernetes stores it
    if known is None:
        first = InMeeting(state=report.state, source=report.source, since=at, code=report.code, message=report.message)
        return _with_times(first, report.state, at)
    timed = _with_times(known, report.state, at)
    if not _supersedes(report, at, timed):
        return timed
    news = {"state": report.state, "source": report.source, "code": report.code, "message": report.message}
    if all(getattr(timed, field) == value for field, value in news.items()):
        return timed
    since = timed.since if report.state is timed.state else at
    return timed.model_copy(update={**news, "since": since})


def _supersedes(report: Report, at: datetime, known: InMeeting) -> bool:
    """Whether a report describes a later state than the known one.

    Zoom cannot see what a bot does inside a meeting, so its `in_meeting` never replaces a bot's more exact state.
    Reports of the bot arrive in order; those of Zoom need not, so that within one second the further state counts.
    """
    if report.source is InMeetingSource.BOT:
        return at >= known.since
    if report.state is known.state or (report.state is InMeetingState.IN_MEETING and is_inside(known.state)):
        return False
    return at > known.since or (at == known.since and _RANK[report.state] > _RANK[known.state])


def _with_times(known: InMeeting, state: InMeetingState, at: datetime) -> InMeeting:
    """`known` with the times that a state at a time adds: the first of each kind, but the last time of leaving."""
    times: dict[str, datetime] = {}
    if state is InMeetingState.WAITING_ROOM:
        times["waiting_room_time"] = min(known.waiting_room_time or at, at)
    if is_inside(state):
        times["admitted_time"] = min(known.admitted_time or at, at)
    if state is InMeetingState.RECORDING:
        times["recording_time"] = min(known.recording_time or at, at)
    if is_out(state):
        times["left_time"] = max(known.left_time or at, at)
    changed = {field: time for field, time in times.items() if getattr(known, field) != time}
    return known.model_copy(update=changed) if changed else known


_REASONS: Final = {
    InMeetingState.JOINING: "Joining",
    InMeetingState.WAITING_ROOM: "InWaitingRoom",
    InMeetingState.IN_MEETING: "NotRecording",
    InMeetingState.ASKING_HOST: "AskingHost",
    InMeetingState.RECORDING: "Recording",
    InMeetingState.RECORDING_DENIED: "RecordingDenied",
    InMeetingState.REMOVED: "Removed",
    InMeetingState.LEFT: "Left",
}
_NOT_REPORTED: Final = "NotReported"


def with_progress(
    conditions: list[Condition], seen: InMeeting | None, *, stage: Stage, generation: int | None, now: datetime
) -> list[Condition]:
    """The conditions with Admitted and Recording; `now` is in whole seconds."""
    for kind, finding in (
        (ConditionType.ADMITTED, admitted(seen, stage=stage)),
        (ConditionType.RECORDING, recording(seen, stage=stage)),
    ):
        conditions = set_condition(
            conditions,
            type=kind,
            status=finding.status,
            reason=finding.reason,
            message=finding.message,
            generation=generation,
            now=now,
        )
    return conditions


def reported(bot: MeetingBot, report: Report) -> BotStatus:
    """The status after a report about the bot's current Pod; the very same status if the report adds nothing."""
    status, known = bot.status, bot.status.in_meeting
    said = (report.state, report.source, report.code, report.message)
    if known is not None and (known.state, known.source, known.code, known.message) == said:
        return status
    seen = merge(known, [report])
    if seen is known:
        return status
    now, generation = report.at.replace(microsecond=0), bot.metadata.generation
    conditions = with_progress(status.conditions, seen, stage=Stage.CURRENT_POD, generation=generation, now=now)
    return status.model_copy(update={"in_meeting": seen, "conditions": conditions})


def admitted(seen: InMeeting | None, *, stage: Stage) -> Finding:
    """The condition Admitted: whether the bot is, or was to its end, past the waiting room."""
    if seen is None or stage is Stage.EARLIER_POD:
        return _unknown("whether the bot was admitted")
    if is_inside(seen.state) or (seen.admitted_time is not None and (stage is Stage.FINISHED or is_out(seen.state))):
        since = f" In the meeting since {seen.admitted_time:%H:%M:%S} UTC." if seen.admitted_time is not None else ""
        return Finding(ConditionStatus.TRUE, "Admitted", f"{_latest(seen)}{since}")
    return Finding(ConditionStatus.FALSE, _REASONS[seen.state], _latest(seen))


def recording(seen: InMeeting | None, *, stage: Stage) -> Finding:
    """The condition Recording: whether the bot records now. Only the bot itself can report that it records."""
    if seen is None or stage is Stage.EARLIER_POD:
        return _unknown("whether the bot records")
    message = _latest(seen)
    if seen.recording_time is not None and seen.state is not InMeetingState.RECORDING:
        message = f"{message} The bot recorded from {seen.recording_time:%H:%M:%S} UTC on."
    if seen.state is InMeetingState.RECORDING:
        if stage is Stage.FINISHED:
            return Finding(
                ConditionStatus.FALSE, "Ended", f"The bot recorded from {seen.recording_time:%H:%M:%S} UTC on."
            )
        return Finding(ConditionStatus.TRUE, "Recording", message)
    if seen.state is InMeetingState.IN_MEETING and seen.source is InMeetingSource.ZOOM:
        return _unknown("whether the bot records", _latest(seen))
    return Finding(ConditionStatus.FALSE, _REASONS[seen.state], message)


def _unknown(what: str, known: str = "") -> Finding:
    message = f"{known} Neither Zoom nor the bot reported {what}.".strip()
    return Finding(ConditionStatus.UNKNOWN, _NOT_REPORTED, message)


def _latest(seen: InMeeting) -> str:
    """The latest report as a sentence, with the contradiction that it settled."""
    detail = f" (code {seen.code})" if seen.code else ""
    words = f": {seen.message.rstrip('.')}" if seen.message else ""
    text = f"{seen.source} reported {seen.state} at {seen.since:%H:%M:%S} UTC{detail}{words}."
    if seen.left_time is not None and not is_out(seen.state):
        text = f"{text} An earlier report, of {seen.left_time:%H:%M:%S} UTC, said that the bot had left."
    return text

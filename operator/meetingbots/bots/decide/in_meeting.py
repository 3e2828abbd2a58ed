"""Where the bot is in the meeting: merges what Zoom's webhooks and the bot's own reports say.

Both sources repeat, delay and reorder their facts, so merging is ordered by time and idempotent.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meetingbots.models.bot import InMeeting, InMeetingSource, InMeetingState

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


@dataclass(frozen=True)
class Report:
    """One observation of a bot, by Zoom or by the bot itself."""

    state: InMeetingState
    source: InMeetingSource
    at: datetime
    code: int | None = None
    message: str = ""


def customer_key(uid: str) -> str:
    """The key that identifies a bot in Zoom's participant events: the MeetingBot's UID without dashes."""
    return uid.replace("-", "")


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

"""A meeting's runs in its mapping: when one began and ended, which of our users are in it, and the phase from it all.

Runs are told apart by Zoom's uuid, for events of two runs overtake each other. Pure: no clock, no Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from meetingbots.mappings.decide.event_times import whole_seconds
from meetingbots.models.mapping import MAX_FOUND_CREDENTIALS, MappingPhase, MappingStatus, Presence
from meetingbots.zoom.webhooks.events import MeetingEvent

_JOINED: Final = "participant_joined"


def after_run(before: MappingStatus, event: MeetingEvent) -> MappingStatus:
    """The status after `started` or `ended`; who has left with the run is not present any more."""
    after = _started(before, event) if event.action == "started" else _ended(before, event)
    if event.planned:
        # Only that it is a planned one is kept by this: once a meeting has run, its plan's time is not told any more.
        after = with_times(after, schedule=max(event.event_ts, after.event_times.schedule or 0))
    if after.uuid == event.uuid:
        after = after.model_copy(update={"phase": phase_of(after, deleted=before.phase is MappingPhase.DELETED)})
    present = [one for one in after.presence if not _is_past(after, uuid=one.uuid, event_ts=one.event_time)]
    return after if present == after.presence else after.model_copy(update={"presence": present})


def after_presence(before: MappingStatus, event: MeetingEvent, *, names: Iterable[str]) -> MappingStatus:
    """The status after the user of these credentials came into the meeting or left it."""
    if _is_past(before, uuid=event.uuid, event_ts=event.event_ts):
        return before
    known = {one.name: one for one in before.presence}
    for name in names:
        told = Presence(name=name, present=event.action == _JOINED, event_time=event.event_ts, uuid=event.uuid)
        old = known.get(name)
        if old is None or (old.event_time, old.present) < (told.event_time, told.present):
            known[name] = told
    presence = sorted(known.values(), key=lambda one: one.name)[:MAX_FOUND_CREDENTIALS]
    return before if presence == before.presence else before.model_copy(update={"presence": presence})


def phase_of(status: MappingStatus, *, deleted: bool) -> MappingPhase:
    """Where the meeting stands, from its runs and whether it was deleted.

    A run that began after the deletion shows that the meeting is there again.
    """
    has_run = status.uuid is not None
    existence = whole_seconds(status.event_times.existence or 0)
    ran_since = has_run and status.start_time is not None and status.start_time > existence
    if deleted and not ran_since:
        return MappingPhase.DELETED
    if not has_run:
        return MappingPhase.SCHEDULED
    return MappingPhase.LIVE if status.end_time is None else MappingPhase.ENDED


def with_times(status: MappingStatus, **times: int) -> MappingStatus:
    """The status with some of the mapping's own event times changed."""
    return status.model_copy(update={"event_times": status.event_times.model_copy(update=times)})


def _started(before: MappingStatus, event: MeetingEvent) -> MappingStatus:
    moment, known = whole_seconds(event.event_ts), before.event_times.live or 0
    if before.uuid == event.uuid:
        after = with_times(before, live=max(known, event.event_ts))
        return after.model_copy(update={"start_time": min(before.start_time or moment, moment)})
    if event.event_ts > known:
        after = with_times(before, live=event.event_ts)
        return after.model_copy(update={"uuid": event.uuid, "start_time": moment, "end_time": None})
    if before.start_time is not None and moment > before.start_time and _an_end_is_ahead(before):
        # A later run than the known one, whose end (or that of a still later one) has already been heard of.
        return before.model_copy(update={"uuid": event.uuid, "start_time": moment, "end_time": moment})
    return before


def _ended(before: MappingStatus, event: MeetingEvent) -> MappingStatus:
    moment, known = whole_seconds(event.event_ts), before.event_times.live or 0
    if before.uuid == event.uuid:
        after = with_times(before, live=max(known, event.event_ts))
        return after.model_copy(update={"end_time": max(before.end_time or moment, moment)})
    if event.event_ts <= known:
        return before
    after = with_times(before, live=event.event_ts)
    if before.uuid is not None and before.end_time is None:
        # Not the running uuid: its run goes on. That this end was heard of is remembered in the aspect's time only,
        # so that the beginning of the run that it belongs to, if it comes late, starts nothing.
        return after
    return after.model_copy(update={"uuid": event.uuid, "start_time": None, "end_time": moment})


def _an_end_is_ahead(status: MappingStatus) -> bool:
    told = status.end_time or status.start_time
    return told is not None and whole_seconds(status.event_times.live or 0) > told


def _is_past(status: MappingStatus, *, uuid: str | None, event_ts: int) -> bool:
    """Whether a run with this uuid is over: it has ended, or another has begun since."""
    if uuid == status.uuid:
        return status.end_time is not None
    return event_ts <= (status.event_times.live or 0)

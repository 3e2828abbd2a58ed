"""Instances (runs) of a meeting in its mapping: their start and end, and the resulting phase.

Zoom's uuid identifies an instance; events of two instances overtake each other. Pure: no clock, no Kubernetes.
"""

from __future__ import annotations

from meetingbots.mappings.decide.event_times import whole_seconds
from meetingbots.models.mapping import MappingPhase, MappingStatus
from meetingbots.zoom.webhooks.events import MeetingEvent


def apply_instance(before: MappingStatus, event: MeetingEvent) -> MappingStatus:
    """Return the status after `started` or `ended`."""
    after = _started(before, event) if event.action == "started" else _ended(before, event)
    if event.planned:
        # Records only that the meeting is a planned one: its planned time is no longer shown once it has run.
        after = with_times(after, schedule=max(event.event_ts, after.event_times.schedule or 0))
    if after.uuid == event.uuid:
        after = after.model_copy(update={"phase": phase_of(after, deleted=before.phase is MappingPhase.DELETED)})
    return after


def phase_of(status: MappingStatus, *, deleted: bool) -> MappingPhase:
    """Return the phase that follows from the instances and a deletion.

    An instance that started after the deletion proves that the meeting exists again.
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
    """Set some of the mapping's own event times."""
    return status.model_copy(update={"event_times": status.event_times.model_copy(update=times)})


def _started(before: MappingStatus, event: MeetingEvent) -> MappingStatus:
    moment, known = whole_seconds(event.event_ts), before.event_times.live or 0
    if before.uuid == event.uuid:
        after = with_times(before, live=max(known, event.event_ts))
        return after.model_copy(update={"start_time": min(before.start_time or moment, moment)})
    if event.event_ts > known:
        after = with_times(before, live=event.event_ts)
        return after.model_copy(update={"uuid": event.uuid, "start_time": moment, "end_time": None})
    if before.start_time is not None and moment > before.start_time and _has_later_end(before):
        # Newer than the known instance, but its own end (or that of a newer one) has already arrived.
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
        # Another instance runs and goes on. The time alone records this end, so that the late `started` of the ended
        # instance starts nothing.
        return after
    return after.model_copy(update={"uuid": event.uuid, "start_time": None, "end_time": moment})


def _has_later_end(status: MappingStatus) -> bool:
    known = status.end_time or status.start_time
    return known is not None and whole_seconds(status.event_times.live or 0) > known


def is_over(status: MappingStatus, *, uuid: str | None, event_ts: int) -> bool:
    """Return whether the instance of an event has ended, or a newer one has started."""
    if uuid == status.uuid:
        return status.end_time is not None
    return is_superseded(status, uuid=uuid, event_ts=event_ts)


def is_superseded(status: MappingStatus, *, uuid: str | None, event_ts: int) -> bool:
    """Return whether the event belongs to an instance before the newest one."""
    return uuid != status.uuid and event_ts <= (status.event_times.live or 0)

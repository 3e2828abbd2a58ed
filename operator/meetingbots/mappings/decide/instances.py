"""Instances (runs) of a meeting in its mapping, and the times of the newest events of each aspect.

Zoom's uuid identifies an instance; events of two instances overtake each other. Existence, runs and the planned time of
a meeting are one fact for all apps. Roles are kept for each app: every Zoom app reports its own credentials only, and
the events of two apps about one change differ by milliseconds. Pure: no clock, no Kubernetes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from meetingbots.models.mapping import MAX_APPS, AppTimes, EventTimes, MappingPhase, MappingStatus
from meetingbots.zoom.webhooks.events import MeetingEvent

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(moment: datetime) -> int:
    """Return an aware time in Zoom's unit, milliseconds since 1970."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def whole_seconds(ms: int) -> datetime:
    """Return a time in Zoom's unit as Kubernetes writes it: UTC without the fraction of a second."""
    return _EPOCH + timedelta(seconds=ms // 1000)


def times_of(status: MappingStatus, *, app: str) -> AppTimes:
    """Return the times of an app's events. While no app has times of its own, the mapping's times count for each."""
    times = status.event_times
    for one in times.apps or ():
        if one.name == app:
            return one
    if times.apps:
        return AppTimes(name=app)
    return AppTimes(name=app, existence=times.existence, roles=times.roles, alternatives=times.roles)


def with_app_time(status: MappingStatus, *, app: str, aspect: str, at: int) -> MappingStatus:
    """Set an app's time of one aspect: `existence`, `roles` or `alternatives`.

    Beyond `MAX_APPS` apps, the one with the oldest event is dropped.
    """
    changed = times_of(status, app=app).model_copy(update={aspect: at})
    others = [one for one in status.event_times.apps or () if one.name != app]
    others = sorted(others, key=lambda one: max(one.existence or 0, one.roles or 0, one.alternatives or 0))
    apps = sorted([changed, *others[-(MAX_APPS - 1) :]], key=lambda one: one.name)
    changes: dict[str, object] = {"apps": apps}
    if aspect == "roles":
        changes["roles"] = max(at, status.event_times.roles or 0)
    return status.model_copy(update={"event_times": status.event_times.model_copy(update=changes)})


def newest(times: EventTimes) -> int:
    """Return the time of the newest event of any aspect; 0 without one."""
    all_times = (
        times.existence,
        times.roles,
        times.live,
        times.schedule,
        *(one.alternatives for one in times.apps or ()),
    )
    return max(moment or 0 for moment in all_times)


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

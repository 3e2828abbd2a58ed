"""Times of the newest events of a mapping, one for each aspect, so that the order of events does not matter.

Existence, runs and the planned time of a meeting are one fact for all apps. Roles are kept for each app: every Zoom app
reports its own credentials only, and the events of two apps about one change differ by milliseconds.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from meetingbots.models.mapping import MAX_APPS, AppTimes, EventTimes, MappingStatus

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

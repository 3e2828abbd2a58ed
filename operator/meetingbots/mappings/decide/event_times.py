"""The times that make a mapping's state the same in whatever order its events come: one for each aspect.

Whether a meeting exists, runs, and when it is planned is one fact for everybody. Whose it is, each Zoom app tells for
its own credentials; two apps tell it a few milliseconds apart, so each has its own times.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from meetingbots.models.mapping import MAX_APPS, AppTimes, EventTimes, MappingStatus

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(moment: datetime) -> int:
    """An aware time in Zoom's unit, milliseconds since 1970."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def whole_seconds(ms: int) -> datetime:
    """Zoom's time as Kubernetes writes it, without the fraction of a second."""
    return _EPOCH + timedelta(seconds=ms // 1000)


def told_by(status: MappingStatus, *, app: str) -> AppTimes:
    """What was told by an app so far. Where no app is noted, the mapping's own times count for each."""
    times = status.event_times
    for one in times.apps or ():
        if one.name == app:
            return one
    if times.apps:
        return AppTimes(name=app)
    return AppTimes(name=app, existence=times.existence, roles=times.roles, alternatives=times.roles)


def with_app_time(status: MappingStatus, *, app: str, aspect: str, at: int) -> MappingStatus:
    """The status once `app` told something about an aspect (`existence`, `roles`, `alternatives`) at `at`."""
    told = told_by(status, app=app).model_copy(update={aspect: at})
    others = [one for one in status.event_times.apps or () if one.name != app]
    # One too many: the one that has been silent for longest.
    others = sorted(others, key=lambda one: max(one.existence or 0, one.roles or 0, one.alternatives or 0))
    apps = sorted([told, *others[-(MAX_APPS - 1) :]], key=lambda one: one.name)
    changes: dict[str, object] = {"apps": apps}
    if aspect == "roles":
        changes["roles"] = max(at, status.event_times.roles or 0)
    return status.model_copy(update={"event_times": status.event_times.model_copy(update=changes)})


def newest(times: EventTimes) -> int:
    """When something was last told at all; 0: never."""
    told = (times.existence, times.roles, times.live, times.schedule, *(one.alternatives for one in times.apps or ()))
    return max(moment or 0 for moment in told)

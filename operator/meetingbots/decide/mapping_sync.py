"""What a credential's own list of meetings, as Zoom gives it, changes in the mappings; and which mappings are over.

A list is a statement about one moment, the start of the sync that read it: what events told since then stands. It adds
and repairs; it removes only what a list once added. Pure: times come in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from meetingbots.decide.mapping import ordered, phase_of
from meetingbots.models.mapping import (
    EventTimes,
    FoundCredential,
    MappingPhase,
    MappingStatus,
    MeetingMapping,
    Role,
    Source,
)

KEPT_AFTER_END: Final = timedelta(hours=24)
"""How long tombstones and ended instant meetings stay."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FROM_LISTS: Final = frozenset({Source.SYNC, Source.PMI})


@dataclass(frozen=True)
class Remove:
    """The mapping itself is to go: nobody is left in it."""


REMOVE: Final = Remove()


def milliseconds(moment: datetime) -> int:
    """An aware time in Zoom's unit, milliseconds since 1970."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def listed(status: MappingStatus | None, *, name: str, source: Source, start: datetime) -> MappingStatus | None:
    """The status once Zoom's list (or the user's PMI) named the meeting as that of credential `name`.

    `source` is Sync or PMI, `start` when the sync began. None: it was known already, or something newer says otherwise.
    """
    before = status or MappingStatus()
    at, times = milliseconds(start), before.event_times
    if before.phase is MappingPhase.DELETED and at <= (times.existence or 0):
        return None
    known = next((one for one in before.credentials if one.name == name), None)
    if known is None and at < (times.roles or 0):
        return None
    if known is not None and known.role is not Role.HOST and at < (times.roles or 0):
        return None
    entry = FoundCredential(name=name, role=Role.HOST, source=source)
    credentials = ordered([entry, *(one for one in before.credentials if one.name != name)])
    phase = before.phase
    if phase in (None, MappingPhase.DELETED):
        phase = phase_of(before, deleted=False)
    if credentials == before.credentials and phase == before.phase:
        return None
    heard = EventTimes(
        existence=max(at, times.existence or 0), roles=max(at, times.roles or 0), live=before.event_times.live
    )
    return before.model_copy(update={"credentials": credentials, "phase": phase, "event_times": heard})


def no_longer_listed(mapping: MeetingMapping, *, name: str, start: datetime) -> MappingStatus | Remove | None:
    """What becomes of a mapping that names credential `name` and that Zoom's complete list does not have.

    Only an entry that a list added (or a personal meeting ID of the past) goes, and only when nothing was told about
    roles since the sync began. A running meeting stays: Zoom lists no instant and no overdue ones.
    """
    status, at = mapping.status, milliseconds(start)
    entry = next((one for one in status.credentials if one.name == name), None)
    if entry is None or entry.source not in _FROM_LISTS:
        return None
    if status.phase in (MappingPhase.LIVE, MappingPhase.DELETED) or (status.event_times.roles or 0) >= at:
        return None
    left = [one for one in status.credentials if one.name != name]
    if not left and not mapping.spec.credentials:
        return REMOVE
    heard = status.event_times.model_copy(update={"roles": at})
    return status.model_copy(update={"credentials": left, "event_times": heard})


def is_over(mapping: MeetingMapping, *, now: datetime) -> bool:
    """Whether a mapping has had its time: a day-old tombstone, an instant meeting that ended a day ago, or nobody's.

    People's own objects are never over.
    """
    status, times = mapping.status, mapping.status.event_times
    if mapping.spec.credentials or status.phase is MappingPhase.LIVE:
        return False
    newest = max(times.existence or 0, times.roles or 0, times.live or 0)
    if milliseconds(now - KEPT_AFTER_END) < newest:
        return False
    if status.phase is MappingPhase.DELETED or not status.credentials:
        return newest > 0
    is_instant = times.existence is None and not any(one.source in _FROM_LISTS for one in status.credentials)
    return status.phase is MappingPhase.ENDED and is_instant

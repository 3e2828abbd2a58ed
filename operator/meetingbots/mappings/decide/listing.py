"""Applies to mappings what Zoom answers: a credential's meeting list, and a token that was issued with a credential.

A list describes one moment, the start of the sync that read it; newer events stand. A list adds and repairs entries,
and removes only entries that a list has added. Pure: time is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from meetingbots.mappings.decide.events import ordered
from meetingbots.mappings.decide.instances import milliseconds, phase_of, times_of, with_app_time, with_times
from meetingbots.models.mapping import (
    FoundCredential,
    MappingPhase,
    MappingStatus,
    MeetingMapping,
    Role,
    Source,
)

FROM_LISTS: Final = frozenset({Source.SYNC, Source.PMI})
"""Sources of the entries that a sync may remove."""


@dataclass(frozen=True)
class Remove:
    """Delete the mapping: it has no entries left."""


@dataclass(frozen=True)
class Compact:
    """Keep the mapping and drop the API server's bookkeeping of it."""


REMOVE: Final = Remove()
COMPACT: Final = Compact()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """The credential that read the list, its app's Secret (names), and when the sync started.

    `users` maps the other user-level credentials of the app and account to their Zoom user IDs.
    """

    name: str
    app: str
    start: datetime
    users: Mapping[str, str] = field(default_factory=dict)

    @property
    def at(self) -> int:
        """Start in Zoom's unit, milliseconds since 1970."""
        return milliseconds(self.start)


@dataclass(frozen=True, slots=True)
class ListedMeeting:
    """A meeting of the list. `source` is Sync, or PMI for the user's personal meeting ID."""

    source: Source
    start_time: datetime | None = None
    host_id: str = ""


def with_listed(status: MappingStatus | None, *, reader: Reader, found: ListedMeeting) -> MappingStatus | None:
    """Return the status with the reader's credential as host; None when nothing changes or a newer event disagrees.

    A meeting has one host: another host's entry, left by an event that had a lost successor, is removed.
    """
    before = status or MappingStatus()
    if before.phase is MappingPhase.DELETED and reader.at <= (before.event_times.existence or 0):
        return None
    known = next((one for one in before.credentials if one.name == reader.name), None)
    has_newer_event = reader.at < (times_of(before, app=reader.app).roles or 0)
    if has_newer_event and (known is None or known.role is not Role.HOST):
        return None
    entry = FoundCredential(name=reader.name, role=Role.HOST, source=found.source)
    others = [one for one in before.credentials if one.name != reader.name]
    if not has_newer_event:
        others = [one for one in others if not _is_former_host(one, reader=reader, host_id=found.host_id)]
    after = before.model_copy(update={"credentials": ordered([entry, *others])})
    if before.phase in (None, MappingPhase.DELETED):
        after = after.model_copy(update={"phase": phase_of(after, deleted=False)})
    after = _with_planned_time(after, reader=reader, found=found)
    return None if after == before else _with_reader_times(after, reader)


def without_unlisted(mapping: MeetingMapping, *, reader: Reader) -> MappingStatus | Remove | None:
    """Return what becomes of a mapping that names the reader's credential and is not in Zoom's complete list.

    Only an entry that a list added is removed, and only without an event about roles since the sync started. A running
    meeting stays: Zoom lists neither instant nor overdue meetings.
    """
    status = mapping.status
    entry = next((one for one in status.credentials if one.name == reader.name), None)
    if entry is None or entry.source not in FROM_LISTS:
        return None
    roles = times_of(status, app=reader.app).roles or 0
    if status.phase in (MappingPhase.LIVE, MappingPhase.DELETED) or roles >= reader.at:
        return None
    left = [one for one in status.credentials if one.name != reader.name]
    if not left and not mapping.spec.credentials:
        return REMOVE
    after = status.model_copy(update={"credentials": left})
    return with_app_time(after, app=reader.app, aspect="roles", at=reader.at)


def _is_former_host(entry: FoundCredential, *, reader: Reader, host_id: str) -> bool:
    user = reader.users.get(entry.name)
    is_another = bool(host_id) and user is not None and user != host_id
    return is_another and entry.role is Role.HOST and entry.source is not Source.LOOKUP


def _with_planned_time(status: MappingStatus, *, reader: Reader, found: ListedMeeting) -> MappingStatus:
    if found.start_time is None or status.uuid is not None or reader.at < (status.event_times.schedule or 0):
        return status
    planned = found.start_time.replace(microsecond=0)
    if planned == status.start_time:
        return status
    return with_times(status.model_copy(update={"start_time": planned}), schedule=reader.at)


def _with_reader_times(status: MappingStatus, reader: Reader) -> MappingStatus:
    roles = max(reader.at, times_of(status, app=reader.app).roles or 0)
    after = with_app_time(status, app=reader.app, aspect="roles", at=roles)
    return with_times(after, existence=max(reader.at, status.event_times.existence or 0))


def lists(mapping: MeetingMapping | None, credential: str) -> bool:
    """Return whether the mapping lists the credential, in its manual or its found entries."""
    if mapping is None:
        return False
    manual, found = mapping.spec.credentials, mapping.status.credentials
    return any(one.name == credential for one in manual) or any(one.name == credential for one in found)


def with_lookup(mapping: MeetingMapping | None, *, credential: str) -> MappingStatus | None:
    """Return the status with a Lookup entry for the credential; None when the mapping lists it already."""
    if lists(mapping, credential):
        return None
    before = mapping.status if mapping is not None else MappingStatus()
    entry = FoundCredential(name=credential, role=Role.HOST, source=Source.LOOKUP)
    return before.model_copy(
        update={
            "credentials": ordered([*before.credentials, entry]),
            "phase": before.phase or MappingPhase.SCHEDULED,
        }
    )

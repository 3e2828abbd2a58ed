"""What a credential's own list of meetings, as Zoom gives it, changes in the mappings.

A list is a statement about one moment, the start of the sync that read it: what events told since then stands. It adds
and repairs; it removes only what a list once added. Pure: times come in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from meetingbots.mappings.decide.event_times import milliseconds, told_by, with_app_time
from meetingbots.mappings.decide.events import ordered
from meetingbots.mappings.decide.instances import phase_of, with_times
from meetingbots.models.mapping import (
    FoundCredential,
    MappingPhase,
    MappingStatus,
    MeetingMapping,
    Role,
    Source,
)

FROM_LISTS: Final = frozenset({Source.SYNC, Source.PMI})
"""How entries were found that a sync may take out again."""


@dataclass(frozen=True)
class Remove:
    """The mapping itself is to go: nobody is left in it."""


REMOVE: Final = Remove()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Whose list it is: a credential and its app's Secret, by name; and when the reading began.

    `users` are the other credentials of the app and the account that speak for one user each, and those users' ids.
    """

    name: str
    app: str
    start: datetime
    users: Mapping[str, str] = field(default_factory=dict)

    @property
    def at(self) -> int:
        """The start in Zoom's unit, milliseconds since 1970."""
        return milliseconds(self.start)


@dataclass(frozen=True, slots=True)
class Listed:
    """A meeting in the list: from where (Sync, or PMI for the user's personal ID), when it is planned, whose it is."""

    source: Source
    start_time: datetime | None = None
    host_id: str = ""


def listed(status: MappingStatus | None, *, reader: Reader, found: Listed) -> MappingStatus | None:
    """The status once Zoom's list (or the user's PMI) named the meeting as that of the reader's credential.

    A meeting has one host: who else was taken for it, by an event whose successor was lost, is so no longer.
    None: it was known already, or something newer says otherwise.
    """
    before = status or MappingStatus()
    if before.phase is MappingPhase.DELETED and reader.at <= (before.event_times.existence or 0):
        return None
    known = next((one for one in before.credentials if one.name == reader.name), None)
    told_since = reader.at < (told_by(before, app=reader.app).roles or 0)
    if told_since and (known is None or known.role is not Role.HOST):
        return None
    entry = FoundCredential(name=reader.name, role=Role.HOST, source=found.source)
    others = [one for one in before.credentials if one.name != reader.name]
    if not told_since:
        others = [one for one in others if not _was_host(one, reader=reader, host_id=found.host_id)]
    after = before.model_copy(update={"credentials": ordered([entry, *others])})
    if before.phase in (None, MappingPhase.DELETED):
        after = after.model_copy(update={"phase": phase_of(after, deleted=False)})
    after = _planned(after, reader=reader, found=found)
    return None if after == before else _heard(after, reader)


def no_longer_listed(mapping: MeetingMapping, *, reader: Reader) -> MappingStatus | Remove | None:
    """What becomes of a mapping that names the reader's credential and that Zoom's complete list does not have.

    Only an entry that a list added (or a personal meeting ID of the past) goes, and only when nothing was told about
    roles since the sync began. A running meeting stays: Zoom lists no instant and no overdue ones.
    """
    status = mapping.status
    entry = next((one for one in status.credentials if one.name == reader.name), None)
    if entry is None or entry.source not in FROM_LISTS:
        return None
    told = told_by(status, app=reader.app).roles or 0
    if status.phase in (MappingPhase.LIVE, MappingPhase.DELETED) or told >= reader.at:
        return None
    left = [one for one in status.credentials if one.name != reader.name]
    if not left and not mapping.spec.credentials:
        return REMOVE
    after = status.model_copy(update={"credentials": left})
    return with_app_time(after, app=reader.app, aspect="roles", at=reader.at)


def _was_host(entry: FoundCredential, *, reader: Reader, host_id: str) -> bool:
    user = reader.users.get(entry.name)
    is_another = bool(host_id) and user is not None and user != host_id
    return is_another and entry.role is Role.HOST and entry.source is not Source.LOOKUP


def _planned(status: MappingStatus, *, reader: Reader, found: Listed) -> MappingStatus:
    if found.start_time is None or status.uuid is not None or reader.at < (status.event_times.schedule or 0):
        return status
    planned = found.start_time.replace(microsecond=0)
    if planned == status.start_time:
        return status
    return with_times(status.model_copy(update={"start_time": planned}), schedule=reader.at)


def _heard(status: MappingStatus, reader: Reader) -> MappingStatus:
    roles = max(reader.at, told_by(status, app=reader.app).roles or 0)
    after = with_app_time(status, app=reader.app, aspect="roles", at=roles)
    return with_times(after, existence=max(reader.at, status.event_times.existence or 0))

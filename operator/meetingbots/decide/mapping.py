"""What an event of Zoom's changes in a meeting's mapping, so that a bot finds the right credential a second later.

Events come late, twice and in any order. A mapping therefore has three aspects, each with the time (Zoom's event_ts)
of the newest event that was heeded, and an older event of an aspect changes nothing:

- existence: created and recovered, or deleted. A deleted meeting stays as a tombstone, so that a late `created` does
  not bring it back. The assistant who planned a meeting for somebody (role Operator) is known from here, too.
- roles: whose meeting it is (created, updated, recovered, deleted, where they name the host).
- live: its runs, told apart by their uuid. An `ended` ends only the run with its uuid. While nothing has been heard
  about roles (instant meetings), the newest run tells the host as well.

Any order and repetition of a set of events leads to the same state. Pure: no clock, no Kubernetes.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from meetingbots.decide.ownership import Concern
from meetingbots.models.mapping import (
    MAX_FOUND_CREDENTIALS,
    EventTimes,
    FoundCredential,
    MappingPhase,
    MappingStatus,
    Role,
    Source,
)
from meetingbots.zoom.events import MeetingEvent

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ORDER: Final = {role: place for place, role in enumerate(Role)}
_BEGINS: Final = frozenset({"created", "recovered"})
_ENDS: Final = frozenset({"deleted", "permanently_deleted"})
_TELLS_ROLES: Final = frozenset({"updated", *_BEGINS, *_ENDS})
_RUNS: Final = frozenset({"started", "ended"})


def is_of_interest(event: MeetingEvent) -> bool:
    """Whether the event can change a mapping at all. One occurrence of a series coming or going does not."""
    if event.action in _RUNS:
        return bool(event.uuid)
    if event.action == "updated":
        return event.host_id is not None
    return event.action in _TELLS_ROLES and not event.single_occurrence


def after_meeting_event(status: MappingStatus | None, *, event: MeetingEvent, concern: Concern) -> MappingStatus | None:
    """The mapping's status after `event`; None: it changes nothing. `status` is None where there is no mapping yet."""
    before = status or MappingStatus()
    if not is_of_interest(event):
        return None
    if event.action in _RUNS:
        after = _run(before, event, concern)
    else:
        after = _hosts_told(_existence(before, event, concern), event, concern)
    return None if after == before else after


def after_personal_id(
    status: MappingStatus | None, *, event_ts: int, concern: Concern, taken: bool
) -> MappingStatus | None:
    """The status of the meeting with a personal meeting ID after its user took it (or gave it up, for another one).

    Giving up removes only entries of source PMI. None: it changes nothing.
    """
    before = status or MappingStatus()
    if event_ts < (before.event_times.roles or 0):
        return None
    ours = set(concern.hosts)
    others = [one for one in before.credentials if one.name not in ours or (not taken and one.source is not Source.PMI)]
    entries = [FoundCredential(name=name, role=Role.HOST, source=Source.PMI) for name in concern.hosts if taken]
    if not taken and others == before.credentials:
        return None
    after = _with(before, credentials=ordered([*others, *entries]), roles=event_ts)
    if taken and event_ts > (before.event_times.existence or 0):
        after = _with(after, existence=event_ts, phase=phase_of(after, deleted=False))
    after = _with(after, phase=after.phase or MappingPhase.SCHEDULED)
    return None if after == before else after


def wants_live_label(before: MappingStatus | None, after: MappingStatus) -> bool:
    """Whether the operator has something to see in a run, and so the label must be put on.

    It goes on when a run begins, and when one is over of which no beginning was heard. Nobody here takes it off: the
    operator does, once the bots in that meeting have left.
    """
    if after.phase is MappingPhase.LIVE:
        return True
    is_new = before is None or (before.uuid, before.phase) != (after.uuid, after.phase)
    return after.phase is MappingPhase.ENDED and is_new


def ordered(entries: Iterable[FoundCredential]) -> list[FoundCredential]:
    """The entries in the order of trial, one for each name (the best role), bounded."""
    best: dict[str, FoundCredential] = {}
    for entry in sorted(entries, key=lambda one: (_ORDER[one.role], one.name)):
        best.setdefault(entry.name, entry)
    return list(best.values())[:MAX_FOUND_CREDENTIALS]


def phase_of(status: MappingStatus, *, deleted: bool) -> MappingPhase:
    """Where the meeting stands, from its runs and whether it was deleted.

    A run that began after the deletion shows that the meeting is there again.
    """
    existence = _seconds(status.event_times.existence or 0)
    ran_since = status.start_time is not None and status.start_time > existence
    if deleted and not ran_since:
        return MappingPhase.DELETED
    if status.uuid is None:
        return MappingPhase.SCHEDULED
    return MappingPhase.LIVE if status.end_time is None else MappingPhase.ENDED


def _existence(before: MappingStatus, event: MeetingEvent, concern: Concern) -> MappingStatus:
    before = _with(before, phase=before.phase or MappingPhase.SCHEDULED)
    known = before.event_times.existence or 0
    deleted = event.action in _ENDS
    if event.action not in (_BEGINS | _ENDS) or event.event_ts < known:
        return before
    if deleted and _is_personal(before, event, concern):
        # One meeting under a personal ID was deleted; the personal ID itself lives on.
        return before
    if not deleted and event.event_ts == known and before.phase is MappingPhase.DELETED:
        return before
    after = _with(before, existence=event.event_ts, credentials=_operators_told(before, event, concern))
    return _with(after, phase=phase_of(after, deleted=deleted))


def _is_personal(before: MappingStatus, event: MeetingEvent, concern: Concern) -> bool:
    return (
        event.meeting_id == event.pmi
        or event.meeting_id in concern.personal_ids
        or any(one.source is Source.PMI for one in before.credentials)
    )


def _operators_told(before: MappingStatus, event: MeetingEvent, concern: Concern) -> list[FoundCredential]:
    others = [one for one in before.credentials if one.role is not Role.OPERATOR or one.name not in concern.scope]
    if event.action in _ENDS:
        return others
    return ordered([*others, *_entries(before, concern.operators, role=Role.OPERATOR)])


def _hosts_told(before: MappingStatus, event: MeetingEvent, concern: Concern) -> MappingStatus:
    if event.host_id is None or event.event_ts < (before.event_times.roles or 0):
        return before
    return _with(before, credentials=_with_hosts(before, concern), roles=event.event_ts)


def _with_hosts(before: MappingStatus, concern: Concern) -> list[FoundCredential]:
    others = [one for one in before.credentials if one.role is not Role.HOST or one.name not in concern.scope]
    return ordered([*others, *_entries(before, concern.hosts, role=Role.HOST)])


def _entries(before: MappingStatus, names: Iterable[str], *, role: Role) -> list[FoundCredential]:
    # What a sync found stays the sync's to remove: an event that confirms it does not change its source.
    sources = {one.name: one.source for one in before.credentials}
    return [FoundCredential(name=name, role=role, source=sources.get(name, Source.WEBHOOK)) for name in names]


def _run(before: MappingStatus, event: MeetingEvent, concern: Concern) -> MappingStatus:
    after = _started(before, event) if event.action == "started" else _ended(before, event)
    if after.uuid != event.uuid:
        return after
    if after.event_times.roles is None:
        # Another run, another host perhaps; the same run may be told by several apps, each for its own credentials.
        after = _with(after, credentials=_with_hosts(before, concern))
    deleted = before.phase is MappingPhase.DELETED
    return _with(after, phase=phase_of(after, deleted=deleted))


def _started(before: MappingStatus, event: MeetingEvent) -> MappingStatus:
    moment, known = _seconds(event.event_ts), before.event_times.live or 0
    if before.uuid == event.uuid:
        return _with(before, live=max(known, event.event_ts), start_time=before.start_time or moment)
    if event.event_ts > known:
        return _with(before, uuid=event.uuid, live=event.event_ts, start_time=moment, end_time=None)
    if before.start_time is not None and moment > before.start_time and _an_end_is_ahead(before):
        # A later run than the known one, whose end (or that of a still later one) has already been heard of.
        return _with(before, uuid=event.uuid, start_time=moment, end_time=moment)
    return before


def _ended(before: MappingStatus, event: MeetingEvent) -> MappingStatus:
    moment, known = _seconds(event.event_ts), before.event_times.live or 0
    if before.uuid == event.uuid:
        return _with(before, live=max(known, event.event_ts), end_time=max(before.end_time or moment, moment))
    if event.event_ts <= known:
        return before
    if before.uuid is not None and before.end_time is None:
        # Not the running uuid: its run goes on. That this end was heard of is remembered in the aspect's time only,
        # so that the beginning of the run that it belongs to, if it comes late, starts nothing.
        return _with(before, live=event.event_ts)
    return _with(before, uuid=event.uuid, live=event.event_ts, start_time=None, end_time=moment)


def _an_end_is_ahead(status: MappingStatus) -> bool:
    told = status.end_time or status.start_time
    return told is not None and _seconds(status.event_times.live or 0) > told


def _seconds(milliseconds: int) -> datetime:
    return _EPOCH + timedelta(seconds=milliseconds // 1000)


def _with(status: MappingStatus, **changes: object) -> MappingStatus:
    """The status with some fields and, by their own names, event times changed."""
    times = {name: changes.pop(name) for name in tuple(changes) if name in EventTimes.model_fields}
    if times:
        changes["event_times"] = status.event_times.model_copy(update=times)
    return status.model_copy(update=changes)

"""What an event of Zoom's changes in a meeting's mapping, so that a bot finds the right credential a second later.

Events come late, twice and in any order. A mapping therefore has aspects, each with the time (Zoom's event_ts) of the
newest event that was heeded, and an older event of an aspect changes nothing:

- existence: created and recovered, or deleted; whose host is changed exists, too. A deleted meeting stays as a
  tombstone, so that a late `created` does not bring it back. The assistant who planned a meeting for somebody (role
  Operator) is known from here, too.
- roles: who the host is (created, updated, recovered, deleted, where they name the host); alternatives: who may stand
  in. Each app tells them for its own credentials.
- schedule: when it is planned, as long as it has not run.
- live: its runs, told apart by their uuid. An `ended` ends only the run with its uuid. While an app has told nothing
  about roles (instant meetings), the newest run tells the host as well. Presence belongs to a run.

Any order and repetition of a set of events leads to the same state. Pure: no clock, no Kubernetes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from meetingbots.mappings.decide.event_times import told_by, with_app_time
from meetingbots.mappings.decide.instances import after_presence, after_run, phase_of, with_times
from meetingbots.mappings.decide.ownership import Concern
from meetingbots.models.mapping import (
    MAX_FOUND_CREDENTIALS,
    FoundCredential,
    MappingPhase,
    MappingStatus,
    Role,
    Source,
)
from meetingbots.zoom.webhooks.events import MeetingEvent

_Step: TypeAlias = Callable[[MappingStatus, MeetingEvent, Concern], MappingStatus]
_ORDER: Final = {role: place for place, role in enumerate(Role)}
_BEGINS: Final = frozenset({"created", "recovered"})
_ENDS: Final = frozenset({"deleted", "permanently_deleted"})
_EXISTS: Final = _BEGINS | {"updated"}
_RUNS: Final = frozenset({"started", "ended"})
_PRESENCE: Final = frozenset({"participant_joined", "participant_left"})


def is_of_interest(event: MeetingEvent) -> bool:
    """Whether the event can change a mapping at all. One occurrence of a series coming or going does not."""
    if event.action in _RUNS:
        return bool(event.uuid)
    if event.action in _PRESENCE:
        return bool(event.uuid) and event.participant is not None and event.participant.user_id is not None
    if event.single_occurrence or event.scope == "single":
        return False
    if event.action == "updated":
        return any(part is not None for part in (event.host_id, event.alternative_hosts, event.start_time))
    return event.action in _BEGINS | _ENDS


def after_meeting_event(status: MappingStatus | None, *, event: MeetingEvent, concern: Concern) -> MappingStatus | None:
    """The mapping's status after `event`; None: it changes nothing. `status` is None where there is no mapping yet."""
    before = status or MappingStatus()
    if not is_of_interest(event) or not _is_ours(before, concern):
        return None
    after = before
    for step in _steps(event):
        after = step(after, event, concern)
    return None if after == before else after


def after_personal_id(
    status: MappingStatus | None, *, event_ts: int, concern: Concern, taken: bool
) -> MappingStatus | None:
    """The status of the meeting with a personal meeting ID after its user took it (or gave it up, for another one).

    Giving up removes only entries of source PMI. None: it changes nothing.
    """
    before = status or MappingStatus()
    if event_ts < (told_by(before, app=concern.app).roles or 0):
        return None
    ours = set(concern.hosts)
    others = [one for one in before.credentials if one.name not in ours or (not taken and one.source is not Source.PMI)]
    entries = [FoundCredential(name=name, role=Role.HOST, source=Source.PMI) for name in concern.hosts if taken]
    if not taken and others == before.credentials:
        return None
    after = before.model_copy(update={"credentials": ordered([*others, *entries])})
    after = with_app_time(after, app=concern.app, aspect="roles", at=event_ts)
    if taken and event_ts > (before.event_times.existence or 0):
        after = with_times(after, existence=event_ts)
        after = after.model_copy(update={"phase": phase_of(after, deleted=False)})
    after = after.model_copy(update={"phase": after.phase or MappingPhase.SCHEDULED})
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


def _is_ours(before: MappingStatus, concern: Concern) -> bool:
    return concern.claims or any(one.name in concern.scope for one in before.credentials)


def _steps(event: MeetingEvent) -> tuple[_Step, ...]:
    if event.action in _RUNS:
        return (_run,)
    if event.action in _PRESENCE:
        return (_presence,)
    told = (_operators_told, _hosts_told, _alternatives_told, _schedule_told)
    if event.action != "updated":
        return (_existence, *told)
    # A change with its host shows that the meeting exists. It is no word of its app's about that: first the roles.
    return (_seen, *told, _existence) if event.host_id is not None else (_seen, *told)


def _seen(before: MappingStatus, _: MeetingEvent, __: Concern) -> MappingStatus:
    return before.model_copy(update={"phase": before.phase or MappingPhase.SCHEDULED})


def _existence(before: MappingStatus, event: MeetingEvent, concern: Concern) -> MappingStatus:
    before = _seen(before, event, concern)
    known = before.event_times.existence or 0
    deleted = event.action in _ENDS
    if event.action not in (_EXISTS | _ENDS) or event.event_ts < known:
        return before
    if deleted and _is_personal(before, event, concern):
        # One meeting under a personal ID was deleted; the personal ID itself lives on.
        return before
    if not deleted and event.event_ts == known and before.phase is MappingPhase.DELETED:
        return before
    after = with_times(before, existence=event.event_ts)
    return after.model_copy(update={"phase": phase_of(after, deleted=deleted)})


def _is_personal(before: MappingStatus, event: MeetingEvent, concern: Concern) -> bool:
    return (
        event.meeting_id == event.pmi
        or event.meeting_id in concern.personal_ids
        or any(one.source is Source.PMI for one in before.credentials)
    )


def _operators_told(before: MappingStatus, event: MeetingEvent, concern: Concern) -> MappingStatus:
    if event.action not in (_BEGINS | _ENDS) or _is_older(before, event, concern, aspect="existence"):
        return before
    operators = () if event.action in _ENDS else concern.operators
    after = _with_role(before, concern, names=operators, role=Role.OPERATOR)
    return with_app_time(after, app=concern.app, aspect="existence", at=event.event_ts)


def _hosts_told(before: MappingStatus, event: MeetingEvent, concern: Concern) -> MappingStatus:
    if event.host_id is None or _is_older(before, event, concern, aspect="roles"):
        return before
    after = _with_role(before, concern, names=concern.hosts, role=Role.HOST)
    return with_app_time(after, app=concern.app, aspect="roles", at=event.event_ts)


def _alternatives_told(before: MappingStatus, event: MeetingEvent, concern: Concern) -> MappingStatus:
    # What an event does not mention has not changed; an empty list means that there is none any more.
    if event.alternative_hosts is None or event.action in _ENDS:
        return before
    if _is_older(before, event, concern, aspect="alternatives"):
        return before
    after = _with_role(before, concern, names=concern.alternatives, role=Role.ALTERNATIVE_HOST)
    return with_app_time(after, app=concern.app, aspect="alternatives", at=event.event_ts)


def _schedule_told(before: MappingStatus, event: MeetingEvent, _: Concern) -> MappingStatus:
    if event.start_time is None or event.action in _ENDS or event.event_ts < (before.event_times.schedule or 0):
        return before
    after = with_times(before, schedule=event.event_ts)
    # Once it has run, startTime tells of the run.
    planned = event.start_time.replace(microsecond=0)
    return after if before.uuid is not None else after.model_copy(update={"start_time": planned})


def _run(before: MappingStatus, event: MeetingEvent, concern: Concern) -> MappingStatus:
    after = after_run(before, event)
    return _hosts_by_run(after, event, concern) if after.uuid == event.uuid else after


def _presence(before: MappingStatus, event: MeetingEvent, concern: Concern) -> MappingStatus:
    after = after_presence(before, event, names=concern.present)
    if after == before:
        return before
    after = after.model_copy(update={"phase": after.phase or MappingPhase.SCHEDULED})
    return _hosts_by_run(after, event, concern) if after.uuid in (None, event.uuid) else after


def _hosts_by_run(status: MappingStatus, event: MeetingEvent, concern: Concern) -> MappingStatus:
    """Another run, another host perhaps; the same run may be told by several apps, each for its own credentials."""
    if event.host_id is None or told_by(status, app=concern.app).roles is not None:
        return status
    return _with_role(status, concern, names=concern.hosts, role=Role.HOST)


def _is_older(before: MappingStatus, event: MeetingEvent, concern: Concern, *, aspect: str) -> bool:
    known = getattr(told_by(before, app=concern.app), aspect)
    return known is not None and event.event_ts < known


def _with_role(before: MappingStatus, concern: Concern, *, names: Iterable[str], role: Role) -> MappingStatus:
    """Exactly these of the app's credentials have the role; what a look-up proved at Zoom stays."""
    others = [
        one
        for one in before.credentials
        if one.role is not role or one.name not in concern.scope or one.source is Source.LOOKUP
    ]
    # What a sync found stays the sync's to remove: an event that confirms it does not change its source.
    sources = {one.name: one.source for one in before.credentials}
    told = [FoundCredential(name=name, role=role, source=sources.get(name, Source.WEBHOOK)) for name in names]
    return before.model_copy(update={"credentials": ordered([*others, *told])})

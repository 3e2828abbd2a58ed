"""Applies a Zoom event to a meeting's mapping. Pure: no clock, no Kubernetes.

Events arrive late, twice and in any order. Any order and repetition of a set of events leads to the same status: each
aspect of a mapping has the time (Zoom's event_ts) of its newest event, and an older event of that aspect is ignored.

- existence: created, recovered, deleted; an update or conversion that names the host. A deleted meeting stays as a
  tombstone, so that a late `created` does not revive it. Operators (assistants who plan for the host) belong here.
- roles: the host (created, updated, recovered, deleted); alternatives: the alternative hosts. Both for each app.
- schedule: the planned time, until the meeting has run.
- live: the instances (runs), identified by uuid. `ended` ends only the instance with its uuid. While an app has no
  roles (instant meetings), the newest instance names the host. Presence belongs to an instance and a session.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from meetingbots.mappings.decide.instances import apply_instance, phase_of, times_of, with_app_time, with_times
from meetingbots.mappings.decide.ownership import Concern
from meetingbots.mappings.decide.presence import (
    PRESENCE_ACTIONS,
    WAITING_ROOM_ACTIONS,
    apply_bot_event,
    apply_presence,
    without_past_instances,
)
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
_CREATING: Final = frozenset({"created", "recovered"})
_DELETING: Final = frozenset({"deleted", "permanently_deleted"})
_CHANGING: Final = frozenset({"updated", "converted_to_webinar", "converted_to_meeting"})
_EXISTING: Final = _CREATING | _CHANGING
_INSTANCES: Final = frozenset({"started", "ended"})


def is_relevant(event: MeetingEvent) -> bool:
    """Return whether the event can change a mapping. Events about one occurrence of a series cannot."""
    if event.action in _INSTANCES:
        return bool(event.uuid)
    if event.action in PRESENCE_ACTIONS | WAITING_ROOM_ACTIONS:
        person = event.participant
        if person is None or not event.uuid:
            return False
        return bool(person.customer_key) or (event.action in PRESENCE_ACTIONS and person.user_id is not None)
    if event.single_occurrence or event.scope == "single":
        return False
    if event.action in _CHANGING:
        return any(part is not None for part in (event.host_id, event.alternative_hosts, event.start_time))
    return event.action in _CREATING | _DELETING


def apply_meeting_event(status: MappingStatus | None, *, event: MeetingEvent, concern: Concern) -> MappingStatus | None:
    """Return the new status, or None when the event changes nothing. `status` is None for a new mapping."""
    before = status or MappingStatus()
    if not is_relevant(event) or not _is_ours(before, concern):
        return None
    after = before
    for step in _steps(event):
        after = step(after, event, concern)
    return None if after == before else after


def apply_personal_id(
    status: MappingStatus | None, *, event_ts: int, concern: Concern, taken: bool
) -> MappingStatus | None:
    """Return the status of a personal meeting ID's mapping after its user took the ID, or gave it up for another.

    Giving up removes only entries of source PMI. None: nothing changes.
    """
    before = status or MappingStatus()
    if event_ts < (times_of(before, app=concern.app).roles or 0):
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


def needs_live_label(before: MappingStatus | None, after: MappingStatus) -> bool:
    """Return whether the operator must look at the mapping: an instance runs, or one ended whose start was missed.

    Only the operator removes the label, once the meeting's bots have left.
    """
    if after.phase is MappingPhase.LIVE:
        return True
    is_new = before is None or (before.uuid, before.phase) != (after.uuid, after.phase)
    return after.phase is MappingPhase.ENDED and is_new


def ordered(entries: Iterable[FoundCredential]) -> list[FoundCredential]:
    """Sort the entries by role, then name; keep the best role of each name, and at most `MAX_FOUND_CREDENTIALS`."""
    best: dict[str, FoundCredential] = {}
    for entry in sorted(entries, key=lambda one: (_ORDER[one.role], one.name)):
        best.setdefault(entry.name, entry)
    return list(best.values())[:MAX_FOUND_CREDENTIALS]


def _is_ours(before: MappingStatus, concern: Concern) -> bool:
    return concern.claims or any(one.name in concern.scope for one in before.credentials)


def _steps(event: MeetingEvent) -> tuple[_Step, ...]:
    if event.action in _INSTANCES:
        return (_apply_instance,)
    if event.action in PRESENCE_ACTIONS | WAITING_ROOM_ACTIONS:
        return (_apply_presence, _apply_bot_event)
    details = (_set_operators, _set_hosts, _set_alternatives, _set_schedule)
    if event.action not in _CHANGING:
        return (_set_existence, *details)
    # An update with its host proves that the meeting exists, but is no `created` of its app: set the roles first.
    return (_with_phase, *details, _set_existence) if event.host_id is not None else (_with_phase, *details)


def _with_phase(before: MappingStatus, _: MeetingEvent, __: Concern) -> MappingStatus:
    return before.model_copy(update={"phase": before.phase or MappingPhase.SCHEDULED})


def _set_existence(before: MappingStatus, event: MeetingEvent, concern: Concern) -> MappingStatus:
    before = _with_phase(before, event, concern)
    known = before.event_times.existence or 0
    deleted = event.action in _DELETING
    if event.action not in (_EXISTING | _DELETING) or event.event_ts < known:
        return before
    if deleted and _is_personal(before, event, concern):
        # One meeting under a personal ID was deleted; the personal ID itself remains.
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


def _set_operators(before: MappingStatus, event: MeetingEvent, concern: Concern) -> MappingStatus:
    if event.action not in (_CREATING | _DELETING) or _is_older(before, event, concern, aspect="existence"):
        return before
    operators = () if event.action in _DELETING else concern.operators
    after = _with_role(before, concern, names=operators, role=Role.OPERATOR)
    return with_app_time(after, app=concern.app, aspect="existence", at=event.event_ts)


def _set_hosts(before: MappingStatus, event: MeetingEvent, concern: Concern) -> MappingStatus:
    if event.host_id is None or _is_older(before, event, concern, aspect="roles"):
        return before
    after = _with_role(before, concern, names=concern.hosts, role=Role.HOST)
    return with_app_time(after, app=concern.app, aspect="roles", at=event.event_ts)


def _set_alternatives(before: MappingStatus, event: MeetingEvent, concern: Concern) -> MappingStatus:
    # None: the event does not mention them, so they are unchanged. Empty: the last one was removed.
    if event.alternative_hosts is None or event.action in _DELETING:
        return before
    if _is_older(before, event, concern, aspect="alternatives"):
        return before
    after = _with_role(before, concern, names=concern.alternatives, role=Role.ALTERNATIVE_HOST)
    return with_app_time(after, app=concern.app, aspect="alternatives", at=event.event_ts)


def _set_schedule(before: MappingStatus, event: MeetingEvent, _: Concern) -> MappingStatus:
    if event.start_time is None or event.action in _DELETING or event.event_ts < (before.event_times.schedule or 0):
        return before
    after = with_times(before, schedule=event.event_ts)
    # Once the meeting has run, startTime is that of the instance.
    planned = event.start_time.replace(microsecond=0)
    return after if before.uuid is not None else after.model_copy(update={"start_time": planned})


def _apply_instance(before: MappingStatus, event: MeetingEvent, concern: Concern) -> MappingStatus:
    after = without_past_instances(apply_instance(before, event))
    return _set_hosts_by_instance(after, event, concern) if after.uuid == event.uuid else after


def _apply_presence(before: MappingStatus, event: MeetingEvent, concern: Concern) -> MappingStatus:
    if event.action not in PRESENCE_ACTIONS:
        return before
    after = apply_presence(before, event, names=concern.present)
    if after == before:
        return before
    after = after.model_copy(update={"phase": after.phase or MappingPhase.SCHEDULED})
    return _set_hosts_by_instance(after, event, concern) if after.uuid in (None, event.uuid) else after


def _apply_bot_event(before: MappingStatus, event: MeetingEvent, concern: Concern) -> MappingStatus:
    after = apply_bot_event(before, event)
    if after == before:
        return before
    after = _with_phase(after, event, concern)
    return _set_hosts_by_instance(after, event, concern) if after.uuid in (None, event.uuid) else after


def _set_hosts_by_instance(status: MappingStatus, event: MeetingEvent, concern: Concern) -> MappingStatus:
    """Set the host from an instance, while the app has sent no roles. Several apps may report the same instance."""
    if event.host_id is None or times_of(status, app=concern.app).roles is not None:
        return status
    return _with_role(status, concern, names=concern.hosts, role=Role.HOST)


def _is_older(before: MappingStatus, event: MeetingEvent, concern: Concern, *, aspect: str) -> bool:
    known = getattr(times_of(before, app=concern.app), aspect)
    return known is not None and event.event_ts < known


def _with_role(before: MappingStatus, concern: Concern, *, names: Iterable[str], role: Role) -> MappingStatus:
    """Give exactly `names` of the app's credentials the role; entries of source Lookup stay."""
    others = [
        one
        for one in before.credentials
        if one.role is not role or one.name not in concern.scope or one.source is Source.LOOKUP
    ]
    # An event that confirms an entry keeps its source, so that the sync that added it can still remove it.
    sources = {one.name: one.source for one in before.credentials}
    entries = [FoundCredential(name=name, role=role, source=sources.get(name, Source.WEBHOOK)) for name in names]
    return before.model_copy(update={"credentials": ordered([*others, *entries])})

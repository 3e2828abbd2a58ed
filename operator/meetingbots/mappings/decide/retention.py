"""Decides when a mapping, or an entry of it, is out of date, so that nothing grows without limit.

The decision uses the mapping itself and which of its credentials are gone; it needs no sync and no webhook. Manual
entries stay untouched. Pure: time is an argument.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from meetingbots.mappings.decide.instances import milliseconds, newest, with_times
from meetingbots.mappings.decide.listing import FROM_LISTS, REMOVE, Remove
from meetingbots.models.mapping import MappingPhase, MappingStatus, MeetingMapping, Role, Source

KEPT_AFTER_END: Final = timedelta(hours=24)
"""How long tombstones and ended instant meetings stay."""
LONGEST_INSTANCE: Final = timedelta(hours=48)
"""An instance counts as ended after this time even without an `ended` event; Zoom ends a meeting after 30 hours."""
LISTED_AFTER: Final = timedelta(hours=1)
"""How long after a meeting's last event Zoom's list is certain to contain it."""
IDLE: Final = timedelta(days=31)
"""How long without an event until Zoom is asked whether the meeting exists (Zoom, Meeting IDs: 30 days)."""


@dataclass(frozen=True)
class OwnerFacts:
    """What is known about a mapping's credentials.

    `gone`: names without a ZoomCredential or without a consent. `read`: when Zoom's complete list of a credential's
    meetings was last read, by name.
    """

    gone: frozenset[str] = frozenset()
    read: Mapping[str, datetime] = field(default_factory=dict)


def is_expired(mapping: MeetingMapping, *, now: datetime) -> bool:
    """Return whether the mapping is a day-old tombstone, an instant meeting that ended a day ago, or has no entries.

    A mapping with manual entries never expires.
    """
    status = mapping.status
    if mapping.spec.credentials or status.phase is MappingPhase.LIVE:
        return False
    last = newest(status.event_times)
    if milliseconds(now - KEPT_AFTER_END) < last:
        return False
    if status.phase is MappingPhase.DELETED or not status.credentials:
        return last > 0
    is_listed = any(one.source in FROM_LISTS for one in status.credentials)
    return status.phase is MappingPhase.ENDED and not is_listed and not _was_planned(status)


def cleaned_up(mapping: MeetingMapping, *, owners: OwnerFacts, now: datetime) -> MappingStatus | Remove | None:
    """Return the status without outdated entries, `REMOVE`, or None when the mapping is up to date.

    Entries of gone credentials are outdated, and entries of past meetings that Zoom no longer lists.
    """
    after = _with_overdue_end(mapping.status, now=now)
    gone = owners.gone | (unlisted(mapping, owners=owners) if _is_past(mapping.status, now=now) else frozenset())
    left = [one for one in after.credentials if one.name not in gone]
    lost_all = bool(after.credentials) and not left
    if len(left) != len(after.credentials):
        present = [one for one in after.presence if one.name not in gone]
        after = after.model_copy(update={"credentials": left, "presence": present})
    if lost_all and not mapping.spec.credentials:
        return REMOVE
    changed = mapping.model_copy(update={"status": after})
    if is_expired(changed, now=now):
        return REMOVE
    return None if after == mapping.status else after


def unlisted(mapping: MeetingMapping, *, owners: OwnerFacts) -> frozenset[str]:
    """Return the names of hosts from webhooks that have a newer complete list without this meeting.

    A list that contains the meeting turns the entry's source into Sync. Zoom lists neither instant meetings nor running
    ones that are overdue, so ask Zoom before the entry is removed.
    """
    status = mapping.status
    if status.phase is MappingPhase.DELETED or not _was_planned(status):
        return frozenset()
    last = newest(status.event_times)
    return frozenset(
        one.name
        for one in status.credentials
        if one.source is Source.WEBHOOK
        and one.role is Role.HOST
        and one.name in owners.read
        and last <= milliseconds(owners.read[one.name] - LISTED_AFTER)
    )


def is_idle(mapping: MeetingMapping, *, now: datetime) -> bool:
    """Return whether a found meeting had no event for so long that Zoom may have dropped it."""
    status = mapping.status
    if not status.credentials or status.phase in (MappingPhase.LIVE, MappingPhase.DELETED):
        return False
    planned = _latest(status)
    if planned is not None and planned > now - IDLE:
        return False
    last = newest(status.event_times)
    return 0 < last <= milliseconds(now - IDLE)


def in_doubt(mapping: MeetingMapping, *, owners: OwnerFacts, now: datetime) -> frozenset[str]:
    """Return the names of credentials with which to ask Zoom whether the meeting exists."""
    if not is_idle(mapping, now=now):
        return unlisted(mapping, owners=owners)
    # The next list answers for entries that a list added.
    return frozenset(
        one.name for one in mapping.status.credentials if one.source not in FROM_LISTS or one.name not in owners.read
    )


def after_check(mapping: MeetingMapping, *, missing: Collection[str], now: datetime) -> MappingStatus | Remove | None:
    """Return the status after Zoom was asked; `missing` are the credentials with which Zoom found no such meeting."""
    left = [one for one in mapping.status.credentials if one.name not in missing]
    if not left and not mapping.spec.credentials:
        return REMOVE
    after = mapping.status.model_copy(update={"credentials": left})
    return with_times(after, existence=milliseconds(now)) if left else after


def _was_planned(status: MappingStatus) -> bool:
    """Return whether any event other than instances of an instant meeting (or personal room) arrived.

    The `created` event of a planned meeting may be lost; updates and the type of its instances show it as well.
    """
    times = status.event_times
    return any(time is not None for time in (times.existence, times.roles, times.schedule))


def _is_past(status: MappingStatus, *, now: datetime) -> bool:
    planned = _latest(status)
    return status.phase is not MappingPhase.LIVE and planned is not None and planned <= now - KEPT_AFTER_END


def _latest(status: MappingStatus) -> datetime | None:
    return max((moment for moment in (status.start_time, status.end_time) if moment is not None), default=None)


def _with_overdue_end(status: MappingStatus, *, now: datetime) -> MappingStatus:
    last = status.event_times.live or (milliseconds(status.start_time) if status.start_time else 0)
    if status.phase is not MappingPhase.LIVE or last == 0 or last > milliseconds(now - LONGEST_INSTANCE):
        return status
    return status.model_copy(update={"phase": MappingPhase.ENDED, "end_time": now, "presence": []})

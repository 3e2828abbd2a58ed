"""When a mapping has had its time, so that nothing grows for ever and nobody's data outlives its use.

Independent of syncs and webhooks: it is decided from what the mapping itself says, and from which credentials are
gone. People's own entries are never touched. Pure: times come in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from meetingbots.mappings.decide.event_times import milliseconds, newest
from meetingbots.mappings.decide.instances import with_times
from meetingbots.mappings.decide.listing import FROM_LISTS, REMOVE, Remove
from meetingbots.models.mapping import MappingPhase, MappingStatus, MeetingMapping, Role, Source

KEPT_AFTER_END: Final = timedelta(hours=24)
"""How long tombstones and ended instant meetings stay."""
LONGEST_RUN: Final = timedelta(hours=48)
"""After this a meeting runs no more, whatever was (not) heard of its end: Zoom ends each after 30 hours."""
LISTED_AFTER: Final = timedelta(hours=1)
"""So long after the last word about a meeting its host's list has it for certain."""
IDLE: Final = timedelta(days=31)
"""After this without a word about a meeting, Zoom is asked whether it is still there (Zoom, Meeting IDs: 30 days)."""


def is_over(mapping: MeetingMapping, *, now: datetime) -> bool:
    """Whether a mapping has had its time: a day-old tombstone, an instant meeting that ended a day ago, or nobody's.

    People's own objects are never over.
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


@dataclass(frozen=True)
class Known:
    """What is known of a mapping's credentials.

    `gone` are those that do not exist, or whose consent ended; `read` tells, by name, when Zoom's complete list of a
    credential's meetings was last read.
    """

    gone: frozenset[str] = frozenset()
    read: Mapping[str, datetime] = field(default_factory=dict)


def tidied(mapping: MeetingMapping, *, known: Known, now: datetime) -> MappingStatus | Remove | None:
    """What is to become of a mapping: its removal, its status without what is out of date, or None: it is as it should.

    Entries of what is gone go, and those of past meetings that Zoom does not list any more.
    """
    after = _ended_at_last(mapping.status, now=now)
    gone = known.gone | (unlisted(mapping, known=known) if _is_past(mapping.status, now=now) else frozenset())
    left = [one for one in after.credentials if one.name not in gone]
    lost_all = bool(after.credentials) and not left
    if len(left) != len(after.credentials):
        present = [one for one in after.presence if one.name not in gone]
        after = after.model_copy(update={"credentials": left, "presence": present})
    if lost_all and not mapping.spec.credentials:
        return REMOVE
    changed = mapping.model_copy(update={"status": after})
    if is_over(changed, now=now):
        return REMOVE
    return None if after == mapping.status else after


def unlisted(mapping: MeetingMapping, *, known: Known) -> frozenset[str]:
    """The credentials that a webhook named as the host's, and whose list of meetings, read since, has it not.

    A list that has it makes the entry its own. Instant meetings are in no list, and running ones that are overdue in
    none any more: Zoom is to be asked before an entry goes.
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
        and one.name in known.read
        and last <= milliseconds(known.read[one.name] - LISTED_AFTER)
    )


def is_idle(mapping: MeetingMapping, *, now: datetime) -> bool:
    """Whether nothing has been heard of a found meeting for so long that Zoom may have forgotten it."""
    status = mapping.status
    if not status.credentials or status.phase in (MappingPhase.LIVE, MappingPhase.DELETED):
        return False
    planned = _latest(status)
    if planned is not None and planned > now - IDLE:
        return False
    last = newest(status.event_times)
    return 0 < last <= milliseconds(now - IDLE)


def still_there(mapping: MeetingMapping, *, forgotten: Collection[str], now: datetime) -> MappingStatus | Remove | None:
    """What becomes of a mapping once Zoom was asked: `forgotten` are the credentials that it is not a meeting of."""
    left = [one for one in mapping.status.credentials if one.name not in forgotten]
    if not left and not mapping.spec.credentials:
        return REMOVE
    after = mapping.status.model_copy(update={"credentials": left})
    return with_times(after, existence=milliseconds(now)) if left else after


def _was_planned(status: MappingStatus) -> bool:
    """Whether something other than the runs of an instant meeting (or of a personal room) was ever told of it.

    A planned meeting's `created` may be lost; what changed it, and its runs' type, tell it as well.
    """
    times = status.event_times
    return any(told is not None for told in (times.existence, times.roles, times.schedule))


def _is_past(status: MappingStatus, *, now: datetime) -> bool:
    planned = _latest(status)
    return status.phase is not MappingPhase.LIVE and planned is not None and planned <= now - KEPT_AFTER_END


def _latest(status: MappingStatus) -> datetime | None:
    return max((moment for moment in (status.start_time, status.end_time) if moment is not None), default=None)


def _ended_at_last(status: MappingStatus, *, now: datetime) -> MappingStatus:
    told = status.event_times.live or (milliseconds(status.start_time) if status.start_time else 0)
    if status.phase is not MappingPhase.LIVE or told == 0 or told > milliseconds(now - LONGEST_RUN):
        return status
    return status.model_copy(update={"phase": MappingPhase.ENDED, "end_time": now, "presence": []})

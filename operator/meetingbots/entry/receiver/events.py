"""From a verified event to the mappings of everybody whose it is: one event, one write in each namespace."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from meetingbots.decide.mapping import after_meeting_event, after_personal_id, is_of_interest
from meetingbots.decide.ownership import Concern, KnownCredential, concern
from meetingbots.entry.receiver.directory import Directory
from meetingbots.entry.receiver.lookup import LiveLookup
from meetingbots.models.mapping import MappingStatus, MeetingMapping
from meetingbots.reconcile.cache import Key
from meetingbots.reconcile.mapping_writer import MappingWriter
from meetingbots.zoom.events import Event, MeetingEvent, UserEvent


class Result(StrEnum):
    """What became of an event, as the metric says it."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    NOBODYS = "nobodys"
    IGNORED = "ignored"


@dataclass(frozen=True)
class Outcome:
    """What became of an event, and the credentials that it was about."""

    result: Result
    credentials: tuple[Key, ...] = ()


class EventWriter:
    """Applies verified events. Raises `KubeError` when Kubernetes did not take all: then Zoom has to come again."""

    def __init__(self, *, directory: Directory, lookup: LiveLookup, writer: MappingWriter) -> None:
        self._directory = directory
        self._lookup = lookup
        self._writer = writer

    async def apply(self, event: Event, *, apps: Collection[Key]) -> Outcome:
        """Write what `event` says; `apps` are the app Secrets whose webhook secret verified it."""
        if isinstance(event, MeetingEvent) and is_of_interest(event):
            return await self._meeting(event, apps)
        if isinstance(event, UserEvent) and event.action == "updated" and event.pmi is not None:
            return await self._personal_id(event, apps)
        return Outcome(Result.IGNORED)

    async def _meeting(self, event: MeetingEvent, apps: Collection[Key]) -> Outcome:
        concerns = await self._concerns(
            event, apps, host_id=event.host_id, former_host_id=event.old_host_id, operator_id=event.operator_id
        )

        def write(one: Concern) -> Awaitable[bool]:
            def decide(mapping: MeetingMapping | None) -> MappingStatus | None:
                return after_meeting_event(mapping.status if mapping else None, event=event, concern=one)

            return self._writer.write(
                namespace=one.namespace, meeting_id=event.meeting_id, decide=decide, uids=one.uids
            )

        return await _outcome(concerns, map(write, concerns))

    async def _personal_id(self, event: UserEvent, apps: Collection[Key]) -> Outcome:
        concerns = await self._concerns(event, apps, host_id=event.user_id)
        writes = [self._take_or_give_up(one, event, str(event.pmi), taken=True) for one in concerns]
        for one in concerns:
            former = {event.old_pmi} if event.old_pmi else set(one.personal_ids)
            writes += [
                self._take_or_give_up(one, event, number, taken=False) for number in sorted(former - {event.pmi, None})
            ]
        return await _outcome(concerns, writes)

    def _take_or_give_up(self, one: Concern, event: UserEvent, number: str, *, taken: bool) -> Awaitable[bool]:
        def decide(mapping: MeetingMapping | None) -> MappingStatus | None:
            status = mapping.status if mapping else None
            return after_personal_id(status, event_ts=event.event_ts, concern=one, taken=taken)

        return self._writer.write(namespace=one.namespace, meeting_id=number, decide=decide, uids=one.uids)

    async def _concerns(
        self,
        event: Event,
        apps: Collection[Key],
        *,
        host_id: str | None,
        former_host_id: str | None = None,
        operator_id: str | None = None,
    ) -> list[Concern]:
        def among(people: Iterable[KnownCredential]) -> list[Concern]:
            by_namespace: dict[str, list[KnownCredential]] = {}
            for one in people:
                by_namespace.setdefault(one.namespace, []).append(one)
            found = (
                concern(
                    group,
                    namespace=namespace,
                    host_id=host_id,
                    former_host_id=former_host_id,
                    operator_id=operator_id,
                )
                for namespace, group in by_namespace.items()
            )
            return [one for one in found if one is not None]

        known = self._directory.people(apps=apps, account_id=event.account_id)
        concerns = among(known)
        if concerns:
            return concerns
        users = [user_id for user_id in (host_id, former_host_id) if user_id]
        newer = await self._lookup.people(apps=apps, account_id=event.account_id, user_ids=users)
        everybody = {(one.namespace, one.name): one for one in (*known, *newer)}
        return among(everybody.values())


async def _outcome(concerns: Collection[Concern], writes: Iterable[Awaitable[bool]]) -> Outcome:
    if not concerns:
        return Outcome(Result.NOBODYS)
    # All are tried: one tenant's full quota must not cost another the event.
    results = await asyncio.gather(*writes, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    told = tuple(Key(one.namespace, name) for one in concerns for name in one.uids)
    return Outcome(Result.WRITTEN if any(results) else Result.UNCHANGED, told)

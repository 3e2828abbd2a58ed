"""From a verified event to the mappings of everybody whose it is: one event, one write in each namespace."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, TypeVar

from meetingbots.mappings.decide.events import after_meeting_event, after_personal_id, is_of_interest
from meetingbots.mappings.decide.ownership import Concern, KnownCredential, Who, concern
from meetingbots.mappings.writer import Decide, MappingWriter
from meetingbots.models.mapping import MappingStatus
from meetingbots.receiver.app_directory import Directory
from meetingbots.receiver.live_lookup import LiveLookup
from meetingbots.receiver.revocations import RevocationWriter
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.webhooks.events import AppDeauthorized, Event, MeetingEvent, UserEvent

_E = TypeVar("_E", UserEvent, AppDeauthorized)
_Change: TypeAlias = Callable[[MappingStatus | None, Concern], MappingStatus | None]


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

    def __init__(
        self,
        *,
        directory: Directory,
        lookup: LiveLookup,
        writer: MappingWriter,
        consents: RevocationWriter,
        current: Callable[[], bool] = lambda: True,
    ) -> None:
        """`current` tells whether the directory is known to be up to date, and not only filled."""
        self._directory = directory
        self._lookup = lookup
        self._writer = writer
        self._consents = consents
        self._current = current

    async def apply(self, event: Event, *, client_id: str, apps: Collection[Key]) -> Outcome:
        """Write what `event` says; `apps` are the app Secrets of `client_id` whose webhook secret verified it."""
        match event:
            case MeetingEvent() if is_of_interest(event):
                return await self._meeting(event, apps)
            case UserEvent() if event.action == "updated" and event.pmi is not None:
                return await self._personal_id(event, apps)
            case UserEvent() if self._consents.ends_with(event):
                people = await self._people(apps, event.account_id, user_ids=(event.user_id,))
                return await self._told(people, event, self._consents.tell)
            case UserEvent() if self._consents.begins_again_with(event):
                people = await self._people(apps, event.account_id, user_ids=(event.user_id,))
                return await self._told(people, event, self._consents.take_back)
            case AppDeauthorized() if event.client_id in ("", client_id):
                people = await self._people(apps, event.account_id, user_ids=(event.user_id,))
                return await self._told(people, event, self._consents.tell)
        return Outcome(Result.IGNORED)

    async def _meeting(self, event: MeetingEvent, apps: Collection[Key]) -> Outcome:
        who = Who(
            host_id=event.host_id,
            former_host_id=event.old_host_id,
            operator_id=event.operator_id,
            participant_id=event.participant.user_id if event.participant else None,
            alternative_hosts=event.alternative_hosts or (),
        )
        concerns = await self._concerns(event, apps, who)

        def change(status: MappingStatus | None, one: Concern) -> MappingStatus | None:
            return after_meeting_event(status, event=event, concern=one)

        writes = [self._write(event.meeting_id, group, change) for group in _by_namespace(concerns)]
        return await _outcome(concerns, writes)

    async def _personal_id(self, event: UserEvent, apps: Collection[Key]) -> Outcome:
        concerns = [one for one in await self._concerns(event, apps, Who(host_id=event.user_id)) if one.claims]

        def take(status: MappingStatus | None, one: Concern) -> MappingStatus | None:
            return after_personal_id(status, event_ts=event.event_ts, concern=one, taken=True)

        def give_up(status: MappingStatus | None, one: Concern) -> MappingStatus | None:
            return after_personal_id(status, event_ts=event.event_ts, concern=one, taken=False)

        writes = []
        for group in _by_namespace(concerns):
            former = {event.old_pmi} if event.old_pmi else {number for one in group for number in one.personal_ids}
            writes.append(self._write(str(event.pmi), group, take))
            writes += [self._write(number, group, give_up) for number in sorted(former - {event.pmi, None}, key=str)]
        return await _outcome(concerns, writes)

    async def _told(
        self,
        people: Mapping[Key, list[KnownCredential]],
        event: _E,
        tell: Callable[[KnownCredential, _E], Awaitable[bool]],
    ) -> Outcome:
        theirs = [one for group in people.values() for one in group if one.user_id == event.user_id]
        if not theirs:
            return Outcome(Result.NOBODYS)
        written = await _all([tell(one, event) for one in theirs])
        told = tuple(Key(one.namespace, one.name) for one in theirs)
        return Outcome(Result.WRITTEN if any(written) else Result.UNCHANGED, told)

    def _write(self, meeting_id: str | None, concerns: Collection[Concern], change: _Change) -> Awaitable[bool]:
        """One write for all apps of a namespace that verified the event; each speaks for its own credentials."""
        uids = {name: uid for one in concerns for name, uid in one.uids.items()}
        namespace = next(one.namespace for one in concerns)
        decide: Decide = lambda mapping: _changed(mapping.status if mapping else None, concerns, change)  # noqa: E731
        return self._writer.write(namespace=namespace, meeting_id=str(meeting_id), decide=decide, uids=uids)

    async def _concerns(self, event: Event, apps: Collection[Key], who: Who) -> list[Concern]:
        known = self._directory.groups(apps=apps, account_id=event.account_id)
        concerns = _among(known, event, who)
        users = [user_id for user_id in (who.host_id, who.former_host_id) if user_id]
        # Who is named in no event is told apart by nothing but a mapping; then it matters only whether anybody is ours.
        found = any(one.claims for one in concerns) if users else bool(known)
        if found and self._current():
            return concerns
        # Also where somebody claims it: another's credential, here or in another namespace, may be as new.
        return _among(_merged(known, await self._ask(apps, event.account_id, users)), event, who)

    async def _people(
        self, apps: Collection[Key], account_id: str, *, user_ids: Collection[str]
    ) -> Mapping[Key, list[KnownCredential]]:
        known = self._directory.groups(apps=apps, account_id=account_id)
        if any(one.user_id in user_ids for group in known.values() for one in group) and self._current():
            return known
        return _merged(known, await self._ask(apps, account_id, user_ids))

    async def _ask(
        self, apps: Collection[Key], account_id: str, user_ids: Collection[str]
    ) -> Mapping[Key, list[KnownCredential]]:
        return await self._lookup.people(apps=apps, account_id=account_id, user_ids=user_ids)


def _among(people: Mapping[Key, list[KnownCredential]], event: Event, who: Who) -> list[Concern]:
    found = (
        concern(group, namespace=app.namespace, app=app.name, who=who, event_ts=event.event_ts)
        for app, group in sorted(people.items())
    )
    return [one for one in found if one is not None]


def _merged(
    known: Mapping[Key, list[KnownCredential]], newer: Mapping[Key, list[KnownCredential]]
) -> dict[Key, list[KnownCredential]]:
    merged = {app: {one.name: one for one in group} for app, group in known.items()}
    for app, group in newer.items():
        merged.setdefault(app, {}).update((one.name, one) for one in group)
    return {app: list(group.values()) for app, group in merged.items()}


def _by_namespace(concerns: Iterable[Concern]) -> list[list[Concern]]:
    groups: dict[str, list[Concern]] = {}
    for one in concerns:
        groups.setdefault(one.namespace, []).append(one)
    return list(groups.values())


def _changed(status: MappingStatus | None, concerns: Iterable[Concern], change: _Change) -> MappingStatus | None:
    after = status
    for one in concerns:
        after = change(after, one) or after
    return None if after == status else after


async def _outcome(concerns: Collection[Concern], writes: Collection[Awaitable[bool]]) -> Outcome:
    written = any(await _all(writes))
    if not written and not any(one.claims for one in concerns):
        return Outcome(Result.NOBODYS)
    told = tuple(Key(one.namespace, name) for one in concerns for name in one.uids)
    return Outcome(Result.WRITTEN if written else Result.UNCHANGED, told)


async def _all(writes: Iterable[Awaitable[bool]]) -> list[bool]:
    # All are tried: one tenant's full quota must not cost another the event.
    results = await asyncio.gather(*writes, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [bool(result) for result in results]

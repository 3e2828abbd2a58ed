"""Writes a verified event to the mappings and credentials that it concerns: one event, one write in each namespace."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, TypeVar

from meetingbots.mappings.decide.events import apply_meeting_event, apply_personal_id, is_relevant
from meetingbots.mappings.decide.ownership import Concern, KnownCredential, NamedUsers, concern_of
from meetingbots.mappings.store import Decide, MappingWriter
from meetingbots.models.mapping import MappingStatus
from meetingbots.receiver.app_directory import AppDirectory
from meetingbots.receiver.credential_lookup import LiveLookup
from meetingbots.receiver.revocations import RevocationWriter
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.webhooks.events import AppDeauthorized, Event, MeetingEvent, UserEvent

_RevocationEvent = TypeVar("_RevocationEvent", UserEvent, AppDeauthorized)
_Change: TypeAlias = Callable[[MappingStatus | None, Concern], MappingStatus | None]
_ByApp: TypeAlias = Mapping[Key, list[KnownCredential]]


class Result(StrEnum):
    """The result of an event, as in the metric's label."""

    WRITTEN = "written"
    UNCHANGED = "unchanged"
    NOBODYS = "nobodys"
    IGNORED = "ignored"


@dataclass(frozen=True)
class EventOutcome:
    """The result of an event, and the credentials that it concerned."""

    result: Result
    credentials: tuple[Key, ...] = ()


class EventWriter:
    """Writes verified events. `current` says whether the directory is up to date, and not only filled."""

    def __init__(
        self,
        *,
        directory: AppDirectory,
        lookup: LiveLookup,
        mappings: MappingWriter,
        revocations: RevocationWriter,
        current: Callable[[], bool] = lambda: True,
    ) -> None:
        self._directory = directory
        self._lookup = lookup
        self._mappings = mappings
        self._revocations = revocations
        self._current = current

    async def write(self, event: Event, *, client_id: str, apps: Collection[Key]) -> EventOutcome:
        """Write what the event says; `apps` are the app Secrets of `client_id` that verified it.

        Raises `KubeError` when Kubernetes did not accept all writes. A repetition of the event completes them.
        """
        match event:
            case MeetingEvent() if is_relevant(event):
                return await self._write_meeting(event, apps)
            case UserEvent() if event.action == "updated" and event.pmi is not None:
                return await self._write_personal_id(event, apps)
            case UserEvent() if self._revocations.is_removal(event):
                return await self._write_revocation(event, apps, self._revocations.write)
            case UserEvent() if self._revocations.is_return(event):
                return await self._write_revocation(event, apps, self._revocations.withdraw)
            case AppDeauthorized() if event.client_id in ("", client_id):
                return await self._write_revocation(event, apps, self._revocations.write)
        return EventOutcome(Result.IGNORED)

    async def _write_meeting(self, event: MeetingEvent, apps: Collection[Key]) -> EventOutcome:
        who = NamedUsers(
            host_id=event.host_id,
            former_host_id=event.old_host_id,
            operator_id=event.operator_id,
            participant_id=event.participant.user_id if event.participant else None,
            alternative_hosts=frozenset(event.alternative_hosts or ()),
        )
        concerns = await self._concerns(event, apps, who)

        def change(status: MappingStatus | None, one: Concern) -> MappingStatus | None:
            return apply_meeting_event(status, event=event, concern=one)

        writes = [self._write_mapping(event.meeting_id, group, change) for group in _by_namespace(concerns)]
        return await _outcome(concerns, writes)

    async def _write_personal_id(self, event: UserEvent, apps: Collection[Key]) -> EventOutcome:
        concerns = [one for one in await self._concerns(event, apps, NamedUsers(host_id=event.user_id)) if one.claims]

        def add(status: MappingStatus | None, one: Concern) -> MappingStatus | None:
            return apply_personal_id(status, event_ts=event.event_ts, concern=one, taken=True)

        def remove(status: MappingStatus | None, one: Concern) -> MappingStatus | None:
            return apply_personal_id(status, event_ts=event.event_ts, concern=one, taken=False)

        writes = []
        for group in _by_namespace(concerns):
            former = {event.old_pmi} if event.old_pmi else {number for one in group for number in one.personal_ids}
            writes.append(self._write_mapping(str(event.pmi), group, add))
            writes += [
                self._write_mapping(number, group, remove) for number in sorted(former - {event.pmi, None}, key=str)
            ]
        return await _outcome(concerns, writes)

    async def _write_revocation(
        self,
        event: _RevocationEvent,
        apps: Collection[Key],
        write: Callable[[KnownCredential, _RevocationEvent], Awaitable[bool]],
    ) -> EventOutcome:
        known = self._directory.by_app(apps=apps, account_id=event.account_id)
        if not self._current() or not _of_user(known, event.user_id):
            known = _merged(known, await self._lookup.find(apps, event.account_id, user_ids=(event.user_id,)))
        concerned = _of_user(known, event.user_id)
        if not concerned:
            return EventOutcome(Result.NOBODYS)
        written = await _all([write(one, event) for one in concerned])
        keys = tuple(Key(one.namespace, one.name) for one in concerned)
        return EventOutcome(Result.WRITTEN if any(written) else Result.UNCHANGED, keys)

    def _write_mapping(self, meeting_id: str, concerns: Collection[Concern], change: _Change) -> Awaitable[bool]:
        """Write once for all apps of a namespace that verified the event; each changes its own credentials only."""
        uids = {name: uid for one in concerns for name, uid in one.uids.items()}
        namespace = next(one.namespace for one in concerns)
        decide: Decide = lambda mapping: _changed(mapping.status if mapping else None, concerns, change)  # noqa: E731
        return self._mappings.write(namespace=namespace, meeting_id=meeting_id, decide=decide, uids=uids)

    async def _concerns(self, event: Event, apps: Collection[Key], who: NamedUsers) -> list[Concern]:
        known = self._directory.by_app(apps=apps, account_id=event.account_id)
        concerns = _concerns_of(known, event, who)
        users = [user_id for user_id in (who.host_id, who.former_host_id) if user_id]
        # Without a named host, only a mapping relates the meeting to a credential: any of the account suffices.
        found = any(one.claims for one in concerns) if users else bool(known)
        if found and self._current():
            return concerns
        # A stale cache may lack a new credential, also when another credential is concerned already.
        return _concerns_of(_merged(known, await self._lookup.find(apps, event.account_id, user_ids=users)), event, who)


def _of_user(known: _ByApp, user_id: str) -> list[KnownCredential]:
    return [one for group in known.values() for one in group if one.user_id == user_id]


def _concerns_of(known: _ByApp, event: Event, who: NamedUsers) -> list[Concern]:
    found = (
        concern_of(group, namespace=app.namespace, app=app.name, named=who, event_ts=event.event_ts)
        for app, group in sorted(known.items())
    )
    return [one for one in found if one is not None]


def _merged(known: _ByApp, newer: _ByApp) -> dict[Key, list[KnownCredential]]:
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


async def _outcome(concerns: Collection[Concern], writes: Collection[Awaitable[bool]]) -> EventOutcome:
    written = any(await _all(writes))
    if not written and not any(one.claims for one in concerns):
        return EventOutcome(Result.NOBODYS)
    keys = tuple(Key(one.namespace, name) for one in concerns for name in one.uids)
    return EventOutcome(Result.WRITTEN if written else Result.UNCHANGED, keys)


async def _all(writes: Iterable[Awaitable[bool]]) -> list[bool]:
    # All writes run to their end: one tenant's full quota must not cost another tenant the event.
    results = await asyncio.gather(*writes, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [bool(result) for result in results]

"""One sync of a credential: brings mappings up to date with the meetings and personal meeting IDs that Zoom lists.

Nothing is written before Zoom's complete list was read, so an interrupted list removes nothing. Where Zoom refuses a
user's list, it is asked about each meeting before an entry is removed. Only differences are
written: 300 meetings with three changes cost three writes.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meetingbots.credentials.decide.granted import effective_level
from meetingbots.credentials.sessions.zoom_session import ZoomSession
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.resources import MAPPINGS
from meetingbots.mappings.decide.listing import (
    REMOVE,
    ListedMeeting,
    Reader,
    Remove,
    with_listed,
    without_unlisted,
)
from meetingbots.mappings.decide.retention import is_expired
from meetingbots.mappings.manifests.mapping import credential_label, owner_uids, owners_patch
from meetingbots.mappings.reconcile.owner_lookup import readable
from meetingbots.mappings.reconcile.zoom_lists import MeetingLists, Progress
from meetingbots.mappings.store import Decide, MappingWriter, unchanged
from meetingbots.models.credential import Level, ZoomCredential
from meetingbots.models.mapping import MappingStatus, MeetingMapping
from meetingbots.runtime.object_cache import Key, ObjectCache
from meetingbots.zoom.errors import Cause, ZoomError
from meetingbots.zoom.resources import User
from meetingbots.zoom.scopes import Feature, ScopeLevel, allows

_log = logging.getLogger(__name__)
_MAX_QUESTIONS: Final = 100
"""In one sync. The next one asks about others."""
_CONCURRENCY: Final = 8
"""Concurrent writes: a first sync must leave room for the bots' requests."""


@dataclass(frozen=True, kw_only=True)
class SyncResult:
    """What a complete sync read and wrote."""

    user: User
    """The user who consented, with the present personal meeting ID."""
    count: int
    """Meetings and personal meeting IDs; at level Account those of all users."""
    written: int
    removed: int
    adopted: int = 0
    """Mappings owned by a deleted credential of the same name."""
    skipped: tuple[str, ...] = ()
    """IDs of the account's users that Zoom refused to list."""


class MeetingSyncRun:
    """Runs syncs. `open_session` opens a Zoom session for a credential."""

    def __init__(
        self,
        *,
        kube: Kube,
        writer: MappingWriter,
        credentials: ObjectCache,
        open_session: Callable[[Key], Awaitable[ZoomSession]],
    ) -> None:
        self._kube = kube
        self._writer = writer
        self._credentials = credentials
        self._open_session = open_session

    async def run(self, credential: ZoomCredential, *, start: datetime, progress: Progress) -> SyncResult:
        """Read the credential's meetings and update the mappings of its namespace.

        Events after `start` stand. The sync can be cancelled anywhere and repeated. Raises `ZoomError` and
        `NoAccessTokenError` before the first write, and `KubeError` when a write fails; later writes are then skipped,
        and removals come last. Errors of `progress` propagate.
        """
        key = Key(credential.namespace, credential.name)
        level, granted = effective_level(credential), credential.status.granted_scopes or ()
        lists = MeetingLists(
            open_session=lambda: self._open_session(key),
            progress=progress,
            start=start,
            webinars=allows(granted, level=ScopeLevel(level.value), feature=Feature.WEBINAR_LIST),
        )
        user = await (lists.read_account() if level is Level.ACCOUNT else lists.read_own())
        changes = _MappingChanges(
            kube=self._kube,
            writer=self._writer,
            credential=credential,
            reader=Reader(
                name=credential.name,
                app=credential.spec.app_secret_ref.name,
                start=start,
                users=_other_users(self._credentials, credential),
            ),
        )
        differences = await changes.compare(lists.found, complete=not lists.incomplete)
        written = await changes.add(lists.found, differences)
        gone = await self._gone(key, differences.doubtful, unlisted=lists.incomplete)
        removed = await changes.remove([*differences.leftovers, *gone])
        count = len(lists.found)
        _log.info("ZoomCredential %s: %d meetings, %d mappings written, %d removed", key, count, written, removed)
        return SyncResult(
            user=user,
            count=count,
            written=written,
            removed=removed,
            adopted=differences.adopted,
            skipped=tuple(lists.skipped),
        )

    async def _gone(self, key: Key, doubtful: Sequence[str], *, unlisted: Collection[str]) -> list[str]:
        """Return which of these meetings do not exist, or have a host that is not one of `unlisted`."""
        gone: list[str] = []
        if not doubtful:
            return gone
        session = await self._open_session(key)
        for name in random.sample(doubtful, min(len(doubtful), _MAX_QUESTIONS)):
            host = await _host_of(session, name)
            if host is not None and host not in unlisted:
                gone.append(name)
        return gone


@dataclass(frozen=True)
class _Differences:
    """Names of mappings by what is to be done.

    `repairs` differ from the list, `missing` do not exist or lack the credential's label, `leftovers` are no longer
    listed. `doubtful` are not listed either, but Zoom refused a list. `strays` are unlisted (such as instant meetings)
    and need only their owners repaired. `adopted` counts mappings owned by a deleted credential of the same name.
    """

    repairs: tuple[str, ...]
    missing: tuple[str, ...]
    leftovers: tuple[str, ...]
    doubtful: tuple[str, ...] = ()
    strays: tuple[str, ...] = ()
    adopted: int = 0


class _MappingChanges:
    """Compares a credential's list with its mappings, and writes the differences."""

    def __init__(self, *, kube: Kube, writer: MappingWriter, credential: ZoomCredential, reader: Reader) -> None:
        self._kube = kube
        self._writer = writer
        self._credential = credential
        self._reader = reader
        self._uids = {credential.name: credential.metadata.uid}

    async def compare(self, wanted: Mapping[str, ListedMeeting], *, complete: bool) -> _Differences:
        """Read the mappings with the credential's label page by page; only names stay in memory.

        `complete`: Zoom refused no list.
        """
        repairs, strays, seen, adopted = [], [], set(), 0
        leftovers: list[str] = []
        doubtful: list[str] = []
        async for item in self._kube.list(
            MAPPINGS,
            namespace=self._credential.namespace,
            label_selector=credential_label(self._credential.name),
        ):
            mapping = MeetingMapping.from_object(item)
            adopted += self._is_predecessors(item)
            found = wanted.get(mapping.name)
            if found is not None:
                seen.add(mapping.name)
                if self._addition(found)(mapping) is not None or self._has_wrong_owners(item, mapping):
                    repairs.append(mapping.name)
            elif self._removal(mapping) is not None:
                certain = complete or is_expired(mapping, now=self._reader.start)
                (leftovers if certain else doubtful).append(mapping.name)
            elif self._has_wrong_owners(item, mapping):
                strays.append(mapping.name)
        return _Differences(
            repairs=tuple(repairs),
            missing=tuple(name for name in wanted if name not in seen),
            leftovers=tuple(leftovers),
            doubtful=tuple(doubtful),
            strays=tuple(strays),
            adopted=adopted,
        )

    async def add(self, wanted: Mapping[str, ListedMeeting], differences: _Differences) -> int:
        """Write what is listed and differs; return the number of writes."""
        # First those that the garbage collector may delete because their owner is gone.
        strays = await self._each(differences.strays, lambda name: self._write(name, unchanged))
        repaired = await self._each(differences.repairs, lambda name: self._write(name, self._addition(wanted[name])))
        created = await self._each(
            differences.missing, lambda name: self._write(name, self._addition(wanted[name]), probably_new=True)
        )
        return strays + repaired + created

    async def remove(self, leftovers: Sequence[str]) -> int:
        """Remove entries that Zoom no longer lists, and expired mappings; return the number of writes."""
        return await self._each(leftovers, lambda name: self._write(name, self._removal))

    def _is_predecessors(self, item: Object) -> bool:
        known = owner_uids(item).get(self._credential.name)
        return known is not None and known != self._credential.metadata.uid

    def _has_wrong_owners(self, item: Object, mapping: MeetingMapping) -> bool:
        return bool(owners_patch(item, status=mapping.status, uids=self._uids))

    def _addition(self, found: ListedMeeting) -> Decide:
        def decide(mapping: MeetingMapping | None) -> MappingStatus | None:
            return with_listed(mapping.status if mapping else None, reader=self._reader, found=found)

        return decide

    def _removal(self, mapping: MeetingMapping | None) -> MappingStatus | Remove | None:
        if mapping is None:
            return None
        if is_expired(mapping, now=self._reader.start):
            return REMOVE
        return without_unlisted(mapping, reader=self._reader)

    async def _write(self, name: str, decide: Decide, *, probably_new: bool = False) -> bool:
        return await self._writer.write(
            namespace=self._credential.namespace,
            meeting_id=name,
            decide=decide,
            uids=self._uids,
            probably_new=probably_new,
        )

    async def _each(self, names: Sequence[str], work: Callable[[str], Awaitable[bool]]) -> int:
        """Run `work` for all names, `_CONCURRENCY` at once, up to the first failure; return how many wrote."""
        done = 0
        for first in range(0, len(names), _CONCURRENCY):
            results = await asyncio.gather(*map(work, names[first : first + _CONCURRENCY]), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result
                done += result
        return done


async def _host_of(session: ZoomSession, meeting_id: str) -> str | None:
    """Return the Zoom user ID of a meeting's host; empty if there is no such meeting, None without a clear answer."""
    try:
        meeting = await session.call(lambda api, token: api.meeting(token, meeting_id=meeting_id))
    except ZoomError as error:
        return "" if error.kind is Cause.MEETING_NOT_FOUND else None
    return meeting.host_id


def _other_users(credentials: ObjectCache, credential: ZoomCredential) -> dict[str, str]:
    """Return the user IDs of the other user-level credentials of the app and account in the namespace, by name."""
    found = {}
    for key in credentials:
        item = credentials.get(key) if key.namespace == credential.namespace and key.name != credential.name else None
        account = ((item or {}).get("status") or {}).get("accountId")
        if item is None or not account or account != credential.status.account_id:
            continue  # before the costly reading: a namespace may have thousands
        other = readable(item)
        if other is None or other.spec.app_secret_ref.name != credential.spec.app_secret_ref.name:
            continue
        if other.status.user_id and effective_level(other) is Level.USER:
            found[key.name] = other.status.user_id
    return found

"""The mappings' housekeeping: what has had its time goes, and with a credential or its consent goes its every trace.

A credential that is gone is dealt with at once, by its label on the mappings; everything else by a slow sweep, page by
page, of which nothing is kept. Neither needs a sync or a webhook to be set up, and both can end at any line.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from meetingbots.credentials.decide.revocation import consent_end
from meetingbots.credentials.reconcile.reactivation import UserReactivation
from meetingbots.credentials.sessions.access_tokens import AccessTokens
from meetingbots.kube.client import Object
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import CREDENTIALS, MAPPINGS
from meetingbots.mappings.decide.listing import Remove
from meetingbots.mappings.decide.retention import Known, tidied
from meetingbots.mappings.manifests.mapping import credential_label, owners_patch
from meetingbots.mappings.reconcile.stale_check import StaleMeetingCheck
from meetingbots.mappings.writer import Decide, MappingWriter, unchanged
from meetingbots.models.base import ModelError
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.mapping import MappingStatus, MeetingMapping
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key

_log = logging.getLogger(__name__)
_SHORTEST_SECONDS: Final = 300.0
_LONGEST_SECONDS: Final = 3600.0
_SECONDS_EACH: Final = 0.036
"""How long a mapping may wait for the others: 100,000 are looked at in an hour."""
_AT_ONCE: Final = 8


def first_sweeps(namespaces: tuple[str | None, ...]) -> tuple[Key, ...]:
    """The keys of the sweeps of all namespaces that are served (None: the whole cluster)."""
    return tuple(Key(namespace or "", "") for namespace in namespaces)


class MappingSweeper:
    """Clears mappings away. `jitter` (0 to 1) spreads the sweeps."""

    def __init__(
        self, *, services: OperatorContext, access_tokens: AccessTokens, jitter: Callable[[], float] = random.random
    ) -> None:
        self._services = services
        self._jitter = jitter
        self._idle = StaleMeetingCheck(services=services, access_tokens=access_tokens)
        self._returns = UserReactivation(services=services, access_tokens=access_tokens)
        self._writer = MappingWriter(kube=services.kube, clock=asyncio.get_running_loop().time)
        self._dealt_with: dict[Key, tuple[str, datetime | None]] = {}
        self._adopted: dict[Key, str] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Tidy up behind one credential, or (a key without a name) sweep; in how many seconds again.

        Raises `KubeError`.
        """
        if key.name:
            return await self._let_go(key)
        seen = await self._sweep(key.namespace or None)
        pause = min(max(seen * _SECONDS_EACH, _SHORTEST_SECONDS), _LONGEST_SECONDS)
        return pause * (0.9 + 0.2 * self._jitter())

    async def _let_go(self, key: Key) -> float | None:
        """Take a credential out of all mappings if it is gone, or if its user took the consent back or went.

        One that is there (again) takes over what the object before it had.
        """
        item = self._services.caches.credentials.get(key)
        if item is None:
            self._dealt_with.pop(key, None)
            self._adopted.pop(key, None)
            if not await self._exists(key):
                await self._free(key, unless=lambda: self._services.caches.credentials.get(key) is not None)
            return None
        credential = _read(item)
        if credential is None:
            return None
        end = consent_end(credential)
        if end is None:
            self._dealt_with.pop(key, None)
            await self._adopt(key, uid=credential.metadata.uid)
            return None
        dealt_with = (credential.metadata.uid, end)
        if self._dealt_with.get(key) != dealt_with:
            await self._free(key)
            self._dealt_with[key] = dealt_with
        return await self._returns.look(key, credential)

    async def _adopt(self, key: Key, *, uid: str) -> None:
        """Make the credential the owner of the mappings that name it, before the garbage collector is at them.

        It takes those whose owner's uid is gone within seconds. Running meetings that it was quicker with are put back:
        no list of Zoom's has them all.
        """
        uids, writes = {key.name: uid}, []
        if self._adopted.get(key) != uid:
            selector = credential_label(key.name)
            async for item in self._services.kube.list(MAPPINGS, namespace=key.namespace, label_selector=selector):
                mapping = _mapping(item)
                if mapping is not None and owners_patch(item, status=mapping.status, uids=uids):
                    writes.append(_Write(key.namespace, mapping.name, unchanged, uids=uids))
        for item in self._services.caches.gone_mappings.take(key, uid=uid):
            mapping = _mapping(item)
            if mapping is not None:
                writes.append(_Write(key.namespace, mapping.name, _put_back(mapping.status), uids=uids))
        done = await self._write(writes)
        self._adopted[key] = uid
        if done:
            _log.info("ZoomCredential %s is there again and takes over %d mappings", key, done)

    async def _free(self, key: Key, *, unless: Callable[[], bool] = lambda: False) -> None:
        names, now, known = [], self._services.clock(), Known(gone=frozenset({key.name}))

        def decide(mapping: MeetingMapping | None) -> MappingStatus | Remove | None:
            if mapping is None or unless():
                return None
            return tidied(mapping, known=known, now=now)

        selector = credential_label(key.name)
        async for item in self._services.kube.list(MAPPINGS, namespace=key.namespace, label_selector=selector):
            mapping = _mapping(item)
            if mapping is not None and decide(mapping) is not None:
                names.append(mapping.name)
        freed = await self._write([_Write(key.namespace, name, decide) for name in names])
        if freed:
            _log.info("ZoomCredential %s is taken out of %d mappings", key, freed)

    async def _sweep(self, namespace: str | None) -> int:
        """Look at all mappings; how many there are."""
        seen, done, people = 0, 0, _People(self)
        self._idle.begin()
        async for page in self._services.kube.pages(MAPPINGS, namespace=namespace):
            seen += len(page["items"])
            writes = [await self._change(item, people) for item in page["items"]]
            done += await self._write([write for write in writes if write is not None])
        if done:
            _log.info("%d of %d mappings were out of date", done, seen)
        return seen

    async def _change(self, item: Object, people: _People) -> _Write | None:
        mapping = _mapping(item)
        if mapping is None:
            return None
        now, known = self._services.clock(), await people.known(mapping)

        def decide(found: MeetingMapping | None) -> MappingStatus | Remove | None:
            return tidied(found, known=known, now=now) if found is not None else None

        uids = people.uids(mapping)
        if decide(mapping) is not None:
            return _Write(mapping.namespace, mapping.name, decide, uids=uids)
        answered = await self._idle.ask(mapping, known=known, now=now)
        if answered is None and not owners_patch(item, status=mapping.status, uids=uids):
            return None
        return _Write(mapping.namespace, mapping.name, answered or unchanged, uids=uids)

    async def _write(self, writes: list[_Write]) -> int:
        done = 0
        for first in range(0, len(writes), _AT_ONCE):
            results = await asyncio.gather(
                *(
                    self._writer.write(namespace=one.namespace, meeting_id=one.name, decide=one.decide, uids=one.uids)
                    for one in writes[first : first + _AT_ONCE]
                )
            )
            done += sum(results)
        return done

    async def _exists(self, key: Key) -> bool:
        try:
            await self._services.kube.get(CREDENTIALS, namespace=key.namespace, name=key.name)
        except NotFoundError:
            return False
        return True

    async def look_up(self, key: Key) -> _Person:
        """What there is to know of a credential. Absence is asked of the API server."""
        item = self._services.caches.credentials.get(key)
        if item is None:
            return _Person(gone=not await self._exists(key), read=None)
        credential, uid = _read(item), item["metadata"].get("uid", "")
        if credential is None:
            return _Person(gone=False, read=None, uid=uid)
        meetings = credential.status.meetings if credential.sync_enabled else None
        read = meetings.last_sync_time if meetings is not None else None
        return _Person(gone=consent_end(credential) is not None, read=read, uid=uid)


@dataclass(frozen=True)
class _Write:
    """One mapping to be looked at again and written, with the uids of the credentials that it may name."""

    namespace: str
    name: str
    decide: Decide
    uids: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Person:
    """A credential: whether it (or its consent) is gone, and when its meetings were last read, if they are at all.

    `uid` is empty where it is not known.
    """

    gone: bool
    read: datetime | None
    uid: str = ""


class _People:
    """The credentials, each looked up once during one sweep."""

    def __init__(self, tidying: MappingSweeper) -> None:
        self._tidying = tidying
        self._found: dict[Key, _Person] = {}

    async def known(self, mapping: MeetingMapping) -> Known:
        """What is known of a mapping's found credentials."""
        people: dict[str, _Person] = {}
        for one in mapping.status.credentials:
            key = Key(mapping.namespace, one.name)
            if key not in self._found:
                self._found[key] = await self._tidying.look_up(key)
            people[one.name] = self._found[key]
        return Known(
            gone=frozenset(name for name, one in people.items() if one.gone),
            read={name: one.read for name, one in people.items() if one.read is not None},
        )

    def uids(self, mapping: MeetingMapping) -> dict[str, str]:
        """The uids of those that `known` has looked up."""
        named = {one.name: self._found.get(Key(mapping.namespace, one.name)) for one in mapping.status.credentials}
        return {name: one.uid for name, one in named.items() if one is not None and one.uid}


def _put_back(status: MappingStatus) -> Decide:
    return lambda mapping: status if mapping is None else None


def _mapping(item: Object) -> MeetingMapping | None:
    try:
        return MeetingMapping.from_object(item)
    except ModelError:
        return None  # not ours to judge, and not ours to remove


def _read(item: Object) -> ZoomCredential | None:
    try:
        return ZoomCredential.from_object(item)
    except ModelError:
        return None  # told by the credential's own reconciliation

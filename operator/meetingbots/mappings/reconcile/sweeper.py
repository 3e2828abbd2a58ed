"""Removes outdated mappings, and the entries of credentials that are gone or have lost their consent.

A change of a credential is handled at once, through its label on the mappings. A slow sweep, page by page, handles the
rest. Neither needs a sync or a webhook, and both can be cancelled at any line.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from meetingbots.credentials.decide.revocation import consent_end
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.resources import MAPPINGS
from meetingbots.mappings.decide.listing import COMPACT, Compact, Remove
from meetingbots.mappings.decide.retention import OwnerFacts, cleaned_up, in_doubt
from meetingbots.mappings.manifests.mapping import credential_label, is_compactable, owners_patch
from meetingbots.mappings.recently_deleted import RecentlyDeletedMappings
from meetingbots.mappings.reconcile.owner_lookup import OwnerLookup, credential_exists, readable
from meetingbots.mappings.reconcile.stale_check import MAX_QUESTIONS, FairSample, StaleMeetingCheck
from meetingbots.mappings.store import Decide, MappingWriter, read_mapping, unchanged
from meetingbots.models.base import ModelError
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.mapping import MappingStatus, MeetingMapping
from meetingbots.runtime.object_cache import Key, ObjectCache

_log = logging.getLogger(__name__)
_MIN_PAUSE_SECONDS: Final = 300.0
_MAX_PAUSE_SECONDS: Final = 3600.0
_PAUSE_SECONDS_EACH: Final = 0.036
"""Pause for each mapping: a sweep of 100,000 mappings repeats every hour."""
_CONCURRENCY: Final = 8


class Reactivation(Protocol):
    """Looks whether users that are reported as removed are active."""

    async def look(self, key: Key, credential: ZoomCredential) -> float | None:
        """Ask Zoom if that is due; return the seconds until the next look. None: no user was removed."""


@dataclass(frozen=True, kw_only=True)
class SweeperClients:
    """What the sweeper reads and writes with."""

    kube: Kube
    writer: MappingWriter
    credentials: ObjectCache
    recently_deleted: RecentlyDeletedMappings
    reactivation: Reactivation


class MappingSweeper:
    """Cleans mappings up. `jitter` (0 to 1) spreads the sweeps."""

    def __init__(
        self,
        *,
        clients: SweeperClients,
        stale_check: StaleMeetingCheck,
        clock: Callable[[], datetime],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._kube = clients.kube
        self._writer = clients.writer
        self._credentials = clients.credentials
        self._recently_deleted = clients.recently_deleted
        self._reactivation = clients.reactivation
        self._stale_check = stale_check
        self._clock = clock
        self._jitter = jitter
        self._released: dict[Key, tuple[str, datetime | None]] = {}
        self._adopted: dict[Key, str] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Handle one credential or, for a key without a name, sweep a namespace (empty: all).

        Returns the seconds until the next reconciliation. Raises `KubeError`.
        """
        if key.name:
            return await self._handle_credential(key)
        seen = await self._sweep(key.namespace or None)
        pause = min(max(seen * _PAUSE_SECONDS_EACH, _MIN_PAUSE_SECONDS), _MAX_PAUSE_SECONDS)
        return pause * (0.9 + 0.2 * self._jitter())

    async def _handle_credential(self, key: Key) -> float | None:
        """Remove the entries of a credential without consent; else let it adopt its predecessor's mappings."""
        item = self._credentials.get(key)
        if item is None:
            self._released.pop(key, None)
            self._adopted.pop(key, None)
            if not await credential_exists(self._kube, key):
                await self._release(key, unless=lambda: self._credentials.get(key) is not None)
            return None
        credential = readable(item)
        if credential is None:
            return None
        end = consent_end(credential)
        if end is None:
            self._released.pop(key, None)
            await self._adopt(key, uid=credential.metadata.uid)
        elif self._released.get(key) != (credential.metadata.uid, end):
            await self._release(key)
            self._released[key] = (credential.metadata.uid, end)
        return await self._reactivation.look(key, credential)

    async def _adopt(self, key: Key, *, uid: str) -> None:
        """Make the credential the owner of the mappings that name it.

        The garbage collector deletes mappings of a gone uid within seconds. Running meetings that it has deleted
        already are restored: no list of Zoom's contains them all.
        """
        uids, writes = {key.name: uid}, []
        if self._adopted.get(key) != uid:
            selector = credential_label(key.name)
            async for item in self._kube.list(MAPPINGS, namespace=key.namespace, label_selector=selector):
                mapping = _mapping(item)
                if mapping is not None and owners_patch(item, status=mapping.status, uids=uids):
                    writes.append(_MappingChange(key.namespace, mapping.name, unchanged, uids=uids))
        for item in self._recently_deleted.take(key, uid=uid):
            mapping = _mapping(item)
            if mapping is not None:
                writes.append(_MappingChange(key.namespace, mapping.name, _restore(mapping.status), uids=uids))
        done = await self._write(writes)
        self._adopted[key] = uid
        if done:
            _log.info("ZoomCredential %s exists again and adopts %d mappings", key, done)

    async def _release(self, key: Key, *, unless: Callable[[], bool] = lambda: False) -> None:
        """Remove the credential's entries from all mappings, until `unless()` holds."""
        names, now, owners = [], self._clock(), OwnerFacts(gone=frozenset({key.name}))

        def decide(mapping: MeetingMapping | None) -> MappingStatus | Remove | None:
            if mapping is None or unless():
                return None
            return cleaned_up(mapping, owners=owners, now=now)

        selector = credential_label(key.name)
        async for item in self._kube.list(MAPPINGS, namespace=key.namespace, label_selector=selector):
            mapping = _mapping(item)
            if mapping is not None and decide(mapping) is not None:
                names.append(mapping.name)
        done = await self._write(_MappingChange(key.namespace, name, decide) for name in names)
        if done:
            _log.info("ZoomCredential %s is removed from %d mappings", key, done)

    async def _sweep(self, namespace: str | None) -> int:
        """Look at all mappings; return their number."""
        seen, done, owners = 0, 0, OwnerLookup(kube=self._kube, credentials=self._credentials)
        doubtful = FairSample[Key](size=MAX_QUESTIONS, random=random.Random())  # noqa: S311 - spreads load, hides nothing
        async for page in self._kube.pages(MAPPINGS, namespace=namespace):
            seen += len(page["items"])
            changes = [await self._change(item, owners, doubtful) for item in page["items"]]
            done += await self._write(change for change in changes if change is not None)
        done += await self._check(doubtful, owners)
        if done:
            _log.info("%d of %d mappings were outdated", done, seen)
        return seen

    async def _check(self, doubtful: FairSample[Key], owners: OwnerLookup) -> int:
        """Ask Zoom about some doubtful mappings, the same number for each namespace; return the number of writes."""
        done = 0
        self._stale_check.begin()
        for key in doubtful.choose(MAX_QUESTIONS):
            mapping = await read_mapping(self._kube, namespace=key.namespace, meeting_id=key.name)
            if mapping is None:
                continue
            decide = await self._stale_check.check(mapping, owners=await owners.facts(mapping), now=self._clock())
            if decide is not None:
                done += await self._write([_MappingChange(key.namespace, key.name, decide, uids=owners.uids(mapping))])
        return done

    async def _change(self, item: Object, owners: OwnerLookup, doubtful: FairSample[Key]) -> _MappingChange | None:
        mapping = _mapping(item)
        if mapping is None:
            return None
        now, facts = self._clock(), await owners.facts(mapping)

        def decide(found: MeetingMapping | None) -> MappingStatus | Remove | None:
            return cleaned_up(found, owners=facts, now=now) if found is not None else None

        uids = owners.uids(mapping)
        if decide(mapping) is not None:
            return _MappingChange(mapping.namespace, mapping.name, decide, uids=uids)
        if in_doubt(mapping, owners=facts, now=now):
            doubtful.add(mapping.namespace, Key(mapping.namespace, mapping.name))
        if is_compactable(item):
            return _MappingChange(mapping.namespace, mapping.name, _compact, uids=uids)
        if not owners_patch(item, status=mapping.status, uids=uids):
            return None
        return _MappingChange(mapping.namespace, mapping.name, unchanged, uids=uids)

    async def _write(self, changes: Iterable[_MappingChange]) -> int:
        pending, done = list(changes), 0
        for first in range(0, len(pending), _CONCURRENCY):
            results = await asyncio.gather(
                *(
                    self._writer.write(namespace=one.namespace, meeting_id=one.name, decide=one.decide, uids=one.uids)
                    for one in pending[first : first + _CONCURRENCY]
                )
            )
            done += sum(results)
        return done


@dataclass(frozen=True)
class _MappingChange:
    """A change of one mapping, with the uids of the credentials that it may name."""

    namespace: str
    name: str
    decide: Decide
    uids: Mapping[str, str] = field(default_factory=dict)


def _compact(_: MeetingMapping | None) -> Compact:
    return COMPACT


def _restore(status: MappingStatus) -> Decide:
    return lambda mapping: status if mapping is None else None


def _mapping(item: Object) -> MeetingMapping | None:
    try:
        return MeetingMapping.from_object(item)
    except ModelError:
        return None  # an invalid mapping is neither judged nor removed

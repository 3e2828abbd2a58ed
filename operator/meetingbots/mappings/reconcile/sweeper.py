"""Removes outdated mappings, and the entries of credentials that are gone or have lost their consent.

A change of a credential is handled at once, through its label on the mappings. A slow sweep, page by page, handles the
rest. Neither needs a sync or a webhook, and both can be cancelled at any line.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from meetingbots.credentials.decide.revocation import consent_end
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import KubeError
from meetingbots.kube.resources import MAPPINGS
from meetingbots.mappings.decide.listing import Remove
from meetingbots.mappings.decide.retention import OwnerFacts, cleaned_up, in_doubt
from meetingbots.mappings.manifests.mapping import credential_label, is_compactable, owners_patch
from meetingbots.mappings.recently_deleted import RecentlyDeletedMappings
from meetingbots.mappings.reconcile.batch_writes import MappingChange, SweepWrites, write_all
from meetingbots.mappings.reconcile.compaction import MappingCompaction
from meetingbots.mappings.reconcile.owner_lookup import OwnerLookup, credential_exists, readable
from meetingbots.mappings.reconcile.stale_check import MAX_QUESTIONS, Doubt, FairSample, StaleMeetingCheck
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
_CHECK_SECONDS: Final = 120.0
"""How long a sweep asks Zoom; one question may wait up to 60 seconds for its account's rate."""


class Reactivation(Protocol):
    """Looks whether users that are reported as removed are active."""

    async def look(self, key: Key, credential: ZoomCredential) -> float | None:
        """Ask Zoom if that is due; return the seconds until the next look. None: no user was removed."""


@dataclass(frozen=True, kw_only=True)
class SweeperClients:
    """What the sweeper reads and writes with."""

    kube: Kube
    writer: MappingWriter
    compaction: MappingCompaction
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
        self._compaction = clients.compaction
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
        seen, complete = await self._sweep(key.namespace or None)
        pause = min(max(seen * _PAUSE_SECONDS_EACH, _MIN_PAUSE_SECONDS), _MAX_PAUSE_SECONDS)
        return (pause if complete else _MIN_PAUSE_SECONDS) * (0.9 + 0.2 * self._jitter())

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
                    writes.append(MappingChange(key.namespace, mapping.name, unchanged, uids=uids))
        for item in self._recently_deleted.take(key, uid=uid):
            mapping = _mapping(item)
            if mapping is not None:
                writes.append(MappingChange(key.namespace, mapping.name, _restore(mapping.status), uids=uids))
        done = await write_all(self._writer, writes)
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
        done = await write_all(self._writer, (MappingChange(key.namespace, name, decide) for name in names))
        if done:
            _log.info("ZoomCredential %s is removed from %d mappings", key, done)

    async def _sweep(self, namespace: str | None) -> tuple[int, bool]:
        """Look at all mappings; return their number, and whether each write succeeded."""
        seen, done, owners = 0, 0, OwnerLookup(kube=self._kube, credentials=self._credentials)
        writes = SweepWrites(self._writer)
        doubtful = FairSample[Doubt](size=MAX_QUESTIONS, random=random.Random())  # noqa: S311 - spreads load, hides nothing
        async for page in self._kube.pages(MAPPINGS, namespace=namespace):
            seen += len(page["items"])
            changes = [await self._change(item, owners, doubtful) for item in page["items"]]
            done += await writes.write(change for change in changes if change is not None)
        done += await self._check(doubtful.choose(MAX_QUESTIONS), owners, writes)
        if done:
            _log.info("%d of %d mappings were outdated", done, seen)
        return seen, not writes.failed

    async def _check(self, doubts: list[Doubt], owners: OwnerLookup, writes: SweepWrites) -> int:
        """Ask Zoom about doubtful mappings, with all credentials at once; return the number of writes.

        A question waits while its account's rate is used up. Those of other accounts do not wait for it.
        """
        by_credential = defaultdict[Key, list[Doubt]](list)
        for one in doubts:
            by_credential[one.credential].append(one)
        done = 0

        async def ask(those: list[Doubt]) -> None:
            nonlocal done
            try:
                for one in those:
                    written = await self._ask(one, owners, writes)
                    done += written
            except KubeError as error:
                _log.warning("the sweep asks no more with ZoomCredential %s: %s", those[0].credential, error)

        self._stale_check.begin()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CHECK_SECONDS), asyncio.TaskGroup() as group:
                for those in by_credential.values():
                    group.create_task(ask(those))
        return done

    async def _ask(self, doubt: Doubt, owners: OwnerLookup, writes: SweepWrites) -> int:
        namespace = doubt.credential.namespace
        mapping = await read_mapping(self._kube, namespace=namespace, meeting_id=doubt.meeting_id)
        if mapping is None:
            return 0
        decide = await self._stale_check.check(mapping, owners=await owners.facts(mapping), now=self._clock())
        if decide is None:
            return 0
        return await writes.write([MappingChange(namespace, mapping.name, decide, uids=owners.uids(mapping))])

    async def _change(self, item: Object, owners: OwnerLookup, doubtful: FairSample[Doubt]) -> MappingChange | None:
        mapping = _mapping(item)
        if mapping is None:
            return None
        now, facts = self._clock(), await owners.facts(mapping)

        def decide(found: MeetingMapping | None) -> MappingStatus | Remove | None:
            return cleaned_up(found, owners=facts, now=now) if found is not None else None

        uids = owners.uids(mapping)
        if decide(mapping) is not None:
            return MappingChange(mapping.namespace, mapping.name, decide, uids=uids)
        if names := in_doubt(mapping, owners=facts, now=now):
            name = min(names)
            doubtful.add(mapping.namespace, name, Doubt(Key(mapping.namespace, name), mapping.name))
        if owners_patch(item, status=mapping.status, uids=uids):
            return MappingChange(mapping.namespace, mapping.name, unchanged, uids=uids)
        if is_compactable(item):
            self._compaction.add(Key(mapping.namespace, mapping.name))
        return None


def _restore(status: MappingStatus) -> Decide:
    return lambda mapping: status if mapping is None else None


def _mapping(item: Object) -> MeetingMapping | None:
    try:
        return MeetingMapping.from_object(item)
    except ModelError:
        return None  # an invalid mapping is neither judged nor removed

"""Reads and writes MeetingMappings. The receiver, syncs, lookups and the sweeper all write through `MappingWriter`.

Each write carries the resourceVersion that was read; a conflict repeats read and decision. A mapping that does not
change is not written. Owners are compared as well: a re-created credential has another uid, and the garbage collector
deletes what belongs to the old one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import ConflictError, ForbiddenError, NotFoundError, retry_on_conflict
from meetingbots.kube.resources import CREDENTIALS, MAPPINGS
from meetingbots.mappings.decide.events import needs_live_label
from meetingbots.mappings.decide.listing import Compact, Remove
from meetingbots.mappings.manifests.mapping import compact, mapping_patch, new_mapping, owner_uids, owners_patch
from meetingbots.models.base import ModelError
from meetingbots.models.mapping import MappingStatus, MeetingMapping
from meetingbots.runtime.plan import Backoff

_log = logging.getLogger(__name__)


async def read_mapping(kube: Kube, *, namespace: str, meeting_id: str) -> MeetingMapping | None:
    """Return the mapping from the API server; None when it does not exist or is unreadable. Raises `KubeError`."""
    try:
        found = await kube.get(MAPPINGS, namespace=namespace, name=meeting_id)
    except NotFoundError:
        return None
    try:
        return MeetingMapping.from_object(found)
    except ModelError as error:
        _log.warning("MeetingMapping %s/%s is skipped: %s", namespace, meeting_id, error)
        return None


_log = logging.getLogger(__name__)
_BACKOFF: Final = Backoff(first=0.005, cap=0.25, jitter=0.5)
_MAX_TRIES: Final = 1000
"""Never reached within the patience of any caller."""

Decide: TypeAlias = Callable[[MeetingMapping | None], MappingStatus | Remove | Compact | None]
"""From the present mapping (None: it does not exist) to its new status, its removal, or None: no change."""


def unchanged(_: MeetingMapping | None) -> None:
    """Keep the status; only the owners are compared."""


class MappingWriter:
    """Writes mappings, and retries conflicts for `patience` seconds of `clock` (monotonic)."""

    def __init__(
        self,
        *,
        kube: Kube,
        clock: Callable[[], float],
        patience: float = 10.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._kube = kube
        self._clock = clock
        self._patience = patience
        self._sleep = sleep

    async def write(
        self,
        *,
        namespace: str,
        meeting_id: str,
        decide: Decide,
        uids: Mapping[str, str],
        probably_new: bool = False,
    ) -> bool:
        """Bring one mapping up to date; return whether anything was written.

        `uids` are those of the credentials that `decide` may name or that own the mapping; where the mapping has
        another uid, the API server decides which one is alive. `probably_new` skips the first read: create, and read
        only if the mapping exists. Nothing is written into a namespace that is gone or terminating.

        Raises `ConflictError` when the patience is used up, any other `KubeError` at once, and `ModelError` when the
        stored object is not a valid mapping.
        """
        deadline = self._clock() + self._patience
        assume_absent = probably_new
        write = _Write(kube=self._kube, namespace=namespace, meeting_id=meeting_id, decide=decide, uids=uids)

        async def attempt() -> bool:
            return await write.attempt(assume_absent=assume_absent)

        async def pause(conflicts: int) -> None:
            nonlocal assume_absent
            if self._clock() >= deadline:
                raise ConflictError(
                    f"mapping {namespace}/{meeting_id} kept changing for {self._patience:g} s",
                    status=409,
                    reason="Conflict",
                )
            if not assume_absent:
                await self._sleep(_BACKOFF.delay(conflicts))
            assume_absent = False

        return await retry_on_conflict(attempt, what=f"mapping {namespace}/{meeting_id}", tries=_MAX_TRIES, pause=pause)


class _Write:
    """One mapping's read and write."""

    def __init__(self, *, kube: Kube, namespace: str, meeting_id: str, decide: Decide, uids: Mapping[str, str]) -> None:
        self._kube = kube
        self._namespace = namespace
        self._meeting_id = meeting_id
        self._decide = decide
        self._uids = uids

    async def attempt(self, *, assume_absent: bool) -> bool:
        item = None if assume_absent else await self._read()
        mapping = None if item is None else MeetingMapping.from_object(item)
        change = self._decide(mapping)
        if item is None or mapping is None:
            if change is None or isinstance(change, Remove | Compact):
                return False
            return await self._create(change, live=needs_live_label(None, change))
        if isinstance(change, Remove):
            await self._delete(item)
            return True
        uids = await self._live_uids(item)
        if change is None or isinstance(change, Compact):
            patch = owners_patch(item, status=mapping.status, uids=uids)
            return await self._patch(item, compact(item, patch) if change is not None else patch)
        live = needs_live_label(mapping.status, change)
        return await self._patch(item, mapping_patch(item, status=change, uids=uids, live=live))

    async def _read(self) -> Object | None:
        try:
            return await self._kube.get(MAPPINGS, namespace=self._namespace, name=self._meeting_id)
        except NotFoundError:
            return None

    async def _live_uids(self, item: Object) -> Mapping[str, str]:
        """Return the uids; those that contradict the mapping are read from the API server, as a watch may lag."""
        present, uids = owner_uids(item), dict(self._uids)
        for name in [name for name, uid in uids.items() if present.get(name, uid) != uid]:
            uids[name] = present[name]
            selector = f"metadata.name={name}"
            async for one in self._kube.list(CREDENTIALS, namespace=self._namespace, field_selector=selector):
                uids[name] = one["metadata"]["uid"]
        return uids

    async def _create(self, status: MappingStatus, *, live: bool) -> bool:
        body = new_mapping(
            namespace=self._namespace, meeting_id=self._meeting_id, status=status, uids=self._uids, live=live
        )
        try:
            await self._kube.create(MAPPINGS, namespace=self._namespace, body=body)
        except (NotFoundError, ForbiddenError) as error:
            if not _is_namespace_gone(error):
                raise
            _log.info("mapping %s/%s is not written: the namespace is terminating", self._namespace, self._meeting_id)
            return False
        return True

    async def _patch(self, item: Object, patch: Object) -> bool:
        if not patch:
            return False
        patch = compact(item, patch)
        try:
            await self._kube.patch(
                MAPPINGS,
                namespace=self._namespace,
                name=self._meeting_id,
                patch=patch,
                resource_version=item["metadata"]["resourceVersion"],
            )
        except NotFoundError as error:
            raise ConflictError(str(error), status=error.status, reason=error.reason) from error
        return True

    async def _delete(self, item: Object) -> None:
        await self._kube.delete(
            MAPPINGS,
            namespace=self._namespace,
            name=self._meeting_id,
            uid=item["metadata"]["uid"],
            resource_version=item["metadata"]["resourceVersion"],
        )


def _is_namespace_gone(error: NotFoundError | ForbiddenError) -> bool:
    # A 404 without a namespace in its text may mean that the CRD is not installed yet: the event must not be lost.
    text = str(error)
    return 'namespaces "' in text if isinstance(error, NotFoundError) else "being terminated" in text

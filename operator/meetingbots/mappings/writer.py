"""Read, change, write: the one way in which a mapping's status is written, by receiver, syncs and look-ups alike.

Several writers share one object, so each write carries the resourceVersion that was read, and a conflict means reading
again and deciding again. An unchanged mapping is not written; a changed one is written once. Its owners are part of
what is compared: a credential that was made anew has another uid, and the garbage collector takes what the old one has.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import AlreadyExistsError, ConflictError, ForbiddenError, NotFoundError
from meetingbots.kube.resources import CREDENTIALS, MAPPINGS
from meetingbots.mappings.decide.events import wants_live_label
from meetingbots.mappings.decide.listing import Remove
from meetingbots.mappings.manifests.mapping import mapping_patch, new_mapping, owner_uids, owners_patch
from meetingbots.models.mapping import MappingStatus, MeetingMapping

_log = logging.getLogger(__name__)
_FIRST_PAUSE: Final = 0.005
_LAST_PAUSE: Final = 0.25

Decide: TypeAlias = Callable[[MeetingMapping | None], MappingStatus | Remove | None]
"""From the mapping as it is (None: there is none) to its new status, its removal, or None: nothing to do."""


def unchanged(_: MeetingMapping | None) -> None:
    """The decision that only a mapping's owners are to be looked at."""


class MappingWriter:
    """Writes mappings; tries again on conflicts for `patience` seconds of `clock` (monotonic), then gives up."""

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
        """Bring one mapping up to date; whether anything was written.

        `uids` are those of the credentials that `decide` may name, or that own the mapping; where a known owner has
        another one, the API server is asked which of them lives. With `probably_new` the first look is saved: it is
        created at once, and read only if it exists. In a namespace that is gone or going, nothing is written.
        Raises `KubeError`: `ConflictError` when others kept changing it for too long, anything else at once; and
        `ModelError` when the stored object does not have the shape of a mapping.
        """
        attempt = _Attempt(kube=self._kube, namespace=namespace, meeting_id=meeting_id, decide=decide, uids=uids)
        give_up, pause = self._clock() + self._patience, _FIRST_PAUSE
        assume_none = probably_new
        while True:
            try:
                return await attempt.once(assume_none=assume_none)
            except (ConflictError, AlreadyExistsError) as error:
                if self._clock() >= give_up:
                    raise ConflictError(str(error), status=error.status, reason=error.reason) from error
            # Somebody else was first. Not both again at the same moment.
            if not assume_none:
                await self._sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - spreading, not secrecy
                pause = min(_LAST_PAUSE, pause * 2)
            assume_none = False


class _Attempt:
    """One look and one write."""

    def __init__(self, *, kube: Kube, namespace: str, meeting_id: str, decide: Decide, uids: Mapping[str, str]) -> None:
        self._kube = kube
        self._namespace = namespace
        self._meeting_id = meeting_id
        self._decide = decide
        self._uids = uids

    async def once(self, *, assume_none: bool) -> bool:
        item = None if assume_none else await self._look()
        mapping = None if item is None else MeetingMapping.from_object(item)
        change = self._decide(mapping)
        if item is None or mapping is None:
            if change is None or isinstance(change, Remove):
                return False
            return await self._create(change, live=wants_live_label(None, change))
        if isinstance(change, Remove):
            await self._remove(item)
            return True
        uids = await self._living(item)
        if change is None:
            return await self._patch(item, owners_patch(item, status=mapping.status, uids=uids))
        live = wants_live_label(mapping.status, change)
        return await self._patch(item, mapping_patch(item, status=change, uids=uids, live=live))

    async def _look(self) -> Object | None:
        try:
            return await self._kube.get(MAPPINGS, namespace=self._namespace, name=self._meeting_id)
        except NotFoundError:
            return None

    async def _living(self, item: Object) -> Mapping[str, str]:
        """The uids, those that the mapping contradicts as the API server has them: our own watch may be behind."""
        told, uids = owner_uids(item), dict(self._uids)
        for name in [name for name, uid in uids.items() if told.get(name, uid) != uid]:
            uids[name] = told[name]
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
            if not _namespace_is_going(error):
                raise
            _log.info("mapping %s/%s not written: the namespace is going away", self._namespace, self._meeting_id)
            return False
        return True

    async def _patch(self, item: Object, patch: Object) -> bool:
        if not patch:
            return False
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

    async def _remove(self, item: Object) -> None:
        await self._kube.delete(
            MAPPINGS,
            namespace=self._namespace,
            name=self._meeting_id,
            uid=item["metadata"]["uid"],
            resource_version=item["metadata"]["resourceVersion"],
        )


def _namespace_is_going(error: NotFoundError | ForbiddenError) -> bool:
    # A 404 may also mean that the kind is not there (yet): then the event must not be lost.
    text = str(error)
    return 'namespaces "' in text if isinstance(error, NotFoundError) else "being terminated" in text

"""Removes the owners of a found mapping when people add entries of their own.

Found mappings are owned by their credentials, and the garbage collector deletes them together; a mapping with manual
entries must stay. The watch of all mappings keeps nothing in memory. The sweep handles changes that no watch saw.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import ExpiredError, KubeError
from meetingbots.kube.resources import MAPPINGS
from meetingbots.mappings.manifests.mapping import owner_uids
from meetingbots.mappings.store import MappingWriter, unchanged
from meetingbots.models.base import ModelError
from meetingbots.runtime.object_cache import key_of
from meetingbots.runtime.plan import Backoff

_log = logging.getLogger(__name__)
_BACKOFF: Final = Backoff(first=0.5, cap=10.0)


class ManualEntries:
    """Watches the mappings of one namespace (None: of all)."""

    def __init__(
        self,
        *,
        kube: Kube,
        writer: MappingWriter,
        namespace: str | None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._kube = kube
        self._writer = writer
        self._namespace = namespace
        self._sleep = sleep

    async def run(self) -> None:
        """Watch until cancelled."""
        failures = 0
        while True:
            failures += 1
            try:
                async for change in self._changes():
                    failures = 1
                    if change["type"] in ("ADDED", "MODIFIED"):
                        await self.look(change["object"])
            except ExpiredError:
                pass  # the resourceVersion is too old: start from the present
            except KubeError as error:
                _log.warning("the watch of manual entries failed, retry in %.1f s: %s", _BACKOFF.delay(failures), error)
            await self._sleep(_BACKOFF.delay(failures))

    async def look(self, item: Object) -> None:
        """Remove the owners of a mapping with manual entries. Raises `KubeError`."""
        if not item.get("spec", {}).get("credentials") or not owner_uids(item):
            return
        key = key_of(item)
        try:
            await self._writer.write(namespace=key.namespace, meeting_id=key.name, decide=unchanged, uids={})
        except ModelError as error:
            _log.warning("MeetingMapping %s is skipped: %s", key, error)

    async def _changes(self) -> AsyncIterator[Object]:
        """Yield changes from now on, until the server ends the watch without any."""
        position = ""
        async for page in self._kube.pages(MAPPINGS, namespace=self._namespace, page_size=1):
            position = page["metadata"]["resourceVersion"]
            break  # one page is enough for the list's resourceVersion
        while position:
            changed = False
            async for change in self._kube.watch(MAPPINGS, namespace=self._namespace, resource_version=position):
                changed = True
                position = change["object"]["metadata"]["resourceVersion"]
                yield change
            if not changed:
                return

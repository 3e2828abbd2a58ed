"""People's entries on a mapping that was found: it must not go with a credential, so its owners are taken off at once.

Found mappings belong to their credentials, and the garbage collector takes them along. When people write entries of
their own into one, nothing of ours happens to it; so all mappings are watched, and nothing of them is kept. What
happens while no operator watches, the sweep finds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from meetingbots.kube.client import Object
from meetingbots.kube.errors import ExpiredError, KubeError
from meetingbots.kube.resources import MAPPINGS
from meetingbots.mappings.manifests.mapping import owner_uids
from meetingbots.mappings.writer import MappingWriter, unchanged
from meetingbots.models.base import ModelError
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import key_of

_log = logging.getLogger(__name__)
_FIRST_PAUSE: Final = 0.5
_LAST_PAUSE: Final = 10.0


class ManualEntries:
    """Follows the mappings of one namespace (None: of all)."""

    def __init__(
        self,
        *,
        services: OperatorContext,
        namespace: str | None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._kube = services.kube
        self._namespace = namespace
        self._sleep = sleep
        self._writer = MappingWriter(kube=services.kube, clock=asyncio.get_running_loop().time)

    async def run(self) -> None:
        """Follow for ever; ends only by cancellation."""
        pause = _FIRST_PAUSE
        while True:
            try:
                async for change in self._changes():
                    pause = _FIRST_PAUSE
                    if change["type"] in ("ADDED", "MODIFIED"):
                        await self.look(change["object"])
            except ExpiredError:
                pass  # the place to go on from is too old: from now on
            except KubeError as error:
                _log.warning("watching people's entries broke, again in %.1f s: %s", pause, error)
            await self._sleep(pause)
            pause = min(_LAST_PAUSE, pause * 2)

    async def look(self, item: Object) -> None:
        """Take the owners off a mapping that has people's entries. Raises `KubeError`."""
        if not item.get("spec", {}).get("credentials") or not owner_uids(item):
            return
        key = key_of(item)
        try:
            await self._writer.write(namespace=key.namespace, meeting_id=key.name, decide=unchanged, uids={})
        except ModelError as error:
            _log.warning("MeetingMapping %s is left alone: %s", key, error)

    async def _changes(self) -> AsyncIterator[Object]:
        """What changes from now on, until the server has had enough of it."""
        position = ""
        async for page in self._kube.pages(MAPPINGS, namespace=self._namespace, page_size=1):
            position = page["metadata"]["resourceVersion"]
            break  # one object is enough to learn where all of them stand
        while position:
            told = False
            async for change in self._kube.watch(MAPPINGS, namespace=self._namespace, resource_version=position):
                told = True
                position = change["object"]["metadata"]["resourceVersion"]
                yield change
            if not told:
                return

"""Drops the managedFields of mappings that were written only once, slowly: nothing waits for it.

A mapping's second write drops them by itself. The sweep finds the mappings that have had no second write.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from meetingbots.kube.errors import KubeError
from meetingbots.mappings.decide.listing import COMPACT, Compact
from meetingbots.mappings.store import MappingWriter
from meetingbots.models.base import ModelError
from meetingbots.models.mapping import MeetingMapping
from meetingbots.runtime.object_cache import Key

_log = logging.getLogger(__name__)
_PAUSE_SECONDS: Final = 0.05
"""Between two writes: at most 20 a second."""
MAX_WAITING: Final = 20_000
"""Beyond this number a mapping waits for the next sweep."""


class MappingCompaction:
    """The mappings to compact, each once, and the task that does it."""

    def __init__(self, *, writer: MappingWriter, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._writer = writer
        self._sleep = sleep
        self._waiting: dict[Key, None] = {}
        self._filled = asyncio.Event()

    def add(self, key: Key) -> None:
        """Compact this mapping in its turn."""
        if len(self._waiting) < MAX_WAITING:
            self._waiting[key] = None
            self._filled.set()

    async def run(self) -> None:
        """Compact until cancelled. After a failure, the rest of its namespace waits for the next sweep."""
        while True:
            await self._filled.wait()
            await self._compact_next()
            if not self._waiting:
                self._filled.clear()
            await self._sleep(_PAUSE_SECONDS)

    async def _compact_next(self) -> None:
        key = next(iter(self._waiting))
        del self._waiting[key]
        try:
            await self._writer.write(namespace=key.namespace, meeting_id=key.name, decide=_compact, uids={})
        except (KubeError, ModelError) as error:
            _log.info("MeetingMapping %s is not compacted: %s", key, error)
            self._waiting = {one: None for one in self._waiting if one.namespace != key.namespace}


def _compact(_: MeetingMapping | None) -> Compact:
    return COMPACT

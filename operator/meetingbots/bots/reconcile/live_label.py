"""Running meetings, as the watch of their mappings tells: their bots' look at them, and the end of the watching."""

from __future__ import annotations

import contextlib
from datetime import timedelta

from meetingbots.bots.decide.live_label import is_dealt_with
from meetingbots.kube.errors import ConflictError, NotFoundError
from meetingbots.kube.resources import MAPPINGS
from meetingbots.models import names
from meetingbots.models.base import ModelError
from meetingbots.models.bot import MeetingBot
from meetingbots.models.mapping import MeetingMapping
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key

_ALL_BOTS_ARE_KNOWN_AFTER = timedelta(seconds=15)
"""So long after its start a process waits for the first lists of its watches before it says that nobody is there."""
_AFTER_A_CONFLICT = 1.0


class LiveLabelReconciler:
    """Takes the label of running meetings off where a meeting's end has been dealt with."""

    def __init__(self, *, services: OperatorContext) -> None:
        self._services = services
        self._started_at = services.clock()

    async def reconcile(self, key: Key) -> float | None:
        """Look at one mapping (`key` is its own); answers in how many seconds to look again. Raises `KubeError`."""
        item = self._services.caches.live_mappings.get(key)
        if item is None:
            return None
        try:
            mapping = MeetingMapping.from_object(item)
        except ModelError:
            return None
        if not is_dealt_with(mapping, self._bots(key)):
            return None
        since = self._services.clock() - self._started_at
        if since < _ALL_BOTS_ARE_KNOWN_AFTER:
            return (_ALL_BOTS_ARE_KNOWN_AFTER - since).total_seconds()
        try:
            await self._services.kube.patch(
                MAPPINGS,
                namespace=key.namespace,
                name=key.name,
                patch={"metadata": {"labels": {names.LIVE_LABEL: None}}},
                resource_version=item["metadata"]["resourceVersion"],
            )
        except ConflictError:
            return _AFTER_A_CONFLICT
        except NotFoundError:
            pass
        self._services.caches.live_mappings.drop(key, uid=item["metadata"].get("uid"))
        return None

    def _bots(self, key: Key) -> list[MeetingBot]:
        cache, found = self._services.caches.bots, []
        for place in cache.indexed(f"{key.namespace}/{key.name}"):
            item = cache.get(place)
            if item is None:
                continue
            # One that cannot be read is told at its own place.
            with contextlib.suppress(ModelError):
                found.append(MeetingBot.from_object(item))
        return found

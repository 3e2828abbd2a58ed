"""Removes the label of running meetings from a mapping, once the meeting has ended and every bot knows it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from meetingbots.bots.decide.schedule import needs_no_watch
from meetingbots.kube.client import Kube
from meetingbots.kube.errors import ConflictError, NotFoundError
from meetingbots.kube.resources import MAPPINGS
from meetingbots.models import names
from meetingbots.models.base import ModelError
from meetingbots.models.bot import MeetingBot
from meetingbots.models.mapping import MeetingMapping
from meetingbots.runtime.context import ObjectCaches
from meetingbots.runtime.object_cache import Key

_CACHES_ARE_FILLED_AFTER: Final = timedelta(seconds=15)
"""How long a new process waits for the first lists of its watches before it concludes that a meeting has no bots."""
_CONFLICT_RETRY_SECONDS: Final = 1.0


class LiveLabelReconciler:
    """Reconciles the mappings of running meetings."""

    def __init__(self, *, kube: Kube, caches: ObjectCaches, clock: Callable[[], datetime]) -> None:
        self._kube = kube
        self._caches = caches
        self._clock = clock
        self._started_at = clock()

    async def reconcile(self, key: Key) -> float | None:
        """Reconcile one mapping; returns the seconds until the next look, if one is due. Raises `KubeError`."""
        item = self._caches.live_mappings.get(key)
        if item is None:
            return None
        try:
            mapping = MeetingMapping.from_object(item)
        except ModelError:
            return None
        if not needs_no_watch(mapping, self._bots(key)):
            return None
        age = self._clock() - self._started_at
        if age < _CACHES_ARE_FILLED_AFTER:
            return (_CACHES_ARE_FILLED_AFTER - age).total_seconds()
        try:
            await self._kube.patch(
                MAPPINGS,
                namespace=key.namespace,
                name=key.name,
                patch={"metadata": {"labels": {names.LIVE_LABEL: None}}},
                resource_version=item["metadata"]["resourceVersion"],
            )
        except ConflictError:
            return _CONFLICT_RETRY_SECONDS
        except NotFoundError:
            pass
        self._caches.live_mappings.drop(key, uid=item["metadata"].get("uid"))
        return None

    def _bots(self, key: Key) -> list[MeetingBot]:
        found = []
        for place in self._caches.bots.indexed(f"{key.namespace}/{key.name}"):
            item = self._caches.bots.get(place)
            # An invalid MeetingBot is reported by its own reconciliation.
            with contextlib.suppress(ModelError):
                if item is not None:
                    found.append(MeetingBot.from_object(item))
        return found

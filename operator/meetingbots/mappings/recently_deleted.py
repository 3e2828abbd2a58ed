"""Mappings of running meetings that were deleted in the last two minutes.

When a ZoomCredential is deleted and re-created, the garbage collector deletes the mappings of the old object. The new
credential's sync restores what Zoom lists; Zoom lists no running instant meetings, so those are restored from here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cachetools import TTLCache

from meetingbots.mappings.manifests.mapping import owner_uids
from meetingbots.runtime.object_cache import Key, Object, key_of

KEPT_SECONDS: Final = 120.0
_MAX_MAPPINGS: Final = 1000


class RecentlyDeletedMappings:
    """Keeps the last known state of deleted mappings. `clock` returns monotonic seconds."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._deleted: TTLCache[Key, Object] = TTLCache(maxsize=_MAX_MAPPINGS, ttl=KEPT_SECONDS, timer=clock)

    def add(self, item: Object) -> dict[Key, str]:
        """Keep a deleted mapping; return the uids of the credentials that owned it. Without owners it is not kept."""
        owners = {Key(item["metadata"]["namespace"], name): uid for name, uid in owner_uids(item).items()}
        if owners:
            self._deleted[key_of(item)] = item
        return owners

    def take(self, key: Key, *, uid: str) -> list[Object]:
        """Remove and return the mappings that a predecessor of the credential `key` owned; `uid` is its present uid."""
        taken = [
            place
            for place, item in self._deleted.items()
            if place.namespace == key.namespace and owner_uids(item).get(key.name, uid) != uid
        ]
        return [self._deleted.pop(place) for place in taken]

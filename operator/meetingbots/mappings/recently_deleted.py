"""Mappings of running meetings that went, as the watch told them last: for a credential that comes back a moment later.

When a ZoomCredential is deleted and made anew, the garbage collector takes the mappings that the old object owned. What
Zoom lists, the new one's sync reads again; running instant meetings are in no list, so these are put back.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from meetingbots.mappings.manifests.mapping import owner_uids
from meetingbots.runtime.object_cache import Key, Object, key_of

KEPT_SECONDS: Final = 120.0
_MOST: Final = 1000


class RecentlyDeletedMappings:
    """Remembers them for two minutes of `clock` (monotonic seconds), and at most the last thousand."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._gone: dict[Key, tuple[float, Object]] = {}

    def note(self, item: Object) -> dict[Key, str]:
        """One is gone, or is watched no more; the credentials that owned it, with their uids."""
        owners = {Key(item["metadata"]["namespace"], name): uid for name, uid in owner_uids(item).items()}
        self._forget()
        if owners:
            self._gone.pop(key_of(item), None)
            self._gone[key_of(item)] = (self._clock(), item)
            if len(self._gone) > _MOST:
                del self._gone[next(iter(self._gone))]
        return owners

    def take(self, key: Key, *, uid: str) -> list[Object]:
        """Those that an earlier object than `uid` of the credential `key` owned; each is given once."""
        self._forget()
        taken = [
            place
            for place, (_, item) in self._gone.items()
            if place.namespace == key.namespace and owner_uids(item).get(key.name, uid) != uid
        ]
        return [self._gone.pop(place)[1] for place in taken]

    def _forget(self) -> None:
        until = self._clock() - KEPT_SECONDS
        for place in [place for place, (since, _) in self._gone.items() if since < until]:
            del self._gone[place]

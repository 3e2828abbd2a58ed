"""List and watch of one kind with a callback for each object, for the receiver, which does not run kopf."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TypeAlias

from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import ExpiredError, KubeError
from meetingbots.kube.resources import Resource

OnChange: TypeAlias = Callable[[str, str, Object | None], None]

_log = logging.getLogger(__name__)
_BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)


class Informer:
    """Follows one kind in one namespace (None: in all namespaces).

    `on_change(namespace, name, object)` runs for each new state, with None for a deleted object. The list after a
    broken watch finds what was deleted meanwhile. `synced` is set after the first complete list. `clock` gives
    monotonic seconds.
    """

    def __init__(
        self,
        *,
        kube: Kube,
        resource: Resource,
        namespace: str | None,
        on_change: OnChange,
        field_selector: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kube = kube
        self._clock = clock
        self._heard: float | None = None
        self._resource = resource
        self._namespace = namespace
        self._on_change = on_change
        self._field_selector = field_selector
        self._known: set[tuple[str, str]] = set()
        self._failures = 0
        self.synced = asyncio.Event()

    @property
    def silent_for(self) -> float:
        """Seconds since the last sign of a working watch; the server sends a bookmark each minute."""
        return float("inf") if self._heard is None else self._clock() - self._heard

    async def run(self) -> None:
        """Follow until cancelled. Failures are logged and retried."""
        while True:
            try:
                await self._follow(await self._list())
            except KubeError as error:
                self._heard = None
                # An expired version is expected after a pause, unless it repeats.
                expected = isinstance(error, ExpiredError) and self._failures == 0
                delay = 0.0 if expected else self._delay(error)
                self._failures += 1
                level = logging.INFO if expected else logging.WARNING
                _log.log(level, "watch of %s broke, retry in %s s: %s", self._resource.plural, delay, error)
                await asyncio.sleep(delay)

    def _delay(self, error: KubeError) -> float:
        return max(_BACKOFF_SECONDS[min(self._failures, len(_BACKOFF_SECONDS) - 1)], error.retry_after or 0.0)

    async def _list(self) -> str:
        seen: set[tuple[str, str]] = set()
        position = ""
        async for page in self._kube.pages(
            self._resource, namespace=self._namespace, field_selector=self._field_selector
        ):
            position = page["metadata"]["resourceVersion"]
            for item in page["items"]:
                # Known even if a later page fails: it may be deleted before the next list.
                seen.add(self._report(item))
        for key in self._known - seen:
            self._call(key, None)
        self._known = seen
        self.synced.set()
        self._heard = self._clock()
        return position

    async def _follow(self, position: str) -> None:
        while True:
            empty = True
            async for change in self._kube.watch(
                self._resource,
                namespace=self._namespace,
                resource_version=position,
                field_selector=self._field_selector,
            ):
                empty = False
                self._heard = self._clock()
                self._failures = 0  # not after a list: it can be allowed where a watch is not
                item = change["object"]
                position = item["metadata"]["resourceVersion"]
                if change["type"] == "DELETED":
                    key = _key(item)
                    self._known.discard(key)
                    self._call(key, None)
                elif change["type"] != "BOOKMARK":
                    self._report(item)
            if empty:
                await asyncio.sleep(_BACKOFF_SECONDS[0])  # a proxy may end each stream at once

    def _report(self, item: Object) -> tuple[str, str]:
        key = _key(item)
        self._known.add(key)
        self._call(key, item)
        return key

    def _call(self, key: tuple[str, str], item: Object | None) -> None:
        """Hand one object on. One that the callback cannot digest must not end the watch of all others."""
        try:
            self._on_change(*key, item)
        except Exception as error:
            # The type alone: the text of an exception can quote the object.
            _log.error("%s %s/%s is skipped: %s", self._resource.kind, *key, type(error).__name__)


def _key(item: Object) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]

"""A list-and-watch of one kind that calls back for each object, for processes that do not run kopf (the receiver).

Objects that vanished while the watch was broken are found by the next list and reported as deleted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeAlias

from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import ExpiredError, KubeError
from meetingbots.kube.resources import Resource

OnChange: TypeAlias = Callable[[str, str, Object | None], None]

_log = logging.getLogger(__name__)
_BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)


class Informer:
    """Follows one kind in one namespace (None: in all).

    `on_change(namespace, name, object)` is called for each new state, with None once it is gone. `synced` is set after
    the first complete list.
    """

    def __init__(
        self,
        *,
        kube: Kube,
        resource: Resource,
        namespace: str | None,
        on_change: OnChange,
        field_selector: str | None = None,
    ) -> None:
        self._kube = kube
        self._resource = resource
        self._namespace = namespace
        self._on_change = on_change
        self._field_selector = field_selector
        self._known: set[tuple[str, str]] = set()
        self.synced = asyncio.Event()

    async def run(self) -> None:
        """Follow for ever; ends only by cancellation. Troubles with the server are logged and outlived."""
        failures = 0
        while True:
            try:
                position = await self._list()
                failures = 0
                await self._follow(position)
            except ExpiredError:
                continue
            except KubeError as error:
                delay = _BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS) - 1)]
                failures += 1
                _log.warning("watch of %s broke, again in %s s: %s", self._resource.plural, delay, error)
                await asyncio.sleep(delay)

    async def _list(self) -> str:
        seen: set[tuple[str, str]] = set()
        position = ""
        async for page in self._kube.pages(
            self._resource, namespace=self._namespace, field_selector=self._field_selector
        ):
            position = page["metadata"]["resourceVersion"]
            for item in page["items"]:
                seen.add(self._report(item))
        for namespace, name in self._known - seen:
            self._on_change(namespace, name, None)
        self._known = seen
        self.synced.set()
        return position

    async def _follow(self, position: str) -> None:
        while True:
            async for change in self._kube.watch(
                self._resource,
                namespace=self._namespace,
                resource_version=position,
                field_selector=self._field_selector,
            ):
                item = change["object"]
                position = item["metadata"]["resourceVersion"]
                if change["type"] == "DELETED":
                    key = _key(item)
                    self._known.discard(key)
                    self._on_change(*key, None)
                elif change["type"] != "BOOKMARK":
                    self._known.add(self._report(item))

    def _report(self, item: Object) -> tuple[str, str]:
        key = _key(item)
        self._on_change(*key, item)
        return key


def _key(item: Object) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]

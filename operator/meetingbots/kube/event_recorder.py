"""Events for people, posted in the background and dropped while the API server is away.

An Event is evidence and not state: a lost one must not delay a bot. Events of one namespace are posted in order, one at
a time, and neither their number nor a slow admission webhook delays those of another.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import KubeError
from meetingbots.kube.resources import EVENTS

_log = logging.getLogger(__name__)
_MAX_OF_NAMESPACE = 5000
_MAX_NAMESPACES = 5000
_POSTERS = 4
_NOTE_LIMIT = 1024  # bytes; events.k8s.io/v1, Event.note
_NAME_LIMIT = 253 - 17  # Kubernetes, "Object Names and IDs"; the rest makes the name unique


class EventRecorder:
    """Posts events.k8s.io/v1 Events about our objects."""

    def __init__(self, *, kube: Kube, clock: Callable[[], datetime], instance: str) -> None:
        self._kube = kube
        self._clock = clock
        self._instance = instance
        self._waiting: dict[str, deque[Object]] = {}
        self._namespaces: asyncio.Queue[str] = asyncio.Queue()
        """Namespaces with waiting Events, of which none is being posted."""

    def event(
        self, regarding: Object, *, reason: str, note: str, action: str = "Reconcile", warning: bool = False
    ) -> None:
        """Queue one Event about `regarding`, an object with apiVersion, kind and metadata.

        `note` is one sentence for people and holds no secret.
        """
        metadata = regarding["metadata"]
        self._add(
            {
                "apiVersion": EVENTS.api_version,
                "kind": EVENTS.kind,
                "metadata": {"name": _unique(metadata["name"]), "namespace": metadata["namespace"]},
                "eventTime": self._clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "reportingController": "meetingbots.dev/operator",
                "reportingInstance": self._instance,
                "action": action,
                "reason": reason,
                "type": "Warning" if warning else "Normal",
                "note": note.encode(errors="ignore")[:_NOTE_LIMIT].decode(errors="ignore"),
                "regarding": {
                    "apiVersion": regarding["apiVersion"],
                    "kind": regarding["kind"],
                    "namespace": metadata["namespace"],
                    "name": metadata["name"],
                    "uid": metadata.get("uid", ""),
                },
            }
        )

    async def run(self) -> None:
        """Post queued Events until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_POSTERS):
                group.create_task(self._post())

    async def flush(self) -> None:
        """Wait until every queued Event is posted or dropped."""
        await self._namespaces.join()

    def _add(self, event: Object) -> None:
        namespace: str = event["metadata"]["namespace"]
        waiting = self._waiting.get(namespace)
        if waiting is not None:
            if len(waiting) < _MAX_OF_NAMESPACE:
                waiting.append(event)
        elif len(self._waiting) < _MAX_NAMESPACES:
            self._waiting[namespace] = deque([event])
            self._namespaces.put_nowait(namespace)

    async def _post(self) -> None:
        while True:
            namespace = await self._namespaces.get()
            waiting = self._waiting[namespace]
            try:
                await self._create(waiting.popleft())
            finally:
                if waiting:
                    self._namespaces.put_nowait(namespace)
                else:
                    del self._waiting[namespace]
                self._namespaces.task_done()

    async def _create(self, event: Object) -> None:
        try:
            await self._kube.create(EVENTS, namespace=event["metadata"]["namespace"], body=event)
        except KubeError as error:
            _log.debug("event %s not posted: %s", event["reason"], error)


def _unique(name: str) -> str:
    return f"{name[:_NAME_LIMIT].rstrip('-.')}.{uuid4().hex[:16]}"

"""Events for people, posted in the background and dropped while the API server is away.

An Event is evidence and not state: a lost one must not delay a bot.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime
from uuid import uuid4

from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import KubeError
from meetingbots.kube.resources import EVENTS

_log = logging.getLogger(__name__)
_MAX_WAITING = 5000
_NOTE_LIMIT = 1024  # bytes; events.k8s.io/v1, Event.note
_NAME_LIMIT = 253 - 17  # Kubernetes, "Object Names and IDs"; the rest makes the name unique


class EventRecorder:
    """Posts events.k8s.io/v1 Events about our objects."""

    def __init__(self, *, kube: Kube, clock: Callable[[], datetime], instance: str) -> None:
        self._kube = kube
        self._clock = clock
        self._instance = instance
        self._waiting: asyncio.Queue[Object] = asyncio.Queue(maxsize=_MAX_WAITING)

    def event(
        self, regarding: Object, *, reason: str, note: str, action: str = "Reconcile", warning: bool = False
    ) -> None:
        """Queue one Event about `regarding`, an object with apiVersion, kind and metadata.

        `note` is one sentence for people and holds no secret.
        """
        metadata = regarding["metadata"]
        with contextlib.suppress(asyncio.QueueFull):
            self._waiting.put_nowait(
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
        while True:
            event = await self._waiting.get()
            try:
                await self._kube.create(EVENTS, namespace=event["metadata"]["namespace"], body=event)
            except KubeError as error:
                _log.debug("event %s not posted: %s", event["reason"], error)
            finally:
                self._waiting.task_done()

    async def flush(self) -> None:
        """Wait until every queued Event is posted or dropped."""
        await self._waiting.join()


def _unique(name: str) -> str:
    return f"{name[:_NAME_LIMIT].rstrip('-.')}.{uuid4().hex[:16]}"

"""Events for people: posted in the background, never waited for, dropped when the API server is away.

While there is more urgent work they are held back for some seconds: they tell of a moment, and need not be told in it.

An Event is evidence, not state: losing one must not hold up a bot.
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
_HELD_SECONDS = 20.0
_LOOK_SECONDS = 0.1
_NOTE_LIMIT = 1024  # bytes; events.k8s.io/v1, Event.note
_NAME_LIMIT = 253 - 17  # Kubernetes, "Object Names and IDs"; the rest makes the name unique


class EventRecorder:
    """Posts events.k8s.io/v1 Events about our objects; `note` is one sentence for people without anything secret.

    `busy` says whether there is work that goes before them.
    """

    def __init__(
        self,
        *,
        kube: Kube,
        clock: Callable[[], datetime],
        instance: str,
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        self._kube = kube
        self._clock = clock
        self._instance = instance
        self._busy = busy
        self._ending = False
        self._held = 0.0
        self._waiting: asyncio.Queue[Object] = asyncio.Queue(maxsize=_MAX_WAITING)

    def event(
        self, regarding: Object, *, reason: str, note: str, action: str = "Reconcile", warning: bool = False
    ) -> None:
        """Queue one Event about `regarding` (any object with apiVersion, kind and metadata)."""
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
        """Post what is queued, for ever; ends by cancellation."""
        while True:
            event = await self._waiting.get()
            try:
                await self._let_others_go_first()
                await self._kube.create(EVENTS, namespace=event["metadata"]["namespace"], body=event)
            except KubeError as error:
                _log.debug("event %s not posted: %s", event["reason"], error)
            finally:
                self._waiting.task_done()

    async def flush(self) -> None:
        """Wait until what is queued now has been posted or dropped; nothing is held back any more."""
        self._ending = True
        await self._waiting.join()

    async def _let_others_go_first(self) -> None:
        held = 0.0
        while self._busy() and not self._ending and held < _HELD_SECONDS - self._held:
            await asyncio.sleep(_LOOK_SECONDS)
            held += _LOOK_SECONDS
        # What waited behind this one has been held as long; a pause in the work begins a new count.
        self._held = self._held + held if self._busy() else 0.0


def _unique(name: str) -> str:
    return f"{name[:_NAME_LIMIT].rstrip('-.')}.{uuid4().hex[:16]}"

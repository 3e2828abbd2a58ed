"""Tells people that webhooks arrive: condition WebhookReceiving and lastWebhookTime in a credential's status.

In the background and about once an hour for each credential; no answer to Zoom waits for it, and losing one is no harm.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from meetingbots.entry.receiver.directory import Directory, Reception
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import KubeError
from meetingbots.kube.resources import CREDENTIALS
from meetingbots.models.base import format_time
from meetingbots.models.conditions import Condition, ConditionStatus, ConditionType
from meetingbots.models.credential import WebhookReason
from meetingbots.reconcile.cache import Key

FIELD_MANAGER: Final = "meetingbots-receiver"

_log = logging.getLogger(__name__)
_EVERY: Final = timedelta(hours=1)
_TRY_AGAIN: Final = timedelta(minutes=1)
_MOST_WAITING: Final = 1000


class ReceptionReporter:
    """Notes which credentials got something from Zoom, and writes it down when it is news."""

    def __init__(self, *, kube: Kube, directory: Directory, clock: Callable[[], datetime]) -> None:
        self._kube = kube
        self._directory = directory
        self._clock = clock
        self._noted: dict[Key, datetime] = {}
        self._waiting: asyncio.Queue[Key] = asyncio.Queue(maxsize=_MOST_WAITING)

    def note(self, keys: Iterable[Key]) -> None:
        """Something verified came for these credentials, now. Returns at once."""
        now = self._clock()
        for key in keys:
            known = self._directory.reception(key)
            if known is None or not self._is_news(key, known, now) or self._waiting.full():
                continue
            self._noted[key] = now
            self._waiting.put_nowait(key)

    async def run(self) -> None:
        """Write what was noted, for ever; ends by cancellation."""
        while True:
            await self.write_next()

    async def write_next(self) -> None:
        """Wait for a note and write it down."""
        key = await self._waiting.get()
        known = self._directory.reception(key)
        if known is None:
            self._noted.pop(key, None)
            return
        try:
            await self._kube.apply(
                CREDENTIALS,
                namespace=key.namespace,
                name=key.name,
                body=_status(known, now=self._noted.get(key, self._clock())),
                manager=FIELD_MANAGER,
                subresource="status",
            )
        except KubeError as error:
            _log.info("status of ZoomCredential %s not written, later again: %s", key, error)

    def _is_news(self, key: Key, known: Reception, now: datetime) -> bool:
        noted = self._noted.get(key)
        if noted is not None and now - noted < _TRY_AGAIN:
            return False
        # Another replica may have written it; the status tells.
        return known.since is None or known.last is None or now - known.last >= _EVERY


def _status(known: Reception, *, now: datetime) -> Object:
    condition = Condition(
        type=ConditionType.WEBHOOK_RECEIVING,
        status=ConditionStatus.TRUE,
        reason=WebhookReason.RECEIVING,
        message="Zoom's webhooks arrive; status.lastWebhookTime is noted about once an hour.",
        last_transition_time=known.since or now,
        observed_generation=known.generation,
    )
    return {
        "metadata": {"uid": known.uid},
        "status": {"conditions": [condition.to_dict()], "lastWebhookTime": format_time(now)},
    }

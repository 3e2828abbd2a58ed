"""Tells people that webhooks arrive: condition WebhookReceiving and lastWebhookTime in a credential's status.

In the background and about once an hour for each credential; no answer to Zoom waits for it, and losing one is no harm.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import Final

from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import ConflictError, KubeError, NotFoundError
from meetingbots.kube.resources import CREDENTIALS
from meetingbots.models.base import format_time
from meetingbots.models.conditions import Condition, ConditionStatus, ConditionType
from meetingbots.models.credential import WebhookReason
from meetingbots.receiver.app_directory import Directory, Reception
from meetingbots.runtime.object_cache import Key

FIELD_MANAGER: Final = "meetingbots-receiver-webhooks"

_log = logging.getLogger(__name__)
_EVERY: Final = timedelta(hours=1)
_TRY_AGAIN: Final = timedelta(minutes=1)
_PAUSE_SECONDS: Final = 1.0


class WebhookReporter:
    """Notes which credentials got something from Zoom, and writes it down when it is news."""

    def __init__(
        self,
        *,
        kube: Kube,
        directory: Directory,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._kube = kube
        self._sleep = sleep
        self._directory = directory
        self._clock = clock
        self._noted: dict[Key, datetime] = {}
        self._waiting: dict[Key, None] = {}
        self._something = asyncio.Event()

    def note(self, keys: Iterable[Key]) -> None:
        """Something verified came for these credentials, now. Returns at once."""
        now = self._clock()
        for key in keys:
            known = self._directory.reception(key)
            if known is None or not self._is_news(key, known, now):
                continue
            self._noted[key] = now
            self._waiting[key] = None
            self._something.set()

    async def run(self) -> None:
        """Write what was noted, for ever; ends by cancellation."""
        while True:
            if not await self.write_next():
                await self._sleep(_PAUSE_SECONDS)

    async def write_next(self) -> bool:
        """Wait for a note and write it down; False: Kubernetes did not take it, and it waits again behind the others.

        The note of Zoom's validation is worth a second try: the next one comes after three days.
        """
        while not self._waiting:
            self._something.clear()
            await self._something.wait()
        key = next(iter(self._waiting))
        del self._waiting[key]
        known = self._directory.reception(key)
        if known is None:
            self._noted.pop(key, None)
            return True
        try:
            await self._kube.apply(
                CREDENTIALS,
                namespace=key.namespace,
                name=key.name,
                body=_status(known, now=self._noted.get(key, self._clock())),
                manager=FIELD_MANAGER,
                subresource="status",
            )
        except (NotFoundError, ConflictError):
            return True  # gone, or another object under this name
        except KubeError as error:
            _log.info("status of ZoomCredential %s not written, later again: %s", key, error)
            self._waiting[key] = None
            return False
        return True

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

"""Reports in a credential's status that webhooks arrive: condition WebhookReceiving and lastWebhookTime.

Writes in the background, about once an hour for each credential. No answer to Zoom waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cachetools import TTLCache

from meetingbots.credentials.decide.status_fields import StatusManager
from meetingbots.credentials.status_writer import CredentialStatusWriter, StatusTarget
from meetingbots.kube.errors import ConflictError, KubeError
from meetingbots.models.conditions import Condition, ConditionStatus, ConditionType
from meetingbots.models.credential import CredentialStatus, WebhookReason
from meetingbots.receiver.app_directory import AppDirectory
from meetingbots.receiver.credential_view import WebhookStatus
from meetingbots.runtime.object_cache import Key

_log = logging.getLogger(__name__)
_INTERVAL: Final = timedelta(hours=1)
_RETRY: Final = timedelta(minutes=1)
_MAX_NOTED: Final = 100_000
_PAUSE_SECONDS: Final = 1.0


@dataclass(frozen=True)
class _Note:
    """When a verified request arrived, and whether the status said SignatureInvalid then."""

    time: datetime
    rejected: bool


class WebhookReporter:
    """Notes which credentials received a webhook, and writes it when the status does not say so yet."""

    def __init__(
        self,
        *,
        statuses: CredentialStatusWriter,
        directory: AppDirectory,
        clock: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._statuses = statuses
        self._directory = directory
        self._clock = clock
        self._sleep = sleep
        self._noted: TTLCache[Key, _Note] = TTLCache(
            _MAX_NOTED, ttl=_RETRY.total_seconds(), timer=lambda: clock().timestamp()
        )
        self._queue: dict[Key, None] = {}
        self._not_empty = asyncio.Event()

    def note(self, keys: Iterable[Key]) -> None:
        """A verified request concerned these credentials. Returns at once."""
        now = self._clock()
        for key in keys:
            known = self._directory.webhook_status(key)
            if known is None or not self._is_due(key, known, now):
                continue
            self._noted[key] = _Note(time=now, rejected=known.rejected)
            self._queue[key] = None
            self._not_empty.set()

    async def run(self) -> None:
        """Write notes until cancelled."""
        while True:
            if not await self.write_next():
                await self._sleep(_PAUSE_SECONDS)

    async def write_next(self) -> bool:
        """Wait for a note and write it; False: Kubernetes refused it, and it is queued again behind the others.

        Zoom's validation comes every three days, so a failed note is worth another attempt.
        """
        while not self._queue:
            self._not_empty.clear()
            await self._not_empty.wait()
        key = next(iter(self._queue))
        del self._queue[key]
        known = self._directory.webhook_status(key)
        if known is None:
            return True
        note = self._noted.get(key)
        status = _status(known, now=note.time if note is not None else self._clock())
        try:
            await self._statuses.apply(StatusTarget(key=key, uid=known.uid), status, manager=StatusManager.WEBHOOKS)
        except ConflictError:
            return True  # another object has this name now
        except KubeError as error:
            _log.info("status of ZoomCredential %s not written, will retry: %s", key, error)
            self._queue[key] = None
            return False
        return True

    def _is_due(self, key: Key, known: WebhookStatus, now: datetime) -> bool:
        note = self._noted.get(key)
        # A note from before the status turned SignatureInvalid must not delay the recovery.
        if note is not None and (note.rejected or not known.rejected):
            return False
        # Another replica may have written it.
        return known.since is None or known.last is None or now - known.last >= _INTERVAL


def _status(known: WebhookStatus, *, now: datetime) -> CredentialStatus:
    condition = Condition(
        type=ConditionType.WEBHOOK_RECEIVING,
        status=ConditionStatus.TRUE,
        reason=WebhookReason.RECEIVING,
        message="Zoom's webhooks arrive. status.lastWebhookTime is updated about once an hour.",
        last_transition_time=known.since or now,
        observed_generation=known.generation,
    )
    return CredentialStatus(conditions=[condition], last_webhook_time=now)

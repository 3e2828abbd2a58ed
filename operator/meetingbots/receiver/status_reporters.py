"""Reports in a credential's status that webhooks arrive, or that no webhook secret verifies them.

Both write in the background; no answer to Zoom waits for them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cachetools import TTLCache

from meetingbots.credentials.status_writer import CredentialStatusWriter, StatusManager, StatusTarget
from meetingbots.kube.errors import ConflictError, KubeError
from meetingbots.models.conditions import Condition, ConditionStatus, ConditionType
from meetingbots.models.credential import CredentialStatus, WebhookReason
from meetingbots.receiver.app_directory import AppDirectory
from meetingbots.receiver.credential_lookup import WebhookStatus
from meetingbots.runtime.object_cache import Key

_log = logging.getLogger(__name__)
_NOTE_INTERVAL: Final = timedelta(hours=1)
_RETRY: Final = timedelta(minutes=1)
_MAX_NOTED: Final = 100_000
_PAUSE_SECONDS: Final = 1.0
GRACE: Final = timedelta(seconds=20)
"""How long a request that verifies may take to refute the suspicion."""
_REPORT_INTERVAL: Final = timedelta(minutes=10)
"""Least time between two reports about one credential."""
_POLL_SECONDS: Final = 5.0
_MAX_REMEMBERED: Final = 10_000
_BATCH: Final = 50
"""Reports of one app in a round, so that an app with many credentials does not delay the others."""


@dataclass(frozen=True)
class _Note:
    """When a verified request arrived, and whether the status said SignatureInvalid then."""

    time: datetime
    rejected: bool


class WebhookReporter:
    """Notes which credentials received a webhook, and writes it about once an hour for each credential."""

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
        time = note.time if note is not None else self._clock()
        message = "Zoom's webhooks arrive. status.lastWebhookTime is updated about once an hour."
        written = await _write(
            self._statuses, key, known, receiving=True, message=message, since=known.since or time, last=time
        )
        if not written:
            self._queue[key] = None
        return written

    def _is_due(self, key: Key, known: WebhookStatus, now: datetime) -> bool:
        note = self._noted.get(key)
        # A note from before the status turned SignatureInvalid must not delay the recovery.
        if note is not None and (note.rejected or not known.rejected):
            return False
        # Another replica may have written it.
        return known.since is None or known.last is None or now - known.last >= _NOTE_INTERVAL


@dataclass(frozen=True)
class _Suspicion:
    """Since when nothing but rejected requests arrived for an app. `proven`: one was signed with a former secret."""

    since: datetime
    proven: bool


class RejectionReporter:
    """Remembers rejected requests by app Secret, and writes what they mean after a grace period.

    Anyone can send a request with an invalid signature. So a report needs more than that: either the credential has
    received nothing that verifies so far, or the signature is valid under a secret that the app's Secret contained
    before, which strangers cannot produce. Each change of the condition is one write; further requests of the same kind
    cause none.
    """

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
        self._suspicions: dict[Key, _Suspicion] = {}
        self._reported: TTLCache[Key, None] = TTLCache(
            _MAX_REMEMBERED, ttl=_REPORT_INTERVAL.total_seconds(), timer=lambda: clock().timestamp()
        )

    def note_rejected(self, apps: Iterable[Key], *, proven: Collection[Key] = ()) -> None:
        """A request for these app Secrets was rejected; `proven` are those which had its secret before."""
        for app in apps:
            known = self._suspicions.get(app)
            if known is None and len(self._suspicions) < _MAX_REMEMBERED:
                self._suspicions[app] = _Suspicion(since=self._clock(), proven=app in proven)
            elif known is not None and app in proven and not known.proven:
                self._suspicions[app] = _Suspicion(since=known.since, proven=True)

    def note_verified(self, apps: Iterable[Key]) -> None:
        """A secret of these app Secrets verified a request."""
        for app in apps:
            self._suspicions.pop(app, None)

    async def run(self) -> None:
        """Write reports until cancelled."""
        while True:
            await self._sleep(_POLL_SECONDS)
            await self.write_due()

    async def write_due(self) -> None:
        """Write all reports after their grace period. A report that Kubernetes refuses is tried again."""
        now = self._clock()
        for app, suspicion in list(self._suspicions.items()):
            if now - suspicion.since < GRACE:
                continue
            due = [key for key in self._directory.credentials_of([app]) if self._is_due(key, suspicion)]
            try:
                written = [await self._write(key, now=now) for key in due[:_BATCH]]
            except Exception:
                # A report that fails with a defect must not block those behind it.
                self._suspicions.pop(app, None)
                raise
            if len(due) <= _BATCH and all(written):
                self._suspicions.pop(app, None)

    async def _write(self, key: Key, *, now: datetime) -> bool:
        """Return False if it must be tried again."""
        known = self._directory.webhook_status(key)
        if known is None:
            return True
        message = (
            f"Requests arrive at /webhooks/{self._directory.client_id_of(key)}, but their signature does not match the "
            "webhook secret, so they are rejected and Zoom does not repeat them. Copy the Secret Token of the Zoom app "
            "to the key webhook_secret_token of the app Secret."
        )
        written = await _write(self._statuses, key, known, receiving=False, message=message, since=now, last=known.last)
        if written:
            self._reported[key] = None
        return written

    def _is_due(self, key: Key, suspicion: _Suspicion) -> bool:
        known = self._directory.webhook_status(key)
        if known is None or known.rejected or key in self._reported:
            return False
        return known.since is None or suspicion.proven


async def _write(
    statuses: CredentialStatusWriter,
    key: Key,
    known: WebhookStatus,
    *,
    receiving: bool,
    message: str,
    since: datetime,
    last: datetime | None,
) -> bool:
    """Write condition WebhookReceiving and lastWebhookTime; False: Kubernetes refused it, so try again."""
    condition = Condition(
        type=ConditionType.WEBHOOK_RECEIVING,
        status=ConditionStatus.TRUE if receiving else ConditionStatus.FALSE,
        reason=WebhookReason.RECEIVING if receiving else WebhookReason.SIGNATURE_INVALID,
        message=message,
        last_transition_time=since,
        observed_generation=known.generation,
    )
    status = CredentialStatus(conditions=[condition], last_webhook_time=last)
    try:
        await statuses.apply(StatusTarget(key=key, uid=known.uid), status, manager=StatusManager.WEBHOOKS)
    except ConflictError:
        return True  # another object has this name now
    except KubeError as error:
        _log.info("status of ZoomCredential %s not written, will retry: %s", key, error)
        return False
    return True

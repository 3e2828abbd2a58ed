"""Reports in a credential's status that Zoom's requests arrive but no webhook secret verifies them.

Anyone can send a request with an invalid signature. So a report needs more than that: either the credential has
received nothing that verifies so far, or the signature is valid under a secret that the app's Secret contained before,
which strangers cannot produce. Each change of the condition is one write; further requests of the same kind cause none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
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

GRACE: Final = timedelta(seconds=20)
"""How long a request that verifies may take to refute the suspicion."""
_INTERVAL: Final = timedelta(minutes=10)
"""Least time between two reports about one credential."""
_POLL_SECONDS: Final = 5.0
_MAX_REMEMBERED: Final = 10_000
_BATCH: Final = 50
"""Reports of one app in a round, so that an app with many credentials does not delay the others."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Suspicion:
    """Since when nothing but rejected requests arrived for an app. `proven`: one was signed with a former secret."""

    since: datetime
    proven: bool


class RejectionReporter:
    """Remembers rejected requests by app Secret, and writes what they mean after a grace period."""

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
            _MAX_REMEMBERED, ttl=_INTERVAL.total_seconds(), timer=lambda: clock().timestamp()
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
        status = _status(known, client_id=self._directory.client_id_of(key), now=now)
        try:
            await self._statuses.apply(StatusTarget(key=key, uid=known.uid), status, manager=StatusManager.WEBHOOKS)
        except ConflictError:
            return True  # another object has this name now
        except KubeError as error:
            _log.info("status of ZoomCredential %s not written, will retry: %s", key, error)
            return False
        self._reported[key] = None
        return True

    def _is_due(self, key: Key, suspicion: _Suspicion) -> bool:
        known = self._directory.webhook_status(key)
        if known is None or known.rejected or key in self._reported:
            return False
        return known.since is None or suspicion.proven


def _status(known: WebhookStatus, *, client_id: str, now: datetime) -> CredentialStatus:
    condition = Condition(
        type=ConditionType.WEBHOOK_RECEIVING,
        status=ConditionStatus.FALSE,
        reason=WebhookReason.SIGNATURE_INVALID,
        message=(
            f"Requests arrive at /webhooks/{client_id}, but their signature does not match the webhook secret, so they "
            "are rejected and Zoom does not repeat them. Copy the Secret Token of the Zoom app to the key "
            "webhook_secret_token of the app Secret."
        ),
        last_transition_time=now,
        observed_generation=known.generation,
    )
    return CredentialStatus(conditions=[condition], last_webhook_time=known.last)

"""Sets the condition WebhookReceiving to False when no webhook arrives. The receiver sets it to True.

The write takes the condition from no field manager, so that the receiver's next apply replaces it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime

from meetingbots.credentials.decide.webhook_health import silence
from meetingbots.credentials.status_writer import CredentialStatusWriter, StatusTarget
from meetingbots.kube.errors import ConflictError
from meetingbots.models.credential import ZoomCredential
from meetingbots.runtime.object_cache import Key, ObjectCache


class SilenceReporter:
    """Reports missing webhooks. `public_url` is the base of the address that people set in the Zoom app."""

    def __init__(
        self,
        *,
        credentials: ObjectCache,
        status: CredentialStatusWriter,
        public_url: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._credentials = credentials
        self._status = status
        self._public_url = public_url
        self._clock = clock

    async def report(self, key: Key, *, client_id: str) -> None:
        """Set WebhookReceiving to False if nothing has arrived for too long. Raises `KubeError`."""
        item = self._credentials.get(key)
        if item is None:
            return
        credential = ZoomCredential.from_object(item)
        conditions = silence(credential, client_id=client_id, public_url=self._public_url, now=self._clock())
        if conditions is None:
            return
        with contextlib.suppress(ConflictError):
            # The next reconciliation comes within minutes.
            await self._status.replace_conditions(StatusTarget.of(credential, unchanged=True), conditions)

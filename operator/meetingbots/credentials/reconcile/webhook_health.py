"""Sets the condition WebhookReceiving while no webhook arrives, and reports webhooks with invalid signatures.

The receiver sets the condition as soon as it can judge. The write here takes the condition from no field manager, so
that the receiver's next apply replaces it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime

from meetingbots.credentials.decide.webhook_health import WebhookApp, webhook_health
from meetingbots.credentials.status_writer import CredentialStatusWriter, StatusTarget
from meetingbots.kube.errors import ConflictError
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.models.conditions import ConditionType, find
from meetingbots.models.credential import WebhookReason, ZoomCredential
from meetingbots.runtime.object_cache import Key, Object, ObjectCache


class WebhookHealthReporter:
    """Reports the health of webhooks for one credential at a time."""

    def __init__(
        self,
        *,
        credentials: ObjectCache,
        status: CredentialStatusWriter,
        recorder: EventRecorder,
        clock: Callable[[], datetime],
    ) -> None:
        self._credentials = credentials
        self._status = status
        self._recorder = recorder
        self._clock = clock
        self._reasons: dict[Key, str] = {}

    async def report(self, key: Key, app: WebhookApp) -> None:
        """Update the condition, and record an Event when signatures become invalid. Raises `KubeError`."""
        item = self._credentials.get(key)
        if item is None:
            return
        credential = ZoomCredential.from_object(item)
        self._record(key, item, credential)
        conditions = webhook_health(credential, app, now=self._clock()) if app.client_id else None
        if conditions is None:
            return
        with contextlib.suppress(ConflictError):
            # The next reconciliation comes within minutes.
            await self._status.replace_conditions(StatusTarget.of(credential, unchanged=True), conditions)

    def forget(self, key: Key) -> None:
        """Forget a deleted credential."""
        self._reasons.pop(key, None)

    def _record(self, key: Key, item: Object, credential: ZoomCredential) -> None:
        shown = find(credential.status.conditions, ConditionType.WEBHOOK_RECEIVING)
        before, reason = self._reasons.get(key), shown.reason if shown is not None else ""
        self._reasons[key] = reason
        if shown is not None and reason == WebhookReason.SIGNATURE_INVALID and before not in (None, reason):
            self._recorder.event(item, reason="WebhookSignatureInvalid", note=shown.message, warning=True)

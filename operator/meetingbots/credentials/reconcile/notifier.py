"""Sends notices about credentials to a namespace's own webhook, until the webhook accepts them.

The namespace's Secret `meetingbots-notify` holds the address. The status records what was accepted, so that a restart
repeats nothing; a notice that was sent but not recorded is sent again with the same id.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from meetingbots.credentials.decide.failures import ZOOM_BACKOFF
from meetingbots.credentials.decide.notifications import Notice, notice_for, notice_message
from meetingbots.credentials.status_writer import CredentialStatusWriter, StatusManager, StatusTarget
from meetingbots.egress.addresses import EgressError
from meetingbots.kube.client import Object
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.models import names
from meetingbots.models.base import ModelError
from meetingbots.models.credential import CredentialStatus, Notification, ZoomCredential
from meetingbots.runtime.object_cache import Key, ObjectCache
from meetingbots.runtime.outward_webhooks import NoWebhook, OutwardWebhooks

_log = logging.getLogger(__name__)
_GIVE_UP: Final = timedelta(days=1)
_WHOLE_SECOND: Final = timedelta(seconds=1)
"""A condition's time is up to a second before the change."""


class Notifier:
    """Sends the due notice of one credential at a time."""

    def __init__(
        self,
        *,
        credentials: ObjectCache,
        webhooks: OutwardWebhooks,
        status: CredentialStatusWriter,
        recorder: EventRecorder,
        clock: Callable[[], datetime],
    ) -> None:
        self._credentials = credentials
        self._webhooks = webhooks
        self._status = status
        self._recorder = recorder
        self._clock = clock
        self._failures: dict[Key, tuple[str, int]] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Send the notice; return the seconds until the next try. Raises `KubeError`."""
        item = self._credentials.get(key)
        if item is None:
            self._failures.pop(key, None)
            return None
        try:
            credential = ZoomCredential.from_object(item)
        except ModelError:
            return None  # the credential's own reconciliation reports it
        notice = notice_for(credential)
        if notice is None:
            return None
        due = notice.condition.last_transition_time + _WHOLE_SECOND
        webhook = await self._webhooks.find(key.namespace, since=due)
        if isinstance(webhook, NoWebhook):
            return webhook.look_again
        message = notice_message(notice, credential=credential)
        failure = await self._webhooks.send(webhook, message)
        if failure is None:
            self._failures.pop(key, None)
            await self._record(credential, notice)
            return None
        return self._failed(key, item, notice, failure=failure, message_id=message.id)

    def _failed(self, key: Key, item: Object, notice: Notice, *, failure: EgressError, message_id: str) -> float | None:
        known, count = self._failures.get(key, ("", 0))
        failures = count + 1 if known == message_id else 1
        self._failures[key] = (message_id, failures)
        text = f"{notice.type} was not accepted by the webhook in Secret {names.NOTIFY_SECRET}: {failure.message}."
        _log.warning("%s: %s", key, text)
        if failures == 1:
            self._recorder.event(item, reason="NotificationFailed", note=text, warning=True)
        if self._clock() - notice.condition.last_transition_time > _GIVE_UP:
            return None
        return failure.retry_after or ZOOM_BACKOFF.delay(failures)

    async def _record(self, credential: ZoomCredential, notice: Notice) -> None:
        sent = Notification(type=notice.type, reason=notice.condition.reason, time=self._clock().replace(microsecond=0))
        await self._status.apply(
            StatusTarget.of(credential),
            CredentialStatus(last_notification=sent),
            manager=StatusManager.NOTIFIER,
        )

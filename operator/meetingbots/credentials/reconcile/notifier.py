"""Sends notices about credentials to a namespace's own webhook, until the webhook accepts them.

The namespace's Secret `meetingbots-notify` holds the address. The status records what was accepted, so that a restart
repeats nothing; a notice that was sent but not recorded is sent again with the same id.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from meetingbots.credentials.decide.notifications import Notice, notice_for
from meetingbots.credentials.decide.retry import ZOOM_BACKOFF
from meetingbots.credentials.decide.status_fields import StatusManager
from meetingbots.credentials.manifests.notification_request import (
    NotificationKeyError,
    notice_body,
    notice_id,
    signed_headers,
    signing_key,
)
from meetingbots.credentials.status_writer import CredentialStatusWriter, StatusTarget
from meetingbots.egress.allow_list import AllowedHosts, Target
from meetingbots.egress.client import EgressClient
from meetingbots.egress.errors import AddressNotAllowedError, EgressError
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.kube.resources import SECRETS
from meetingbots.kube.secrets import SecretValueError, value_of
from meetingbots.models import names
from meetingbots.models.base import ModelError
from meetingbots.models.credential import CredentialStatus, Notification, ZoomCredential
from meetingbots.runtime.object_cache import Key, ObjectCache

_log = logging.getLogger(__name__)
_SECRET_CACHED: Final = timedelta(seconds=30)
_GIVE_UP: Final = timedelta(days=1)


@dataclass(frozen=True)
class _Webhook:
    target: Target
    keys: Sequence[bytes] = field(repr=False)


@dataclass(frozen=True)
class _InvalidWebhook:
    message: str


class Notifier:
    """Sends the due notice of one credential at a time. `hosts` are the hosts that may be called."""

    def __init__(
        self,
        *,
        kube: Kube,
        credentials: ObjectCache,
        egress: EgressClient,
        hosts: AllowedHosts,
        status: CredentialStatusWriter,
        recorder: EventRecorder,
        clock: Callable[[], datetime],
    ) -> None:
        self._kube = kube
        self._credentials = credentials
        self._egress = egress
        self._hosts = hosts
        self._status = status
        self._recorder = recorder
        self._clock = clock
        self._known: dict[str, tuple[datetime, _Webhook | _InvalidWebhook | None]] = {}
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
        webhook = await self._webhook(key.namespace) if notice is not None else None
        if notice is None or webhook is None:
            return None
        message_id = notice_id(notice, credential=credential)
        failure = await self._send(webhook, notice, credential=credential, message_id=message_id)
        if failure is None:
            self._failures.pop(key, None)
            await self._record(credential, notice)
            return None
        return self._failed(key, item, notice, failure=failure, message_id=message_id)

    async def _send(
        self, webhook: _Webhook | _InvalidWebhook, notice: Notice, *, credential: ZoomCredential, message_id: str
    ) -> EgressError | None:
        if isinstance(webhook, _InvalidWebhook):
            return EgressError(webhook.message)
        body = notice_body(notice, credential=credential)
        headers = signed_headers(body, message_id=message_id, keys=webhook.keys, now=self._clock())
        try:
            await self._egress.post(webhook.target, headers=headers, body=body)
        except EgressError as error:
            return error
        return None

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

    async def _webhook(self, namespace: str) -> _Webhook | _InvalidWebhook | None:
        now = self._clock()
        known = self._known.get(namespace)
        if known is not None and now - known[0] < _SECRET_CACHED:
            return known[1]
        try:
            secret = await self._kube.get(SECRETS, namespace=namespace, name=names.NOTIFY_SECRET)
            webhook: _Webhook | _InvalidWebhook | None = self._read(secret)
        except NotFoundError:
            webhook = None
        self._known[namespace] = (now, webhook)
        return webhook

    def _read(self, secret: Object) -> _Webhook | _InvalidWebhook:
        try:
            target = self._hosts.check(value_of(secret, key="url").get_secret_value())
            keys = [signing_key(value_of(secret, key="secret"))]
            if "previous_secret" in (secret.get("data") or {}):
                keys.append(signing_key(value_of(secret, key="previous_secret")))
        except (SecretValueError, NotificationKeyError) as error:
            return _InvalidWebhook(str(error).rstrip("."))
        except AddressNotAllowedError as error:
            return _InvalidWebhook(error.message)
        return _Webhook(target=target, keys=keys)

    async def _record(self, credential: ZoomCredential, notice: Notice) -> None:
        sent = Notification(type=notice.type, reason=notice.condition.reason, time=self._clock().replace(microsecond=0))
        await self._status.apply(
            StatusTarget.of(credential),
            CredentialStatus(last_notification=sent),
            manager=StatusManager.NOTIFIER,
        )

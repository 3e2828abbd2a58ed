"""Telling a namespace's own webhook how its credentials stand, until the other side takes it.

Where to is in the namespace's Secret `meetingbots-notify`. The status remembers what was taken, so that a restart tells
nothing twice; what was sent and not remembered is told again under the same id.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from meetingbots.credentials.decide.notifications import Notice, notice_for
from meetingbots.credentials.decide.retry import backoff
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
from meetingbots.egress.errors import AddressNotAllowedError, EgressError
from meetingbots.kube.client import Object
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import SECRETS
from meetingbots.kube.secret_values import SecretValueError, value_of
from meetingbots.models import names
from meetingbots.models.base import ModelError
from meetingbots.models.credential import CredentialStatus, Notification, ZoomCredential
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key

_log = logging.getLogger(__name__)
_KEPT: Final = timedelta(seconds=30)
"""How long a namespace's Secret, or that there is none, is remembered."""
_GIVE_UP: Final = timedelta(days=1)


@dataclass(frozen=True)
class _Receiver:
    target: Target
    keys: Sequence[bytes]


@dataclass(frozen=True)
class _Wrong:
    message: str


class Notifier:
    """Tells what there is to tell about one credential."""

    def __init__(self, *, services: OperatorContext) -> None:
        self._services = services
        self._hosts = AllowedHosts(services.settings.allowed_notify_url_hosts, name="allowed notify URL hosts")
        self._status = CredentialStatusWriter(kube=services.kube, cache=services.caches.credentials)
        self._known: dict[str, tuple[datetime, _Receiver | _Wrong | None]] = {}
        self._failures: dict[Key, tuple[str, int]] = {}

    async def reconcile(self, key: Key) -> float | None:
        """Tell it; in how many seconds to try again. Raises `KubeError`."""
        item = self._services.caches.credentials.get(key)
        if item is None:
            self._failures.pop(key, None)
            return None
        try:
            credential = ZoomCredential.from_object(item)
        except ModelError:
            return None  # told by the credential's own reconciliation
        notice = notice_for(credential)
        receiver = await self._receiver(key.namespace) if notice is not None else None
        if notice is None or receiver is None:
            return None
        message_id = notice_id(notice, credential=credential)
        failure = await self._tell(receiver, notice, credential=credential, message_id=message_id)
        if failure is None:
            self._failures.pop(key, None)
            await self._remember(credential, notice)
            return None
        return self._failed(key, item, notice, failure=failure, message_id=message_id)

    async def _tell(
        self, receiver: _Receiver | _Wrong, notice: Notice, *, credential: ZoomCredential, message_id: str
    ) -> EgressError | None:
        if isinstance(receiver, _Wrong):
            return EgressError(receiver.message)
        body = notice_body(notice, credential=credential)
        headers = signed_headers(body, message_id=message_id, keys=receiver.keys, now=self._services.clock())
        try:
            await self._services.outside.post(receiver.target, headers=headers, body=body)
        except EgressError as error:
            return error
        return None

    def _failed(self, key: Key, item: Object, notice: Notice, *, failure: EgressError, message_id: str) -> float | None:
        known, count = self._failures.get(key, ("", 0))
        failures = count + 1 if known == message_id else 1
        self._failures[key] = (message_id, failures)
        text = f"{notice.type} could not be told to the webhook in Secret {names.NOTIFY_SECRET}: {failure.message}."
        _log.warning("%s: %s", key, text)
        if failures == 1:
            self._services.recorder.event(item, reason="NotificationFailed", note=text, warning=True)
        if self._services.clock() - notice.condition.last_transition_time > _GIVE_UP:
            return None
        return failure.retry_after or backoff(failures).total_seconds()

    async def _receiver(self, namespace: str) -> _Receiver | _Wrong | None:
        now = self._services.clock()
        known = self._known.get(namespace)
        if known is not None and now - known[0] < _KEPT:
            return known[1]
        try:
            secret = await self._services.kube.get(SECRETS, namespace=namespace, name=names.NOTIFY_SECRET)
            receiver: _Receiver | _Wrong | None = self._read(secret)
        except NotFoundError:
            receiver = None
        self._known[namespace] = (now, receiver)
        return receiver

    def _read(self, secret: Object) -> _Receiver | _Wrong:
        try:
            target = self._hosts.check(value_of(secret, key="url").get_secret_value())
            keys = [signing_key(value_of(secret, key="secret"))]
            if "previous_secret" in (secret.get("data") or {}):
                keys.append(signing_key(value_of(secret, key="previous_secret")))
        except (SecretValueError, NotificationKeyError) as error:
            return _Wrong(str(error).rstrip("."))
        except AddressNotAllowedError as error:
            return _Wrong(error.message)
        return _Receiver(target=target, keys=keys)

    async def _remember(self, credential: ZoomCredential, notice: Notice) -> None:
        told = Notification(
            type=notice.type, reason=notice.condition.reason, time=self._services.clock().replace(microsecond=0)
        )
        await self._status.apply(
            StatusTarget.of(credential),
            CredentialStatus(last_notification=told),
            manager=StatusManager.NOTIFIER,
        )

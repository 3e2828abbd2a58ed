"""Sends messages to a namespace's own webhook; the namespace's Secret `meetingbots-notify` holds the address."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Self

from meetingbots.egress.addresses import AddressNotAllowedError, AllowedHosts, EgressError, Target
from meetingbots.egress.client import EgressClient
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import SECRETS
from meetingbots.kube.secrets import SecretValueError, value_of
from meetingbots.models import names
from meetingbots.models.metadata import ObjectMeta
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.standard_webhooks import NotificationKeyError, WebhookMessage, signed_headers, signing_key

_CACHED: Final = timedelta(seconds=30)
_ABSENCE_CACHED: Final = timedelta(seconds=5)


@dataclass(frozen=True)
class OutwardWebhook:
    """A namespace's webhook; `invalid` says why it cannot be used. `created_at` is the Secret's creation."""

    created_at: datetime | None = None
    target: Target | None = None
    keys: Sequence[bytes] = field(default=(), repr=False)
    invalid: str = ""


@dataclass(frozen=True)
class NoWebhook:
    """The namespace has no webhook; after `look_again` seconds it may have one. None: it had none after the message."""

    look_again: float | None


class OutwardWebhooks:
    """Reads and calls the webhooks of namespaces. `hosts` are the hosts that may be called."""

    def __init__(self, *, kube: Kube, egress: EgressClient, hosts: AllowedHosts, clock: Callable[[], datetime]) -> None:
        self._kube = kube
        self._egress = egress
        self._hosts = hosts
        self._clock = clock
        self._known: dict[str, tuple[datetime, OutwardWebhook | None]] = {}
        self._looks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @classmethod
    def of(cls, context: OperatorContext) -> Self:
        """The webhooks that the settings of a process allow."""
        hosts = AllowedHosts(context.settings.allowed_notify_url_hosts, name="allowed notify URL hosts")
        return cls(kube=context.kube, egress=context.outside, hosts=hosts, clock=context.clock)

    async def find(self, namespace: str, *, since: datetime | None = None) -> OutwardWebhook | NoWebhook:
        """The webhook of a namespace, as it was at most 30 seconds ago. Raises `KubeError`.

        `since`: when the message came due. A later look that found no webhook counts for this message, too.
        """
        async with self._looks[namespace]:
            now = self._clock()
            known = self._known.get(namespace)
            if known is not None:
                read_at, webhook = known
                until = read_at + (_ABSENCE_CACHED if webhook is None else _CACHED)
                if now < until:
                    settled = since is not None and read_at >= since
                    return webhook or NoWebhook(look_again=None if settled else (until - now).total_seconds())
            found = await self._read(namespace)
            self._known[namespace] = (now, found)
            return found or NoWebhook(look_again=None)

    def is_absent(self, namespace: str) -> bool:
        """Whether the namespace had no webhook when it was last looked up."""
        return self._known.get(namespace, (None, OutwardWebhook()))[1] is None

    async def send(self, webhook: OutwardWebhook, message: WebhookMessage) -> EgressError | None:
        """Send the message once; None if the webhook accepted it."""
        if webhook.target is None:
            return EgressError(webhook.invalid)
        headers = signed_headers(message, keys=webhook.keys, now=self._clock())
        try:
            await self._egress.post(webhook.target, headers=headers, body=message.body)
        except EgressError as error:
            return error
        return None

    async def _read(self, namespace: str) -> OutwardWebhook | None:
        try:
            secret = await self._kube.get(SECRETS, namespace=namespace, name=names.NOTIFY_SECRET)
        except NotFoundError:
            return None
        created_at = ObjectMeta.model_validate(secret["metadata"]).creation_timestamp
        try:
            target = self._hosts.check(value_of(secret, key="url").get_secret_value())
            return OutwardWebhook(created_at, target, _signing_keys(secret))
        except (SecretValueError, NotificationKeyError) as error:
            return OutwardWebhook(created_at, invalid=str(error).rstrip("."))
        except AddressNotAllowedError as error:
            return OutwardWebhook(created_at, invalid=error.message)


def _signing_keys(secret: Object) -> Sequence[bytes]:
    keys = [signing_key(value_of(secret, key="secret"))]
    if "previous_secret" in (secret.get("data") or {}):
        keys.append(signing_key(value_of(secret, key="previous_secret")))
    return keys

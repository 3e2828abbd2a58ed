"""The webhook secrets of each client id, within limits that hold however many Secrets a tenant creates."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Final

from pydantic import SecretStr

from meetingbots.credentials.manifests.receiver_secret import ProjectedApp
from meetingbots.runtime.object_cache import Key

KEYS_PER_NAMESPACE: Final = 4
"""Distinct webhook secrets of one client id in one namespace: those of two app Secrets in rotation."""
KEYS_PER_CLIENT_ID: Final = 64
"""Bounds the HMACs of one request."""
_FORMER_SECRETS: Final = 1000
_FORMER_PER_CLIENT_ID: Final = 8
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WebhookKey:
    """A webhook secret of a client id, and the app Secrets that contain it."""

    secret: SecretStr = field(repr=False)
    apps: frozenset[Key]


def keys_by_client_id(apps: Mapping[Key, ProjectedApp]) -> dict[str, tuple[WebhookKey, ...]]:
    """Group the webhook secrets of all apps by client id, within the limits."""
    secrets: dict[str, dict[str, list[tuple[str, Key]]]] = {}
    for key, app in sorted(apps.items()):
        by_namespace = secrets.setdefault(app.client_id, {})
        for value in _values(app):
            by_namespace.setdefault(key.namespace, []).append((value, key))
    return {client_id: _limited(client_id, by_namespace) for client_id, by_namespace in secrets.items()}


def _limited(client_id: str, by_namespace: Mapping[str, list[tuple[str, Key]]]) -> tuple[WebhookKey, ...]:
    """Take the first secrets of each namespace in turn, so that no namespace displaces those of another.

    Equal secrets are one: the same app in 300 namespaces costs one HMAC for each request.
    """
    holders: dict[str, set[Key]] = {}
    columns = (list(dict.fromkeys(value for value, _ in found))[:KEYS_PER_NAMESPACE] for found in by_namespace.values())
    ordered = dict.fromkeys(value for row in zip_longest(*columns) for value in row if value is not None)
    kept = dict.fromkeys(list(ordered)[:KEYS_PER_CLIENT_ID])
    if len(kept) < len({value for found in by_namespace.values() for value, _ in found}):
        _log.warning("client id %.128r has too many webhook secrets; %d are used", client_id, len(kept))
    for found in by_namespace.values():
        for value, key in found:
            if value in kept:
                holders.setdefault(value, set()).add(key)
    return tuple(WebhookKey(secret=SecretStr(value), apps=frozenset(holders[value])) for value in kept)


class FormerSecrets:
    """Webhook secrets that app Secrets no longer contain; a bounded number, the newest."""

    def __init__(self) -> None:
        self._holders: dict[tuple[str, str], frozenset[Key]] = {}

    def note(self, before: Mapping[Key, ProjectedApp], after: Mapping[Key, ProjectedApp]) -> None:
        """Remember the secrets that were replaced by others; forget those that are back."""
        for key, old in before.items():
            new = after.get(key)
            if new is None or new.client_id != old.client_id:
                continue
            for value in _values(old) - _values(new):
                place = (old.client_id, value)
                self._holders[place] = self._holders.pop(place, frozenset()) | {key}
            for value in _values(new):
                self._holders.pop((new.client_id, value), None)
        while len(self._holders) > _FORMER_SECRETS:
            del self._holders[next(iter(self._holders))]

    def keys(self, client_id: str) -> tuple[WebhookKey, ...]:
        """Return the newest former secrets of a client id."""
        found = [(value, apps) for (one, value), apps in self._holders.items() if one == client_id]
        return tuple(WebhookKey(secret=SecretStr(value), apps=apps) for value, apps in found[-_FORMER_PER_CLIENT_ID:])


def _values(app: ProjectedApp) -> frozenset[str]:
    secrets = (app.webhook_secret_token, app.previous_webhook_secret_token)
    return frozenset(value for secret in secrets if secret is not None and (value := secret.get_secret_value().strip()))

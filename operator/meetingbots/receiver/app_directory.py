"""Cache of the apps by client id, with their webhook secrets, and of the credentials of each app and account.

Two watches fill it: that of the Secret which the operator keeps for the receiver, and that of the ZoomCredentials.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

from pydantic import SecretStr

from meetingbots.credentials.manifests.receiver_secret import ProjectedApp, UnreadableApp, parse_projection
from meetingbots.kube.client import Object
from meetingbots.mappings.decide.ownership import KnownCredential
from meetingbots.receiver.credential_view import WebhookStatus, known_credential, webhook_status
from meetingbots.runtime.object_cache import Key

_log = logging.getLogger(__name__)
_NONE: Final[dict[str, KnownCredential]] = {}


@dataclass(frozen=True)
class WebhookKey:
    """A webhook secret of a client id, and the app Secrets that contain it."""

    secret: SecretStr = field(repr=False)
    apps: frozenset[Key]


class AppDirectory:
    """Apps and credentials of the namespaces served (empty: all)."""

    def __init__(self, *, namespaces: Collection[str] = ()) -> None:
        self._namespaces = frozenset(namespaces)
        self._apps: dict[Key, ProjectedApp] = {}
        self._unreadable: dict[Key, UnreadableApp] = {}
        self._keys: dict[str, tuple[WebhookKey, ...]] = {}
        self._credentials: dict[Key, KnownCredential] = {}
        self._statuses: dict[Key, WebhookStatus] = {}
        self._by_account: dict[tuple[Key, str], dict[str, KnownCredential]] = {}
        self._references: Counter[Key] = Counter()

    def on_credential(self, namespace: str, name: str, item: Object | None) -> None:
        """Take over the current state of a ZoomCredential; None: it was deleted."""
        key = Key(namespace, name)
        self._forget(key)
        if item is None:
            return
        known = known_credential(item)
        self._credentials[key] = known
        self._statuses[key] = webhook_status(item)
        app = Key(namespace, known.app)
        self._references[app] += 1
        if known.account_id:
            self._by_account.setdefault((app, known.account_id), {})[name] = known

    def on_projection(self, namespace: str, name: str, item: Object | None) -> None:
        """Take over the current state of the projected Secret; None: it was deleted."""
        self._apps, self._unreadable = {}, {}
        for projected, app in (parse_projection(item) if item is not None else {}).items():
            key = Key(projected.namespace, projected.name)
            if self._namespaces and key.namespace not in self._namespaces:
                continue
            if isinstance(app, ProjectedApp):
                self._apps[key] = app
            else:
                self._unreadable[key] = app
        self._keys = _keys_by_client_id(self._apps)
        _log.info("%s/%s: %d apps of %d client ids", namespace, name, len(self._apps), len(self._keys))

    def has_app(self, client_id: str) -> bool:
        """Whether an app has this client id."""
        return client_id in self._keys

    def keys(self, client_id: str) -> tuple[WebhookKey, ...]:
        """Return the webhook secrets of a client id; empty when it is unknown."""
        return self._keys.get(client_id, ())

    def may_be_unreadable(self, client_id: str) -> bool:
        """Whether an unknown client id may be that of an app which a credential refers to and which is unreadable."""
        return any(self._may_have(app, client_id) for app in self._references if app not in self._apps)

    def _may_have(self, app: Key, client_id: str) -> bool:
        known = self._unreadable.get(app)
        return known is None or known.client_id in ("", client_id)

    def by_app(self, *, apps: Iterable[Key], account_id: str) -> dict[Key, list[KnownCredential]]:
        """Return the credentials of this account, grouped by app Secret; apps without any are left out."""
        found = {app: list(self._by_account.get((app, account_id), _NONE).values()) for app in apps}
        return {app: credentials for app, credentials in found.items() if credentials}

    def credentials_of(self, apps: Collection[Key]) -> list[Key]:
        """Return all credentials of these apps, whatever their account."""
        return [key for key, known in self._credentials.items() if Key(key.namespace, known.app) in apps]

    def webhook_status(self, key: Key) -> WebhookStatus | None:
        """Return what the credential's status says about webhooks; None: there is no such credential."""
        return self._statuses.get(key)

    def _forget(self, key: Key) -> None:
        known = self._credentials.pop(key, None)
        self._statuses.pop(key, None)
        if known is None:
            return
        app = Key(known.namespace, known.app)
        self._references[app] -= 1
        if self._references[app] <= 0:
            del self._references[app]
        group = self._by_account.get((app, known.account_id))
        if group is not None:
            group.pop(known.name, None)
            if not group:
                del self._by_account[app, known.account_id]


def _keys_by_client_id(apps: dict[Key, ProjectedApp]) -> dict[str, tuple[WebhookKey, ...]]:
    # Grouped by value: the same app in 300 namespaces costs one HMAC for each request, not 300.
    holders: dict[str, dict[str, set[Key]]] = {}
    for key, app in apps.items():
        by_value = holders.setdefault(app.client_id, {})
        for secret in (app.webhook_secret_token, app.previous_webhook_secret_token):
            value = secret.get_secret_value().strip() if secret is not None else ""
            if value:
                by_value.setdefault(value, set()).add(key)
    return {
        client_id: tuple(WebhookKey(secret=SecretStr(value), apps=frozenset(keys)) for value, keys in by_value.items())
        for client_id, by_value in holders.items()
    }

"""Cache of the apps by client id, with their webhook secrets, and of the credentials of each app and account.

Two watches fill it: that of the Secret which the operator keeps for the receiver, and that of the ZoomCredentials.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from meetingbots.credentials.manifests.receiver_secret import ProjectedApp, UnreadableApp, parse_projection
from meetingbots.kube.client import Object
from meetingbots.mappings.decide.ownership import KnownCredential
from meetingbots.receiver.credential_view import WebhookStatus, known_credential, webhook_status
from meetingbots.receiver.webhook_keys import FormerSecrets, WebhookKey, keys_by_client_id
from meetingbots.runtime.object_cache import Key

_log = logging.getLogger(__name__)
_NONE: Final[dict[str, KnownCredential]] = {}


class AppDirectory:
    """Apps and credentials of the namespaces served (empty: all)."""

    def __init__(self, *, namespaces: Collection[str] = ()) -> None:
        self._namespaces = frozenset(namespaces)
        self._apps: dict[Key, ProjectedApp] = {}
        self._unreadable: dict[Key, UnreadableApp] = {}
        self._keys: dict[str, tuple[WebhookKey, ...]] = {}
        self._apps_by_client_id: dict[str, frozenset[Key]] = {}
        self._former = FormerSecrets()
        self._unreadable_ids: frozenset[str] | None = None
        self._credentials: dict[Key, KnownCredential] = {}
        self._statuses: dict[Key, WebhookStatus] = {}
        self._by_account: dict[tuple[Key, str], dict[str, KnownCredential]] = {}
        self._by_app: dict[Key, set[Key]] = {}

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
        if app not in self._by_app:
            self._by_app[app] = set()
            self._unreadable_ids = None
        self._by_app[app].add(key)
        if known.account_id:
            self._by_account.setdefault((app, known.account_id), {})[name] = known

    def on_projection(self, namespace: str, name: str, item: Object | None) -> None:
        """Take over the current state of the projected Secret; None: it was deleted."""
        before, self._apps, self._unreadable = self._apps, {}, {}
        for projected, app in (parse_projection(item) if item is not None else {}).items():
            key = Key(projected.namespace, projected.name)
            if self._namespaces and key.namespace not in self._namespaces:
                continue
            if isinstance(app, ProjectedApp):
                self._apps[key] = app
            else:
                self._unreadable[key] = app
        self._keys = keys_by_client_id(self._apps)
        self._apps_by_client_id = _apps_by_client_id(self._apps)
        self._former.note(before, self._apps)
        self._unreadable_ids = None
        _log.info("%s/%s: %d apps of %d client ids", namespace, name, len(self._apps), len(self._keys))

    def has_app(self, client_id: str) -> bool:
        """Whether an app has this client id."""
        return client_id in self._keys

    def keys(self, client_id: str) -> tuple[WebhookKey, ...]:
        """Return the webhook secrets of a client id; empty when it is unknown."""
        return self._keys.get(client_id, ())

    def apps_of(self, client_id: str) -> frozenset[Key]:
        """Return the app Secrets with this client id."""
        return self._apps_by_client_id.get(client_id, frozenset())

    def client_id_of(self, credential: Key) -> str:
        """Return the client id of a credential's app; empty while it is unknown."""
        known = self._credentials.get(credential)
        app = self._apps.get(Key(known.namespace, known.app)) if known is not None else None
        return app.client_id if app is not None else ""

    def former_keys(self, client_id: str) -> tuple[WebhookKey, ...]:
        """Return webhook secrets that app Secrets of this client id contained since the process started."""
        return self._former.keys(client_id)

    def lane(self, client_id: str) -> str:
        """Name the share of the receiver that requests for a client id use: that of its namespace, if it has only one.

        So a namespace does not get a larger share by using many client ids.
        """
        namespaces = {app.namespace for app in self.apps_of(client_id)}
        return f"{next(iter(namespaces))}/" if len(namespaces) == 1 else client_id

    def may_be_unreadable(self, client_id: str) -> bool:
        """Whether an unknown client id may be that of an app which a credential refers to and which is unreadable."""
        if self._unreadable_ids is None:
            missing = [self._unreadable.get(app) for app in self._by_app if app not in self._apps]
            self._unreadable_ids = frozenset(app.client_id if app is not None else "" for app in missing)
        return bool(self._unreadable_ids & {"", client_id})

    def by_app(self, *, apps: Iterable[Key], account_id: str) -> dict[Key, list[KnownCredential]]:
        """Return the credentials of this account, grouped by app Secret; apps without any are left out."""
        found = {app: list(self._by_account.get((app, account_id), _NONE).values()) for app in apps}
        return {app: credentials for app, credentials in found.items() if credentials}

    def credentials_of(self, apps: Collection[Key]) -> list[Key]:
        """Return all credentials of these apps, whatever their account."""
        return [key for app in apps for key in self._by_app.get(app, ())]

    def webhook_status(self, key: Key) -> WebhookStatus | None:
        """Return what the credential's status says about webhooks; None: there is no such credential."""
        return self._statuses.get(key)

    def _forget(self, key: Key) -> None:
        known = self._credentials.pop(key, None)
        self._statuses.pop(key, None)
        if known is None:
            return
        app = Key(known.namespace, known.app)
        self._by_app[app].discard(key)
        if not self._by_app[app]:
            del self._by_app[app]
            self._unreadable_ids = None
        group = self._by_account.get((app, known.account_id))
        if group is not None:
            group.pop(known.name, None)
            if not group:
                del self._by_account[app, known.account_id]


def _apps_by_client_id(apps: Mapping[Key, ProjectedApp]) -> dict[str, frozenset[Key]]:
    found: dict[str, set[Key]] = {}
    for key, app in apps.items():
        found.setdefault(app.client_id, set()).add(key)
    return {client_id: frozenset(keys) for client_id, keys in found.items()}

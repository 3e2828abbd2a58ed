"""Cache of the apps by client id, with their webhook secrets, and of the credentials of each app and account.

Two watches fill it: that of the Secret which the operator keeps for the receiver, and that of the ZoomCredentials. The
number of webhook secrets is limited, however many Secrets a tenant creates.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from pydantic import SecretStr

from meetingbots.credentials.manifests.receiver_secret import ProjectedApp, UnreadableApp, parse_projection
from meetingbots.kube.client import Object
from meetingbots.mappings.decide.ownership import KnownCredential
from meetingbots.receiver.credential_lookup import WebhookStatus, is_app_accepted, known_credential, webhook_status
from meetingbots.runtime.object_cache import Key

KEYS_PER_NAMESPACE: Final = 4
"""Distinct webhook secrets of one client id in one namespace: those of two app Secrets in rotation."""
KEYS_PER_CLIENT_ID: Final = 64
"""Bounds the HMACs of one request."""
_FORMER_SECRETS: Final = 1000
_FORMER_PER_CLIENT_ID: Final = 8
_log = logging.getLogger(__name__)
_NONE: Final[dict[str, KnownCredential]] = {}


@dataclass(frozen=True)
class WebhookKey:
    """A webhook secret of a client id, and the app Secrets that contain it."""

    secret: SecretStr = field(repr=False)
    apps: frozenset[Key]


_Holders: TypeAlias = dict[str, list[tuple[str, Key]]]
"""By namespace: webhook secrets of one client id, each with the app Secret that contains it."""


@dataclass(frozen=True, order=True)
class Standing:
    """Which app Secret is served first when a client id has too many: one with a credential that Zoom has identified.

    A tenant that plants another app's client id has no client secret, so Zoom issues it no tokens, and rejects it when
    the credential was identified with another app before. `since` is when the oldest such credential was created; the
    older one comes first.
    """

    unproven: bool = True
    since: str = "9"


def _holders(apps: Mapping[Key, ProjectedApp]) -> dict[str, _Holders]:
    """Group the webhook secrets of all apps by client id."""
    found: dict[str, _Holders] = {}
    for key, app in sorted(apps.items()):
        by_namespace = found.setdefault(app.client_id, {})
        for value in _values(app):
            by_namespace.setdefault(key.namespace, []).append((value, key))
    return found


def _limited(by_namespace: _Holders, standing: Callable[[Key], Standing]) -> tuple[WebhookKey, ...]:
    """Take secrets of each namespace in turn, those of identified credentials first, until the limit.

    Equal secrets are one: the same app in 300 namespaces costs one HMAC for each request.
    """
    total = len({value for found in by_namespace.values() for value, _ in found})
    ordered: list[tuple[bool, int, str, str]] = []
    for found in by_namespace.values():
        ranks = {value: Standing() for value, _ in found}
        if total > KEYS_PER_NAMESPACE:
            for value, key in found:
                ranks[value] = min(ranks[value], standing(key))
        own = sorted(ranks, key=lambda value: ranks[value])[:KEYS_PER_NAMESPACE]
        ordered += [(ranks[value].unproven, turn, ranks[value].since, value) for turn, value in enumerate(own)]
    kept = list(dict.fromkeys(value for *_, value in sorted(ordered)))[:KEYS_PER_CLIENT_ID]
    if len(kept) < total:
        _log.warning("a client id has %d webhook secrets; %d are used", total, len(kept))
    apps: dict[str, set[Key]] = {value: set() for value in kept}
    for found in by_namespace.values():
        for value, key in found:
            if value in apps:
                apps[value].add(key)
    return tuple(WebhookKey(secret=SecretStr(value), apps=frozenset(apps[value])) for value in kept)


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


class AppDirectory:
    """Apps and credentials of the namespaces served (empty: all)."""

    def __init__(self, *, namespaces: Collection[str] = ()) -> None:
        self._namespaces = frozenset(namespaces)
        self._apps: dict[Key, ProjectedApp] = {}
        self._unreadable: dict[Key, UnreadableApp] = {}
        self._holders: dict[str, _Holders] = {}
        self._keys: dict[str, tuple[WebhookKey, ...]] = {}
        self._standings: dict[Key, Standing] = {}
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
        former, before = self._credentials.get(key), self._standings.pop(key, None)
        self._forget(key)
        if item is None:
            if former is not None:
                self._forget_keys(Key(namespace, former.app))
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
        self._standings[key] = Standing(
            not (known.account_id and is_app_accepted(item)), item["metadata"].get("creationTimestamp", "")
        )
        if self._standings[key] != before or former is None or former.app != known.app:
            self._forget_keys(app)
            self._forget_keys(Key(namespace, former.app) if former is not None else app)

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
        self._holders, self._keys = _holders(self._apps), {}
        self._apps_by_client_id = _apps_by_client_id(self._apps)
        self._former.note(before, self._apps)
        self._unreadable_ids = None
        _log.info("%s/%s: %d apps of %d client ids", namespace, name, len(self._apps), len(self._holders))

    def has_app(self, client_id: str) -> bool:
        """Whether an app has this client id."""
        return client_id in self._holders

    def keys(self, client_id: str) -> tuple[WebhookKey, ...]:
        """Return the webhook secrets of a client id; empty when it is unknown."""
        if client_id not in self._keys and client_id in self._holders:
            self._keys[client_id] = _limited(self._holders[client_id], self._standing)
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

    def _standing(self, app: Key) -> Standing:
        return min((self._standings[key] for key in self._by_app.get(app, ())), default=Standing())

    def _forget_keys(self, app: Key) -> None:
        """Have the secrets of the app's client id ordered again."""
        projected = self._apps.get(app)
        if projected is not None:
            self._keys.pop(projected.client_id, None)

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

"""Who owns an event: the apps by client id with their webhook secrets, and the credentials of each app and account.

Fed by two watches: the projected Secret that the operator keeps for the receiver, and the ZoomCredentials. Only what is
needed to tell whose an event is stays in memory.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeAlias

from pydantic import SecretStr

from meetingbots.credentials.manifests.receiver_secret import ProjectedApp, UnreadableApp, parse_projection
from meetingbots.mappings.decide.ownership import KnownCredential
from meetingbots.models.conditions import ConditionStatus, ConditionType
from meetingbots.models.credential import Level
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.timestamps import iso_moment

Object: TypeAlias = dict[str, Any]

_log = logging.getLogger(__name__)
_NOBODY: Final[dict[str, KnownCredential]] = {}


@dataclass(frozen=True)
class WebhookKey:
    """One webhook secret of a client id, and the app Secrets that have it: what it verifies, they verify."""

    secret: SecretStr = field(repr=False)
    apps: frozenset[Key]


@dataclass(frozen=True)
class Reception:
    """What a credential's status says of webhooks: since when they come (None: they do not), and the last one noted."""

    uid: str
    generation: int
    since: datetime | None
    last: datetime | None


class Directory:
    """Apps and credentials of the namespaces served (empty: of all)."""

    def __init__(self, *, namespaces: Collection[str] = ()) -> None:
        self._namespaces = frozenset(namespaces)
        self._apps: dict[Key, ProjectedApp] = {}
        self._unreadable: dict[Key, UnreadableApp] = {}
        self._doors: dict[str, tuple[WebhookKey, ...]] = {}
        self._people: dict[Key, KnownCredential] = {}
        self._receptions: dict[Key, Reception] = {}
        self._by_account: dict[tuple[Key, str], dict[str, KnownCredential]] = {}
        self._references: Counter[Key] = Counter()

    # Fed by the watches.

    def on_credential(self, namespace: str, name: str, item: Object | None) -> None:
        """A ZoomCredential is so now, or is gone (None)."""
        key = Key(namespace, name)
        known = self._people.pop(key, None)
        self._receptions.pop(key, None)
        if known is not None:
            self._forget(known)
        if item is None:
            return
        new = known_credential(item)
        self._people[key] = new
        self._receptions[key] = _reception(item)
        app = Key(namespace, new.app)
        self._references[app] += 1
        if new.account_id:
            self._by_account.setdefault((app, new.account_id), {})[name] = new

    def on_projection(self, namespace: str, name: str, item: Object | None) -> None:
        """The projected Secret is so now, or is gone (None)."""
        self._apps, self._unreadable = {}, {}
        for projected, app in (parse_projection(item) if item is not None else {}).items():
            key = Key(projected.namespace, projected.name)
            if self._namespaces and key.namespace not in self._namespaces:
                continue
            if isinstance(app, ProjectedApp):
                self._apps[key] = app
            else:
                self._unreadable[key] = app
        self._doors = _doors(self._apps)
        _log.info("%s/%s: %d apps of %d client ids", namespace, name, len(self._apps), len(self._doors))

    # Asked by the routes.

    def knows(self, client_id: str) -> bool:
        """Whether there is an app with this client id."""
        return client_id in self._doors

    def doors(self, client_id: str) -> tuple[WebhookKey, ...]:
        """The webhook secrets of an app; empty when the client id is not known."""
        return self._doors.get(client_id, ())

    def may_be_unreadable(self, client_id: str) -> bool:
        """Whether an unknown client id may be that of an app which a credential refers to and nobody can read yet."""
        return any(self._may_have(app, client_id) for app in self._references if app not in self._apps)

    def _may_have(self, app: Key, client_id: str) -> bool:
        known = self._unreadable.get(app)
        return known is None or known.client_id in ("", client_id)

    def groups(self, *, apps: Iterable[Key], account_id: str) -> dict[Key, list[KnownCredential]]:
        """The credentials of this account, by the Secret of their app."""
        found = {app: list(self._by_account.get((app, account_id), _NOBODY).values()) for app in apps}
        return {app: people for app, people in found.items() if people}

    def people(self, *, apps: Iterable[Key], account_id: str) -> list[KnownCredential]:
        """The credentials of these apps and this account."""
        return [one for app in apps for one in self._by_account.get((app, account_id), _NOBODY).values()]

    def users_of(self, apps: Collection[Key]) -> list[Key]:
        """All credentials of these apps, whatever the account."""
        return [key for key, one in self._people.items() if Key(key.namespace, one.app) in apps]

    def reception(self, key: Key) -> Reception | None:
        """What the credential's status says of webhooks; None: there is no such credential."""
        return self._receptions.get(key)

    def _forget(self, known: KnownCredential) -> None:
        app = Key(known.namespace, known.app)
        self._references[app] -= 1
        if self._references[app] <= 0:
            del self._references[app]
        place = (app, known.account_id)
        others = self._by_account.get(place)
        if others is not None:
            others.pop(known.name, None)
            if not others:
                del self._by_account[place]


def known_credential(item: Object) -> KnownCredential:
    """Read of a ZoomCredential, as the API server sends it, what the receiver needs; its content raises nothing."""
    metadata, spec, status = item["metadata"], item.get("spec") or {}, item.get("status") or {}
    return KnownCredential(
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        uid=metadata.get("uid", ""),
        app=(spec.get("appSecretRef") or {}).get("name", ""),
        level=Level.ACCOUNT if spec.get("level") == Level.ACCOUNT else Level.USER,
        user_id=status.get("userId") or "",
        account_id=status.get("accountId") or "",
        pmi=status.get("pmi") or "",
        email=(status.get("email") or "").lower(),
        renewed=iso_moment(status.get("lastRefreshTime")),
        deauthorized=iso_moment((status.get("deauthorization") or {}).get("time")),
        removed=iso_moment((status.get("userRemoval") or {}).get("time")),
    )


def _reception(item: Object) -> Reception:
    status = item.get("status") or {}
    condition: Object = next(
        (one for one in status.get("conditions") or () if one.get("type") == ConditionType.WEBHOOK_RECEIVING), {}
    )
    receives = condition.get("status") == ConditionStatus.TRUE
    return Reception(
        uid=item["metadata"].get("uid", ""),
        generation=item["metadata"].get("generation", 0),
        since=iso_moment(condition.get("lastTransitionTime")) if receives else None,
        last=iso_moment(status.get("lastWebhookTime")),
    )


def _doors(apps: dict[Key, ProjectedApp]) -> dict[str, tuple[WebhookKey, ...]]:
    # By value: the same app in 300 namespaces costs one HMAC for each request, not 300.
    holders: dict[str, dict[str, set[Key]]] = {}
    for key, app in apps.items():
        for secret in (app.webhook_secret_token, app.previous_webhook_secret_token):
            value = secret.get_secret_value().strip() if secret is not None else ""
            if value:
                holders.setdefault(app.client_id, {}).setdefault(value, set()).add(key)
    found = {
        client_id: tuple(WebhookKey(secret=SecretStr(value), apps=frozenset(keys)) for value, keys in by_value.items())
        for client_id, by_value in holders.items()
    }
    # An app without a webhook secret is known, too: nothing verifies there.
    for app in apps.values():
        found.setdefault(app.client_id, ())
    return found

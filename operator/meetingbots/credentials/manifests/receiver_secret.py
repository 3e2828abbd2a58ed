"""The Secret in the system namespace from which the receiver knows the Zoom apps: what is in it, written and read.

The receiver faces the internet, so it may read no app Secret; the operator projects what it needs into this one object.
One data key for each app Secret that a credential refers to, ``NAMESPACE.NAME``, with a JSON object: either the app, or
why it cannot be read, so that the receiver can tell an unknown app from one that is not readable yet. The key
``link_signing_key`` has the keys that sign connect links.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from pydantic import SecretStr

from meetingbots.credentials.manifests.signing_keys import Keyring, keyring_text, parse_keyring
from meetingbots.models import names

LINK_SIGNING_KEY: Final = "link_signing_key"
CLIENT_ID_LIMIT: Final = 128
SECRET_LIMIT: Final = 512
"""Characters of a client id or account id, and of an app's secret: Zoom's are much shorter.

All apps share one Secret of at most 1 MiB (Kubernetes): without a limit, one tenant could fill it for everybody.
"""
_LIMITS: Final = {
    "client_id": CLIENT_ID_LIMIT,
    "account_id": CLIENT_ID_LIMIT,
    "client_secret": SECRET_LIMIT,
    "webhook_secret_token": SECRET_LIMIT,
    "previous_webhook_secret_token": SECRET_LIMIT,
}
_KEY_LIMIT: Final = 253
_HASH_LENGTH: Final = 32


@dataclass(frozen=True, order=True)
class AppName:
    """Namespace and name of an app Secret."""

    namespace: str
    name: str


@dataclass(frozen=True, kw_only=True)
class ProjectedApp:
    """What the receiver needs of an app. `account_id` is the app owner's account, empty where it is not given."""

    client_id: str
    webhook_secret_token: SecretStr = field(repr=False)
    previous_webhook_secret_token: SecretStr | None = field(default=None, repr=False)
    account_id: str = ""


@dataclass(frozen=True, kw_only=True)
class UnreadableApp:
    """An app that a credential refers to and that cannot be read (yet). `client_id` where at least that is known."""

    why: str
    client_id: str = ""


@dataclass(frozen=True)
class Projection(Mapping[AppName, ProjectedApp | UnreadableApp]):
    """All that the receiver knows: the apps by their Secret's namespace and name."""

    apps: Mapping[AppName, ProjectedApp | UnreadableApp]
    keyring: Keyring = field(default_factory=Keyring, repr=False)

    def __getitem__(self, name: AppName) -> ProjectedApp | UnreadableApp:
        return self.apps[name]

    def __iter__(self) -> Iterator[AppName]:
        return iter(self.apps)

    def __len__(self) -> int:
        return len(self.apps)


def parse_projection(secret: Mapping[str, Any]) -> Projection:
    """Read the Secret as the API server sends it; an entry that cannot be read is an `UnreadableApp`."""
    data = secret.get("data") or {}
    apps: dict[AppName, ProjectedApp | UnreadableApp] = {}
    for key, encoded in data.items():
        if key != LINK_SIGNING_KEY:
            fields = _object(encoded)
            namespace, _, name = key.partition(".")
            apps[AppName(namespace, str(fields.get("name") or name))] = _app(fields)
    return Projection(apps=apps, keyring=parse_keyring(_text(data.get(LINK_SIGNING_KEY, ""))))


def keyring_value(keyring: Keyring) -> str:
    """The data value under ``link_signing_key``, base64."""
    return base64.b64encode(keyring_text(keyring).encode()).decode()


def entry_key(name: AppName) -> str:
    """The data key of an app: ``NAMESPACE.NAME``, shortened by a hash where that is longer than a key may be."""
    plain = f"{name.namespace}.{name.name}"
    if len(plain) <= _KEY_LIMIT:
        return plain
    digest = hashlib.sha256(plain.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{plain[: _KEY_LIMIT - _HASH_LENGTH - 1]}-{digest}"


def entry_value(name: AppName, app: ProjectedApp | UnreadableApp) -> str:
    """The data value of an app, base64 of JSON; the same app is always the same text."""
    if isinstance(app, ProjectedApp):
        previous = app.previous_webhook_secret_token
        fields = {
            "client_id": app.client_id,
            "webhook_secret_token": app.webhook_secret_token.get_secret_value(),
            "previous_webhook_secret_token": previous.get_secret_value() if previous else "",
            "account_id": app.account_id,
        }
    else:
        fields = {"unreadable": app.why, "client_id": app.client_id}
    if entry_key(name) != f"{name.namespace}.{name.name}":
        fields["name"] = name.name
    kept = {key: value for key, value in fields.items() if value}
    return base64.b64encode(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)).decode()


def app_of(name: AppName, secret: Mapping[str, Any] | None) -> ProjectedApp | UnreadableApp:
    """What to project of an app Secret as the API server sends it (None: it does not exist). Blanks are cut."""
    if secret is None:
        return UnreadableApp(why=f"Secret {name.name} does not exist.")
    data = {key: _text(value) for key, value in (secret.get("data") or {}).items() if key in _LIMITS}
    client_id = data.get("client_id", "")
    long = too_long(name.name, secret)
    if long:
        return UnreadableApp(why=long, client_id=client_id if len(client_id) <= CLIENT_ID_LIMIT else "")
    for key in ("client_id", "webhook_secret_token"):
        if not data.get(key):
            return UnreadableApp(why=f"Secret {name.name} has no key {key}, or it is empty.", client_id=client_id)
    previous = data.get("previous_webhook_secret_token", "")
    return ProjectedApp(
        client_id=client_id,
        webhook_secret_token=SecretStr(data["webhook_secret_token"]),
        previous_webhook_secret_token=SecretStr(previous) if previous else None,
        account_id=data.get("account_id", ""),
    )


def too_long(name: str, secret: Mapping[str, Any]) -> str:
    """Which value of an app Secret called `name` is longer than one of Zoom's can be; empty if none is."""
    data = secret.get("data") or {}
    for key, limit in _LIMITS.items():
        if len(_text(data.get(key, ""))) > limit:
            return f"Key {key} of Secret {name} is longer than {limit} characters."
    return ""


def new_projection_secret(*, namespace: str, data: Mapping[str, str]) -> dict[str, Any]:
    """The whole object, to be created."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": names.RECEIVER_SECRET,
            "namespace": namespace,
            "labels": {names.MANAGED_BY_LABEL: names.MANAGED_BY},
        },
        "type": "Opaque",
        "data": dict(data),
    }


def _app(fields: Mapping[str, Any]) -> ProjectedApp | UnreadableApp:
    plain = {key: value for key, value in fields.items() if isinstance(value, str)}
    client_id, secret = plain.get("client_id", ""), plain.get("webhook_secret_token", "")
    if "unreadable" in plain or not client_id or not secret:
        return UnreadableApp(why=plain.get("unreadable", "The entry is not complete."), client_id=client_id)
    previous = plain.get("previous_webhook_secret_token", "")
    return ProjectedApp(
        client_id=client_id,
        webhook_secret_token=SecretStr(secret),
        previous_webhook_secret_token=SecretStr(previous) if previous else None,
        account_id=plain.get("account_id", ""),
    )


def _object(encoded: object) -> Mapping[str, Any]:
    try:
        value = orjson.loads(_text(encoded))
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _text(encoded: object) -> str:
    try:
        return base64.b64decode(str(encoded), validate=True).decode().strip()
    except (binascii.Error, UnicodeDecodeError):
        return ""

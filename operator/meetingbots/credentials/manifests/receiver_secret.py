"""Encodes and decodes the Secret in the system namespace that describes the Zoom apps to the receiver.

The receiver faces the internet, so it reads no app Secret. The operator projects what the receiver needs into this one
object. Each app Secret that a credential refers to has one data key, ``NAMESPACE.NAME``, with a JSON object: the app,
or the reason why it cannot be read, so that the receiver can tell an unknown app from one that is not readable yet. The
key ``link_signing_key`` holds the keys that sign connect links.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from pydantic import SecretStr

from meetingbots.credentials.manifests.signing_keys import Keyring, keyring_text, parse_keyring
from meetingbots.kube.secrets import decode_text, encode
from meetingbots.models import names
from meetingbots.zoom.oauth import Environment

LINK_SIGNING_KEY: Final = "link_signing_key"
CLIENT_ID_LIMIT: Final = 128
SECRET_LIMIT: Final = 512
"""Maximum characters of a client id or account id, and of an app's secret. Zoom's are much shorter.

All apps share one Secret of at most 1 MiB (Kubernetes).
"""
_LIMITS: Final = {
    "client_id": CLIENT_ID_LIMIT,
    "account_id": CLIENT_ID_LIMIT,
    "client_secret": SECRET_LIMIT,
    "webhook_secret_token": SECRET_LIMIT,
    "previous_webhook_secret_token": SECRET_LIMIT,
    "environment": CLIENT_ID_LIMIT,
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
    """What the receiver needs of an app. `account_id` is the account of the app's owner, empty if unknown."""

    client_id: str
    webhook_secret_token: SecretStr = field(repr=False)
    previous_webhook_secret_token: SecretStr | None = field(default=None, repr=False)
    account_id: str = ""
    environment: Environment = Environment.ZOOM


@dataclass(frozen=True, kw_only=True)
class UnreadableApp:
    """An app that a credential refers to and that cannot be read. `client_id` is set if it is known."""

    why: str
    client_id: str = ""
    environment: Environment = Environment.ZOOM


@dataclass(frozen=True)
class Projection(Mapping[AppName, ProjectedApp | UnreadableApp]):
    """The content: apps by the namespace and name of their Secret, and the keys for links."""

    apps: Mapping[AppName, ProjectedApp | UnreadableApp]
    keyring: Keyring = field(default_factory=Keyring, repr=False)

    def __getitem__(self, name: AppName) -> ProjectedApp | UnreadableApp:
        return self.apps[name]

    def __iter__(self) -> Iterator[AppName]:
        return iter(self.apps)

    def __len__(self) -> int:
        return len(self.apps)


def parse_projection(secret: Mapping[str, Any]) -> Projection:
    """Decode the Secret; a malformed entry becomes an `UnreadableApp`."""
    data = secret.get("data") or {}
    apps: dict[AppName, ProjectedApp | UnreadableApp] = {}
    for key, encoded in data.items():
        if key != LINK_SIGNING_KEY:
            fields = _object(encoded)
            namespace, _, name = key.partition(".")
            apps[AppName(namespace, str(fields.get("name") or name))] = _app(fields)
    return Projection(apps=apps, keyring=parse_keyring(_text(data.get(LINK_SIGNING_KEY, ""))))


def keyring_value(keyring: Keyring) -> str:
    """Return the data value for ``link_signing_key``."""
    return encode(keyring_text(keyring))


def entry_key(name: AppName) -> str:
    """Return the data key of an app: ``NAMESPACE.NAME``; a key that is too long ends with a hash."""
    plain = f"{name.namespace}.{name.name}"
    if len(plain) <= _KEY_LIMIT:
        return plain
    digest = hashlib.sha256(plain.encode()).hexdigest()[:_HASH_LENGTH]
    return f"{plain[: _KEY_LIMIT - _HASH_LENGTH - 1]}-{digest}"


def entry_value(name: AppName, app: ProjectedApp | UnreadableApp) -> str:
    """Return the data value of an app; equal apps give equal values."""
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
    if app.environment is not Environment.ZOOM:
        fields["environment"] = app.environment
    if entry_key(name) != f"{name.namespace}.{name.name}":
        fields["name"] = name.name
    kept = {key: value for key, value in fields.items() if value}
    return encode(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS))


def app_of(name: AppName, secret: Mapping[str, Any] | None) -> ProjectedApp | UnreadableApp:
    """Return the projection of an app Secret (None: it does not exist), without surrounding blanks."""
    if secret is None:
        return UnreadableApp(why=f"Secret {name.name} does not exist.")
    data = {key: _text(value) for key, value in (secret.get("data") or {}).items() if key in _LIMITS}
    client_id = data.get("client_id", "")
    long = too_long(name.name, secret)
    if long:
        return UnreadableApp(why=long, client_id=client_id if len(client_id) <= CLIENT_ID_LIMIT else "")
    environment = Environment.named(data.get("environment", ""))
    if environment is None:
        return UnreadableApp(why=f"Key environment of Secret {name.name} names no environment of Zoom.")
    for key in ("client_id", "webhook_secret_token"):
        if not data.get(key):
            why = f"Secret {name.name} has no key {key}, or it is empty."
            return UnreadableApp(why=why, client_id=client_id, environment=environment)
    previous = data.get("previous_webhook_secret_token", "")
    return ProjectedApp(
        client_id=client_id,
        webhook_secret_token=SecretStr(data["webhook_secret_token"]),
        previous_webhook_secret_token=SecretStr(previous) if previous else None,
        account_id=data.get("account_id", ""),
        environment=environment,
    )


def too_long(name: str, secret: Mapping[str, Any]) -> str:
    """Return a message about a value that is longer than any of Zoom's; empty if all are acceptable."""
    data = secret.get("data") or {}
    for key, limit in _LIMITS.items():
        if len(_text(data.get(key, ""))) > limit:
            return f"Key {key} of Secret {name} is longer than {limit} characters."
    return ""


def new_projection_secret(*, namespace: str, data: Mapping[str, str]) -> dict[str, Any]:
    """Return the whole object for a create."""
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
    environment = Environment.named(plain.get("environment", "")) or Environment.ZOOM
    if "unreadable" in plain or not client_id or not secret:
        why = plain.get("unreadable", "The entry is not complete.")
        return UnreadableApp(why=why, client_id=client_id, environment=environment)
    previous = plain.get("previous_webhook_secret_token", "")
    return ProjectedApp(
        client_id=client_id,
        webhook_secret_token=SecretStr(secret),
        previous_webhook_secret_token=SecretStr(previous) if previous else None,
        account_id=plain.get("account_id", ""),
        environment=environment,
    )


def _object(encoded: object) -> Mapping[str, Any]:
    try:
        value = orjson.loads(_text(encoded))
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _text(encoded: object) -> str:
    return (decode_text(encoded) or "").strip()

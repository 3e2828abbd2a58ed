"""Objects of every kind with one odd value each, and Secrets of odd content in every role that the product reads."""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

Object = dict[str, Any]
Path = tuple[str | int, ...]

ODD_TEXTS: Final = {"nul": "\x00", "lines": "a\r\nHost: b\n"}
_LONG: Final = "9" * 200_000
ODD_BYTES: Final = {
    "empty": b"",
    "nul": b"\x00",
    "no-text": b"\xff\xfe\xed\xa0\x80",
    "lines": b"a\r\nX-Injected: b",
    "deep": b"[" * 20_000,
}
_LARGE: Final = b"x" * 700_000
_KEYS: Final = (
    *("client_id", "client_secret", "webhook_secret_token", "previous_webhook_secret_token", "account_id"),
    *("environment", "refresh_token", "code", "verifier", "passcode", "url"),
    *("access_token", "expires_at", "token_type", "scope", "api_url", "candidate"),
)
_LARGE_KEYS: Final = {"client_id": "app", "refresh_token": "grant", "passcode": "passcode", "url": "url"}
"""Keys and the role of the object that reads them."""
_MANY: Final = 2_000


@dataclass(frozen=True)
class Odd:
    """One object; `field` is where it is odd, for a message."""

    field: str
    body: Object


def odd_objects() -> Iterator[Odd]:
    """Each field of each kind with each odd text, and each list with thousands of entries."""
    number, seen = 0, set[tuple[str, Path]]()
    for base in _complete_objects():
        for path in [*_paths(base["spec"], str), *_paths(base["spec"], list)]:
            if (base["kind"], path) in seen:
                continue
            seen.add((base["kind"], path))
            for odd, value in _odd_values(_at(base["spec"], path), long=path[-1] == "image"):
                number += 1
                yield _with(base, path, value, number=number, odd=odd)


def _odd_values(value: Any, *, long: bool) -> Iterator[tuple[str, Any]]:
    if isinstance(value, str):
        yield from ODD_TEXTS.items()
        if long:
            yield "long", _LONG
    elif value:
        yield "many entries", [_numbered(value[0], count) for count in range(_MANY)]


def odd_secrets() -> Iterator[tuple[str, dict[str, str]]]:
    """Names and `data` of Secrets whose values are odd under every key that the product reads."""
    for odd, content in ODD_BYTES.items():
        yield f"odd-{odd}", dict.fromkeys(_KEYS, base64.b64encode(content).decode())
    for key in _LARGE_KEYS:
        yield f"odd-large-{key}".replace("_", "-"), {key: base64.b64encode(_LARGE).decode()}
    yield "odd-many-keys", {f"key-{count}": "" for count in range(_MANY)}


def users_of(secret: str, *, meeting_id: int) -> Iterator[Odd]:
    """Objects that refer to the Secret, one in each role that reads it; of `NAME-token` the token Secret is odd."""
    large = {f"odd-large-{key}".replace("_", "-"): role for key, role in _LARGE_KEYS.items()}
    for role, body in _users(secret, meeting_id=meeting_id):
        if large.get(secret, role) == role:
            yield _named(body, f"{secret}-{role}")


def _users(secret: str, *, meeting_id: int) -> Iterator[tuple[str, Object]]:
    bots: dict[str, Object] = {
        "passcode": {
            "meeting": {"id": str(meeting_id), "passcodeSecretKeyRef": {"name": secret, "key": "passcode"}},
        },
        "url": {"meeting": {"urlSecretKeyRef": {"name": secret, "key": "url"}}},
        "sdk": {"meeting": {"id": str(meeting_id)}, "sdkSecretRef": {"name": secret}},
    }
    for role, spec in bots.items():
        yield role, _object("MeetingBot", {"tokens": [], "template": _SLEEP, **spec})
    code = {"secretKeyRef": {"name": secret, "key": "code"}, "codeVerifierKey": "verifier"}
    credentials: dict[str, tuple[str, Object]] = {
        "app": (secret, {"refreshToken": {"secretKeyRef": _SECRET_KEY}}),
        "grant": ("zoom-app", {"refreshToken": {"secretKeyRef": {"name": secret, "key": "refresh_token"}}}),
        "code": ("zoom-app", {"authorizationCode": {**code, "redirectURI": "https://acme.example/back"}}),
        "token": ("zoom-app", {"refreshToken": {"secretKeyRef": _SECRET_KEY}}),
    }
    for role, (app, grant) in credentials.items():
        spec = {"appSecretRef": {"name": app}, "grant": grant, "tokenSecretName": f"{secret}-{role}-token"}
        yield role, _object("ZoomCredential", spec)


def token_secret(secret: str, data: dict[str, str]) -> Object:
    """The token Secret of the credential `SECRET-token`, of odd content and with odd annotations."""
    annotations = {
        "meetingbots.dev/refresh-claim": "\x00{",
        "meetingbots.dev/next-refresh-time": "9" * 5_000,
        "meetingbots.dev/user-id": "\ud800",
    }
    labels = {"app.kubernetes.io/managed-by": "meetingbots", "meetingbots.dev/credential": f"{secret}-token"}
    metadata = {"name": f"{secret}-token-token", "labels": labels, "annotations": annotations}
    return {"metadata": metadata, "data": data}


def _complete_objects() -> Iterator[Object]:
    yield _object("MeetingBot", {"meeting": {"id": "81234567890", "passcode": "123456"}, "tokens": [], **_BOT})
    for meeting in _MEETINGS:
        yield _object("MeetingBot", {"meeting": meeting, "template": _SLEEP, **_MORE})
    for name, grant in _GRANTS.items():
        yield _object("ZoomCredential", {"appSecretRef": {"name": "zoom-app"}, "grant": {name: grant}, **_CREDENTIAL})
    yield _object("MeetingMapping", {"meetingId": "81234567890", "credentials": [{"name": "alice"}]})


_SECRET_KEY: Final = {"name": "alice", "key": "refresh_token"}
_GRANTS: Final[dict[str, Object]] = {
    "refreshToken": {"secretKeyRef": _SECRET_KEY},
    "authorizationCode": {
        "secretKeyRef": _SECRET_KEY,
        "redirectURI": "https://acme.example/back",
        "codeVerifierKey": "verifier",
    },
    "serverToServer": {"accountId": "abc"},
    "accessTokenURL": {"url": "https://acme.example/token", "headersSecretRef": {"name": "headers"}},
    "connect": {
        "expectedEmail": "a@acme.example",
        "expectedAccountId": "abc",
        "returnURL": "https://acme.example/done",
    },
}
_CREDENTIAL: Final[Object] = {"tokenSecretName": "other"}
_MEETINGS: Final[tuple[Object, ...]] = (
    {"id": "81234567890", "passcodeSecretKeyRef": {"name": "passcode", "key": "passcode"}},
    {"url": "https://zoom.us/j/81234567890?pwd=MySecret.1"},
    {"urlSecretKeyRef": {"name": "link", "key": "url"}},
)
_SELECTOR: Final[Object] = {
    "matchLabels": {"team": "a"},
    "matchExpressions": [{"key": "team", "operator": "In", "values": ["a"]}],
}
_SLEEP: Final[Object] = {"spec": {"containers": [{"name": "bot", "image": "test/sleep"}]}}
_MORE: Final[Object] = {
    "credentialRef": {"name": "alice"},
    "credentialSelector": _SELECTOR,
    "tokens": ["LocalRecording", "OnBehalf"],
    "onBehalf": {"credentialRefs": [{"name": "alice"}]},
    "sdkSecretRef": {"name": "zoom-sdk"},
    "retry": {"limit": 1, "neverOnExitCodes": [3]},
}
_BOT: Final[Object] = {
    "displayName": "Notes",
    "template": {
        "metadata": {"labels": {"team": "a"}, "annotations": {"note": "a"}},
        "spec": {
            "containers": [
                {
                    "name": "bot",
                    "image": "test/sleep",
                    "command": ["run"],
                    "env": [{"name": "A", "value": "b"}],
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                }
            ],
            "volumes": [{"name": "data", "emptyDir": {"sizeLimit": "1Gi"}}],
            "tolerations": [{"key": "a", "operator": "Exists"}],
            "nodeSelector": {"disk": "fast"},
            "imagePullSecrets": [{"name": "registry"}],
        },
    },
}


def _object(kind: str, spec: Object) -> Object:
    return {"apiVersion": "meetingbots.dev/v1alpha1", "kind": kind, "metadata": {}, "spec": spec}


def _named(body: Object, name: str) -> Odd:
    body["metadata"]["name"] = name
    return Odd(f"{body['kind']} {name}", body)


def _with(base: Object, path: Path, value: Any, *, number: int, odd: str) -> Odd:
    body = copy.deepcopy(base)
    *way, last = path
    _at(body["spec"], tuple(way))[last] = value
    body["metadata"]["name"] = f"odd-{number}" if body["kind"] != "MeetingMapping" else f"8{number:010d}"
    if body["kind"] == "MeetingMapping" and path != ("meetingId",):
        body["spec"]["meetingId"] = body["metadata"]["name"]
    return Odd(f"{body['kind']} {'.'.join(map(str, path))}: {odd}", body)


def _at(spec: Any, path: Path) -> Any:
    for step in path:
        spec = spec[step]
    return spec


def _paths(value: Any, kind: type, path: Path = ()) -> Iterator[Path]:
    """The paths of all values of a type."""
    if isinstance(value, kind):
        yield path
    for step, below in _children(value):
        yield from _paths(below, kind, (*path, step))


def _children(value: Any) -> Iterator[tuple[str | int, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)


def _numbered(entry: Any, count: int) -> Any:
    if isinstance(entry, dict):
        return {key: f"{value}-{count}" if key == "name" else value for key, value in entry.items()}
    return count if isinstance(entry, int) else f"{entry}{count}"

"""Reading one value out of a Secret, by name: the only way this operator reads Secrets."""

from __future__ import annotations

import base64
import binascii

from pydantic import SecretStr

from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import SECRETS


class SecretValueError(Exception):
    """The Secret, or the key in it, is not there or empty; the text names both and quotes nothing."""


async def secret_value(kube: Kube, *, namespace: str, name: str, key: str) -> SecretStr:
    """The value under `key`, without blanks and newlines around it. Raises `SecretValueError` and `KubeError`."""
    return value_of(await read_secret(kube, namespace=namespace, name=name), key=key)


async def read_secret(kube: Kube, *, namespace: str, name: str) -> Object:
    """The whole Secret, for more than one of its values. Raises `SecretValueError` and `KubeError`."""
    try:
        return await kube.get(SECRETS, namespace=namespace, name=name)
    except NotFoundError:
        raise SecretValueError(f"Secret {name} does not exist.") from None


def value_of(secret: Object, *, key: str) -> SecretStr:
    """The value under `key` of a Secret as the API server sends it. Raises `SecretValueError`."""
    name = secret["metadata"]["name"]
    encoded = (secret.get("data") or {}).get(key)
    if encoded is None:
        raise SecretValueError(f"Secret {name} has no key {key}.")
    try:
        text = base64.b64decode(encoded, validate=True).decode().strip()
    except (binascii.Error, UnicodeDecodeError):
        raise SecretValueError(f"Key {key} of Secret {name} is not text.") from None
    if not text:
        raise SecretValueError(f"Key {key} of Secret {name} is empty.")
    return SecretStr(text)

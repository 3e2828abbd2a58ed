"""Values of Secrets. The operator reads a Secret by its name only, and never lists Secrets."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from pydantic import SecretStr

from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import NotFoundError
from meetingbots.kube.resources import SECRETS


def encode_data(values: Mapping[str, str | bytes]) -> dict[str, str]:
    """`data` of a Secret with these values; text becomes UTF-8."""
    return {key: encode(value) for key, value in values.items()}


def encode(value: str | bytes) -> str:
    """One value of `data`."""
    return base64.b64encode(value.encode() if isinstance(value, str) else value).decode("ascii")


def decode_bytes(encoded: object) -> bytes | None:
    """The bytes of one value of `data`; None for anything but Base64."""
    if not isinstance(encoded, str):
        return None
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):  # ValueError: not ASCII
        return None


def decode_text(encoded: object) -> str | None:
    """The text of one value of `data`; None for anything but Base64 of UTF-8."""
    raw = decode_bytes(encoded)
    try:
        return None if raw is None else raw.decode()
    except UnicodeDecodeError:
        return None


class SecretValueError(Exception):
    """The Secret or the key in it is missing, empty or not text. The message names both and quotes no value."""


async def secret_value(kube: Kube, *, namespace: str, name: str, key: str) -> SecretStr:
    """The value under `key`, without surrounding white space. Raises `SecretValueError` and `KubeError`."""
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
    text = decode_text(encoded)
    if text is None:
        raise SecretValueError(f"Key {key} of Secret {name} is not text.")
    if not text.strip():
        raise SecretValueError(f"Key {key} of Secret {name} is empty.")
    return SecretStr(text.strip())

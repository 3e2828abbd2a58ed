"""The Base64 of a Secret's `data`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping


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

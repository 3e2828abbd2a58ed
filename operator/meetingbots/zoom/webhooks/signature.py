"""Signatures of Zoom's webhooks: is a body from Zoom, and by which of an app's secrets (Zoom, Using webhooks).

Zoom signs ``v0:{timestamp}:{raw body}`` with HMAC-SHA256 and the app's secret token. Verify raw bytes, then parse.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import SecretStr

from meetingbots.zoom.webhooks.events import (
    AppDeauthorized,
    Event,
    MalformedEvent,
    MeetingEvent,
    Participant,
    UrlValidation,
    UserEvent,
    parse_event,
)

__all__ = [
    "AppDeauthorized",
    "Event",
    "MalformedEvent",
    "MeetingEvent",
    "Participant",
    "UrlValidation",
    "UserEvent",
    "encrypted_token",
    "parse_event",
    "sign",
    "timestamp_age",
    "verify",
]

TIMESTAMP_HEADER: Final = "x-zm-request-timestamp"
SIGNATURE_HEADER: Final = "x-zm-signature"
REQUEST_ID_HEADER: Final = "x-zm-request-id"


def sign(secret: SecretStr, *, timestamp: str, body: bytes) -> str:
    """Make the signature, ``v0=<hex>``; ``timestamp`` is the header's text (seconds), ``body`` the raw bytes."""
    signed = b"v0:" + timestamp.encode("utf-8", "replace") + b":" + body
    return "v0=" + hmac.new(_key(secret), signed, hashlib.sha256).hexdigest()


def verify(secrets: Sequence[SecretStr], *, timestamp: str, signature: str, body: bytes) -> SecretStr | None:
    """Find the secret that a request was signed with; None: it is not from Zoom.

    Every secret is tried to its end, so the time tells nothing. Empty secrets verify nothing.
    """
    given = signature.strip().encode("utf-8", "replace")
    found: SecretStr | None = None
    for secret in secrets:
        right = hmac.compare_digest(sign(secret, timestamp=timestamp, body=body).encode("ascii"), given)
        if right and _key(secret) and found is None:
            found = secret
    return found


def timestamp_age(timestamp: str, *, now: datetime) -> timedelta | None:
    """Tell how old a request's timestamp (seconds since 1970) is; negative when it lies ahead; None: not one."""
    text = timestamp.strip()
    if not text.isascii() or not text.isdecimal() or len(text) > 11:
        return None
    return now - datetime.fromtimestamp(int(text), tz=UTC)


def encrypted_token(secret: SecretStr, *, plain_token: str) -> str:
    """Answer Zoom's ``endpoint.url_validation``: hex HMAC-SHA256 of the plain token."""
    return hmac.new(_key(secret), plain_token.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _key(secret: SecretStr) -> bytes:
    return secret.get_secret_value().strip().encode("utf-8")

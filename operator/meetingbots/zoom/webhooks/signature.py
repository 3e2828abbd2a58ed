"""Verifies the signatures of Zoom's webhooks (Zoom, Using webhooks).

Zoom signs ``v0:{timestamp}:{raw body}`` with HMAC-SHA256 and the app's secret token. Verify the raw bytes, then parse.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import SecretStr

TIMESTAMP_HEADER: Final = "x-zm-request-timestamp"
SIGNATURE_HEADER: Final = "x-zm-signature"
REQUEST_ID_HEADER: Final = "x-zm-request-id"


def sign(secret: SecretStr, *, timestamp: str, body: bytes) -> str:
    """Return the signature, ``v0=<hex>``; ``timestamp`` is the header's text (seconds), ``body`` the raw bytes."""
    signed = b"v0:" + timestamp.encode("utf-8", "replace") + b":" + body
    return "v0=" + hmac.new(_key(secret), signed, hashlib.sha256).hexdigest()


def verify(secrets: Sequence[SecretStr], *, timestamp: str, signature: str, body: bytes) -> SecretStr | None:
    """Return the secret that a request was signed with; None when it is not from Zoom.

    Every secret is compared, so that the duration reveals nothing. Empty secrets verify nothing.
    """
    given = signature.strip().encode("utf-8", "replace")
    found: SecretStr | None = None
    for secret in secrets:
        right = hmac.compare_digest(sign(secret, timestamp=timestamp, body=body).encode("ascii"), given)
        if right and _key(secret) and found is None:
            found = secret
    return found


def timestamp_age(timestamp: str, *, now: datetime) -> timedelta | None:
    """Return the age of a request's timestamp (seconds since 1970), negative for the future; None: not a timestamp."""
    text = timestamp.strip()
    if not text.isascii() or not text.isdecimal() or len(text) > 11:
        return None
    return now - datetime.fromtimestamp(int(text), tz=UTC)


def encrypted_token(secret: SecretStr, *, plain_token: str) -> str:
    """Return the answer to ``endpoint.url_validation``: hex HMAC-SHA256 of the plain token."""
    return hmac.new(_key(secret), plain_token.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _key(secret: SecretStr) -> bytes:
    return secret.get_secret_value().strip().encode("utf-8")

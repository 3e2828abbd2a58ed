"""Signs messages by the Standard Webhooks specification (1.0)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson
from pydantic import SecretStr

from meetingbots.models.base import format_time

_PREFIX: Final = "whsec_"
_SHORTEST_KEY: Final = 24


class NotificationKeyError(ValueError):
    """A signing secret is invalid; the text quotes nothing."""


@dataclass(frozen=True, kw_only=True)
class WebhookMessage:
    """One message. Its id is the same for every try, so that the receiving side recognises repetitions."""

    id: str
    body: bytes = field(repr=False)


def message_id(*parts: str) -> str:
    """Return the id of the message that these parts identify."""
    return f"msg_{hashlib.sha256('/'.join(parts).encode()).hexdigest()[:32]}"


def message_body(kind: str, *, at: datetime, data: Mapping[str, Any]) -> bytes:
    """Return the JSON body of a message of type `kind` about something that happened at `at`."""
    return orjson.dumps({"type": kind, "timestamp": format_time(at), "data": dict(data)})


def signing_key(secret: SecretStr) -> bytes:
    """Return the key in a secret of the form `whsec_BASE64`. Raises `NotificationKeyError`."""
    text = secret.get_secret_value().strip()
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise NotificationKeyError("it is not whsec_ followed by Base64") from None
    if len(key) < _SHORTEST_KEY:
        raise NotificationKeyError(f"it has fewer than {_SHORTEST_KEY} bytes")
    return key


def signed_headers(message: WebhookMessage, *, keys: Sequence[bytes], now: datetime) -> Mapping[str, str]:
    """Return the headers of one try at `now`, with a signature for each key (two while a key is being replaced)."""
    timestamp = str(int(now.timestamp()))
    content = f"{message.id}.{timestamp}.".encode() + message.body
    signatures = (base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys)
    return {
        "content-type": "application/json",
        "webhook-id": message.id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }

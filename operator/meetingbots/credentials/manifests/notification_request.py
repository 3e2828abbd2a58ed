"""Encodes a notice as an HTTP request, by the Standard Webhooks specification (1.0)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import orjson
from pydantic import SecretStr

from meetingbots.credentials.decide.notifications import Notice, NoticeType
from meetingbots.models.base import format_time
from meetingbots.models.credential import ZoomCredential

_PREFIX: Final = "whsec_"
_SHORTEST_KEY: Final = 24


class NotificationKeyError(ValueError):
    """A signing secret is invalid; the text quotes nothing."""


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


def notice_id(notice: Notice, *, credential: ZoomCredential) -> str:
    """Return the notice's id. It is the same for every try, so that the receiving side recognises repetitions."""
    change = format_time(notice.condition.last_transition_time)
    parts = (credential.metadata.uid, notice.type, notice.condition.reason, change)
    return f"msg_{hashlib.sha256('/'.join(parts).encode()).hexdigest()[:32]}"


def notice_body(notice: Notice, *, credential: ZoomCredential) -> bytes:
    """Return the JSON body. It holds no data of the Zoom user; it holds the connect link when consent is needed."""
    data = {
        "namespace": credential.namespace,
        "name": credential.name,
        "uid": credential.metadata.uid,
        "labels": dict(credential.metadata.labels),
        "reason": notice.condition.reason,
        "message": notice.condition.message,
    }
    if notice.type is NoticeType.NEEDS_USER and credential.status.connect_url:
        data["connectURL"] = credential.status.connect_url
    changed = format_time(notice.condition.last_transition_time)
    return orjson.dumps({"type": notice.type.value, "timestamp": changed, "data": data})


def signed_headers(body: bytes, *, message_id: str, keys: Sequence[bytes], now: datetime) -> Mapping[str, str]:
    """Return the headers of one try at `now`, with a signature for each key (two while a key is being replaced)."""
    timestamp = str(int(now.timestamp()))
    content = f"{message_id}.{timestamp}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys)
    return {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }

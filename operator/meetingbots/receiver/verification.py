"""Reads a webhook request and verifies its signature.

The headers are checked before the body is read.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from aiohttp import HttpVersion11, web
from pydantic import SecretStr

from meetingbots.receiver.app_directory import WebhookKey
from meetingbots.receiver.fairness import LARGE_BYTES, FairGate, RequestRefusal, Reservation
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.webhooks.parser import SIGNATURE_HEADER, TIMESTAMP_HEADER, timestamp_age, verify

BODY_LIMIT: Final = 1024 * 1024
READ_BYTES: Final = 128 * 1024
"""Bytes to read in one turn."""
TURN_BYTES: Final = 1024 * 1024
"""Bytes to hash in one turn: one key for the largest body, many keys for a small one."""
CLOCK_TOLERANCE: Final = timedelta(minutes=5)
_SIGNATURE: Final = re.compile(r"v0=[0-9a-f]{64}")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SignedHeaders:
    """A well-formed signature that is not verified. `timestamp` is the header's text, `age` its age."""

    signature: str = field(repr=False)
    timestamp: str
    age: timedelta


@dataclass(frozen=True)
class VerifiedBody:
    """A verified body.

    `secret` is the first that verified it; `apps` are all app Secrets that contain a secret which verifies it.
    """

    body: bytes = field(repr=False)
    sent: datetime
    secret: SecretStr = field(repr=False)
    apps: frozenset[Key]


def read_headers(request: web.Request, *, now: datetime) -> SignedHeaders:
    """Raise `RequestRefusal` for a missing or malformed signature, and for a body that is compressed or too large."""
    signature, timestamp = _only(request, SIGNATURE_HEADER), _only(request, TIMESTAMP_HEADER)
    age = timestamp_age(timestamp, now=now)
    if not _SIGNATURE.fullmatch(signature) or age is None:
        raise unsigned()
    if request.headers.get("Expect") and not _expects_continue(request):
        raise RequestRefusal(417, "expectation", "this expectation is not met")
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        # Zoom sends plain bytes. A compressed body could expand to gigabytes.
        raise RequestRefusal(415, "encoded", "compressed bodies are not accepted")
    if (request.content_length or 0) > BODY_LIMIT:
        raise _too_large()
    return SignedHeaders(signature=signature, timestamp=timestamp, age=age)


class SignatureCheck:
    """Reads bodies and verifies signatures in turns that are short and fair to all apps."""

    def __init__(self, *, gate: FairGate) -> None:
        self._gate = gate

    async def read_body(self, request: web.Request, reservation: Reservation) -> bytes:
        """Read the raw bytes; a large body in turns. Raises `RequestRefusal` as soon as a limit is exceeded."""
        await _invite_body(request)
        body = bytearray()
        turns = 0
        try:
            async for piece in request.content.iter_any():
                reservation.grow(len(piece))
                body += piece
                if len(body) > BODY_LIMIT:
                    raise _too_large()
                if len(body) // READ_BYTES > turns:
                    turns = len(body) // READ_BYTES
                    await self._gate.turn(reservation.lane, size=LARGE_BYTES + 1)
        except web.RequestPayloadError:
            raise RequestRefusal(400, "malformed", "the body is broken") from None
        return bytes(body)

    async def verify(
        self, body: bytes, headers: SignedHeaders, *, keys: Sequence[WebhookKey], lane: str, now: datetime
    ) -> VerifiedBody | None:
        """Verify the signature with every key, and the timestamp against our clock. None: no key verifies it.

        Raises `RequestRefusal`.
        """
        matching = await self.matching(body, headers, keys=keys, lane=lane)
        if not matching:
            return None
        if abs(headers.age) > CLOCK_TOLERANCE:
            age = headers.age.total_seconds()
            _log.warning("a correctly signed request is %.0f s old: our clock or the sender's is wrong", age)
            raise RequestRefusal(503, "untimely", "the timestamp is more than five minutes off")
        apps = frozenset(app for key in matching for app in key.apps)
        return VerifiedBody(body=body, sent=now - headers.age, secret=matching[0].secret, apps=apps)

    async def matching(
        self, body: bytes, headers: SignedHeaders, *, keys: Sequence[WebhookKey], lane: str
    ) -> list[WebhookKey]:
        """Return the keys that verify the signature."""
        found = []
        batch = max(1, TURN_BYTES // max(1, len(body)))
        for start in range(0, len(keys), batch):
            await self._gate.turn(lane, size=len(body))
            found += [key for key in keys[start : start + batch] if _verifies(key, body, headers)]
        return found


async def _invite_body(request: web.Request) -> None:
    """Send `100 Continue` to a sender that waits for it with the body (RFC 9110, 10.1.1)."""
    if _expects_continue(request) and request.version == HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # as aiohttp's own handler does: the answer has not begun


def _expects_continue(request: web.Request) -> bool:
    """Whether the sender waits for `100 Continue`."""
    return request.headers.get("Expect", "").lower() == "100-continue"


def _verifies(key: WebhookKey, body: bytes, headers: SignedHeaders) -> bool:
    found = verify([key.secret], timestamp=headers.timestamp, signature=headers.signature, body=body)
    return found is not None


def unsigned() -> RequestRefusal:
    """Reject a request without a valid signature."""
    return RequestRefusal(401, "unsigned", "the signature is not valid")


def _too_large() -> RequestRefusal:
    return RequestRefusal(413, "too_large", "the body is over 1 MiB")


def _only(request: web.Request, header: str) -> str:
    """Return a header's value; empty when it is missing or ambiguous because it occurs twice."""
    values = request.headers.getall(header, [])
    return values[0].strip() if len(values) == 1 else ""

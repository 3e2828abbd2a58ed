"""POST /webhooks/{client_id}: is it Zoom, whose is it, and is it written; then, and only then, the answer.

Zoom waits three seconds, tries again after an answer of 500 and above, and never after one of 400 to 499. So whatever
may yet succeed is answered with 503, and 204 means that it is written down.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from traceback import format_tb
from typing import Final

from aiohttp import web
from pydantic import SecretStr

from meetingbots.kube.errors import KubeError
from meetingbots.mappings.decide.event_times import milliseconds
from meetingbots.models.base import ModelError
from meetingbots.receiver.app_directory import Directory, WebhookKey
from meetingbots.receiver.event_writer import EventWriter
from meetingbots.receiver.webhook_reporter import WebhookReporter
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.webhooks.events import (
    MEETING_ACTIONS,
    USER_ACTIONS,
    Event,
    MalformedEvent,
    UrlValidation,
    parse_event,
)
from meetingbots.zoom.webhooks.signature import (
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    encrypted_token,
    timestamp_age,
    verify,
)

BODY_LIMIT: Final = 1024 * 1024
DEADLINE_SECONDS: Final = 2.5
_CLOCK_TOLERANCE: Final = timedelta(minutes=5)
_FUTURE: Final = timedelta(days=1)
_KNOWN_EVENTS: Final = frozenset(
    {
        *(f"{subject}.{action}" for subject in ("meeting", "webinar") for action in MEETING_ACTIONS),
        *(f"user.{action}" for action in USER_ACTIONS),
        "endpoint.url_validation",
        "app_deauthorized",
    }
)
_log = logging.getLogger(__name__)


class _Refusal(Exception):  # noqa: N818 - an answer, not an error
    """An answer that ends the work: status, the metric's result, and a short text without anything secret."""

    def __init__(self, status: int, result: str, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.result = result
        self.text = text


@dataclass
class _Case:
    """What is known of a request so far, for metric and log."""

    event: str = "unknown"
    result: str = "failed"


@dataclass(frozen=True)
class _Verified:
    """A request that an app's secret verified: that secret, and all app Secrets which verify it."""

    body: bytes = field(repr=False)
    secret: SecretStr = field(repr=False)
    apps: frozenset[Key]


class WebhookReceiver:
    """Answers Zoom. `ready` tells whether the caches are filled, `clock` the time (UTC)."""

    def __init__(
        self,
        *,
        directory: Directory,
        events: EventWriter,
        reception: WebhookReporter,
        metrics: Metrics,
        ready: Callable[[], bool],
        clock: Callable[[], datetime],
        deadline: float = DEADLINE_SECONDS,
    ) -> None:
        self._directory = directory
        self._events = events
        self._reception = reception
        self._metrics = metrics
        self._ready = ready
        self._clock = clock
        self._deadline = deadline

    async def answer(self, request: web.Request) -> web.Response:
        """The route's handler; always answers within the deadline."""
        case = _Case()
        with self._metrics.webhook_duration.time():
            response = await self._in_time(request, case)
        self._metrics.webhook_events.labels(case.event, case.result).inc()
        return response

    async def _in_time(self, request: web.Request, case: _Case) -> web.Response:
        try:
            async with asyncio.timeout(self._deadline):
                return await self._handle(request, case)
        except _Refusal as refusal:
            case.result = refusal.result
            response = web.Response(status=refusal.status, text=refusal.text + "\n")
            if refusal.status == web.HTTPRequestEntityTooLarge.status_code:
                response.force_close()
            return response
        except TimeoutError:
            case.result = "late"
            _log.warning("%s: not done in %.1f s; Zoom will send it again", case.event, self._deadline)
            return web.Response(status=503, text="not done in time\n")
        except (KubeError, ModelError) as error:
            _log.warning("%s: not written, Zoom will send it again: %s", case.event, error)
            return web.Response(status=503, text="not written\n")
        except Exception as error:
            # Where it happened, and not the text: it could quote the body.
            trace = "".join(format_tb(error.__traceback__))
            _log.error("%s: defect %s\n%s", case.event, type(error).__name__, trace)
            return web.Response(status=500, text="internal error\n")

    async def _handle(self, request: web.Request, case: _Case) -> web.Response:
        client_id = request.match_info["client_id"]
        doors = self._doors(client_id)
        verified = await _verified(request, doors, now=self._clock())
        event = _parsed(verified.body)
        if event.event_ts > milliseconds(self._clock() + _FUTURE):
            # It would outdate all that is true.
            raise _Refusal(400, "malformed", "event_ts: a time to come")
        case.event = event.name if event.name in _KNOWN_EVENTS else "other"
        if isinstance(event, UrlValidation):
            self._reception.note(self._directory.users_of(verified.apps))
            case.result = "validated"
            token = encrypted_token(verified.secret, plain_token=event.plain_token)
            return web.json_response({"plainToken": event.plain_token, "encryptedToken": token})
        outcome = await self._events.apply(event, client_id=client_id, apps=verified.apps)
        self._reception.note(outcome.credentials)
        case.result = outcome.result
        return web.Response(status=204)

    def _doors(self, client_id: str) -> tuple[WebhookKey, ...]:
        if not self._ready():
            raise _Refusal(503, "not_ready", "not ready yet")
        if not self._directory.knows(client_id):
            if self._directory.may_be_unreadable(client_id):
                raise _Refusal(503, "app_unreadable", "an app cannot be read yet")
            raise _Refusal(404, "unknown_app", "not found")
        return self._directory.doors(client_id)


async def _verified(request: web.Request, doors: tuple[WebhookKey, ...], *, now: datetime) -> _Verified:
    if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
        # Zoom signs and sends plain bytes; what unpacks to a gigabyte is not even looked at.
        raise _Refusal(415, "encoded", "compressed bodies are not taken")
    body = await _body(request)
    timestamp, signature = _only(request, TIMESTAMP_HEADER), _only(request, SIGNATURE_HEADER)
    opened = [door for door in doors if verify([door.secret], timestamp=timestamp, signature=signature, body=body)]
    age = timestamp_age(timestamp, now=now)
    if not opened or age is None:
        raise _Refusal(401, "unsigned", "the signature is not right")
    if abs(age) > _CLOCK_TOLERANCE:
        _log.warning(
            "a rightly signed request is %.0f s off our clock: one of the clocks is wrong", age.total_seconds()
        )
        raise _Refusal(503, "untimely", "the timestamp is more than five minutes off")
    apps = frozenset(app for door in opened for app in door.apps)
    return _Verified(body=body, secret=opened[0].secret, apps=apps)


async def _body(request: web.Request) -> bytes:
    """The raw bytes, refused as soon as they are known to be too many."""
    too_large = _Refusal(413, "too_large", "the body is over 1 MiB")
    if (request.content_length or 0) > BODY_LIMIT:
        raise too_large
    body = bytearray()
    try:
        async for piece in request.content.iter_any():
            body += piece
            if len(body) > BODY_LIMIT:
                raise too_large
    except web.RequestPayloadError:
        raise _Refusal(400, "malformed", "the body is broken") from None
    return bytes(body)


def _only(request: web.Request, header: str) -> str:
    """A header's value; none when it is missing, and none when there are two: it is not clear which one is meant."""
    values = request.headers.getall(header, [])
    return values[0].strip() if len(values) == 1 else ""


def _parsed(body: bytes) -> Event:
    try:
        return parse_event(body)
    except MalformedEvent as error:
        raise _Refusal(400, "malformed", str(error)) from None

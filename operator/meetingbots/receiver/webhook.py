"""POST /webhooks/{client_id}: verify the signature, route the event, write it, and only then answer.

Zoom waits three seconds, repeats the event after an answer of 500 and above, and never after one of 400 to 499. So
every failure that may pass is answered with 503, and 204 means that the event is written.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from traceback import format_tb
from typing import Final

from aiohttp import web

from meetingbots.kube.errors import KubeError
from meetingbots.mappings.decide.instances import milliseconds
from meetingbots.models.base import ModelError
from meetingbots.receiver.app_directory import AppDirectory, WebhookKey
from meetingbots.receiver.event_writer import EventWriter
from meetingbots.receiver.fairness import BodyBudget, FairGate, LaneSlots, RequestRefusal
from meetingbots.receiver.status_reporters import RejectionReporter, WebhookReporter
from meetingbots.receiver.verification import (
    CLOCK_TOLERANCE,
    SignatureCheck,
    SignedHeaders,
    VerifiedBody,
    read_headers,
    unsigned,
)
from meetingbots.runtime.metrics import Metrics
from meetingbots.zoom.webhooks.events import EVENT_NAMES, Event, UrlValidation
from meetingbots.zoom.webhooks.parser import MalformedEvent, encrypted_token, parse_event

DEADLINE_SECONDS: Final = 2.5
_MAX_FUTURE: Final = timedelta(days=1)
_log = logging.getLogger(__name__)


@dataclass
class _Labels:
    """Labels of the request's metric, as far as they are known."""

    event: str = "unknown"
    result: str = "failed"


class WebhookHandler:
    """Answers Zoom. `ready` says whether the caches are filled; `clock` returns the time in UTC."""

    def __init__(
        self,
        *,
        directory: AppDirectory,
        events: EventWriter,
        reporter: WebhookReporter,
        rejections: RejectionReporter,
        metrics: Metrics,
        ready: Callable[[], bool],
        clock: Callable[[], datetime],
        deadline: float = DEADLINE_SECONDS,
    ) -> None:
        self._directory = directory
        self._events = events
        self._reporter = reporter
        self._rejections = rejections
        self._metrics = metrics
        self._ready = ready
        self._clock = clock
        self._deadline = deadline
        self._budget = BodyBudget()
        self._gate = FairGate()
        self._slots = LaneSlots()
        self._signatures = SignatureCheck(gate=self._gate)

    async def handle(self, request: web.Request) -> web.Response:
        """Answer within the deadline, whatever happens, and count the request."""
        labels = _Labels()
        with self._metrics.webhook_duration.time():
            response = await self._answer(request, labels)
        self._metrics.webhook_events.labels(labels.event, labels.result).inc()
        return response

    async def _answer(self, request: web.Request, labels: _Labels) -> web.Response:
        try:
            async with asyncio.timeout(self._deadline):
                return await self._process(request, labels)
        except RequestRefusal as refusal:
            labels.result = refusal.result
            response = web.Response(status=refusal.status, text=refusal.text + "\n")
            if refusal.status == web.HTTPRequestEntityTooLarge.status_code or "Expect" in request.headers:
                response.force_close()  # the rest of the body, or one that may never come
            return response
        except TimeoutError:
            labels.result = "late"
            _log.warning("%s: not finished in %.1f s; Zoom will repeat it", labels.event, self._deadline)
            return web.Response(status=503, text="not finished in time\n")
        except (KubeError, ModelError) as error:
            _log.warning("%s: not written; Zoom will repeat it: %s", labels.event, error)
            return web.Response(status=503, text="not written\n")
        except Exception as error:
            # The place only: the error's text could quote the body.
            trace = "".join(format_tb(error.__traceback__))
            _log.error("%s: defect %s\n%s", labels.event, type(error).__name__, trace)
            return web.Response(status=500, text="internal error\n")

    async def _process(self, request: web.Request, labels: _Labels) -> web.Response:
        client_id = request.match_info["client_id"]
        event, verified = await self._event(request, client_id)
        labels.event = event.name if event.name in EVENT_NAMES else "other"
        if isinstance(event, UrlValidation):
            self._reporter.note(self._directory.credentials_of(verified.apps))
            labels.result = "validated"
            token = encrypted_token(verified.secret, plain_token=event.plain_token)
            return web.json_response({"plainToken": event.plain_token, "encryptedToken": token})
        async with self._slots.slot(self._directory.lane(client_id)):
            outcome = await self._events.write(event, client_id=client_id, apps=verified.apps)
        self._reporter.note(outcome.credentials)
        labels.result = outcome.result
        return web.Response(status=204)

    def _keys(self, client_id: str) -> tuple[WebhookKey, ...]:
        if not self._ready():
            raise RequestRefusal(503, "not_ready", "not ready yet")
        if not self._directory.has_app(client_id):
            if self._directory.may_be_unreadable(client_id):
                raise RequestRefusal(503, "app_unreadable", "an app cannot be read yet")
            raise RequestRefusal(404, "unknown_app", "not found")
        return self._directory.keys(client_id)

    async def _event(self, request: web.Request, client_id: str) -> tuple[Event, VerifiedBody]:
        keys, lane = self._keys(client_id), self._directory.lane(client_id)
        headers = read_headers(request, now=self._clock())
        async with self._budget.reserve(lane) as reservation:
            body = await self._signatures.read_body(request, reservation)
            verified = await self._signatures.verify(body, headers, keys=keys, lane=lane, now=self._clock())
            if verified is None:
                await self._note_rejected(body, headers, client_id=client_id)
                raise unsigned()
            self._rejections.note_verified(verified.apps)
            self._rejections.note_rejected(self._directory.apps_of(client_id) - verified.apps)
            await self._gate.turn(lane, size=len(body))
            return self._parsed(verified), verified

    async def _note_rejected(self, body: bytes, headers: SignedHeaders, *, client_id: str) -> None:
        if abs(headers.age) > CLOCK_TOLERANCE or not body.startswith(b"{"):
            return  # nothing that Zoom sends
        former, lane = self._directory.former_keys(client_id), self._directory.lane(client_id)
        matching = await self._signatures.matching(body, headers, keys=former, lane=lane)
        proven = frozenset(app for key in matching for app in key.apps)
        self._rejections.note_rejected(self._directory.apps_of(client_id), proven=proven)

    def _parsed(self, verified: VerifiedBody) -> Event:
        try:
            event = parse_event(verified.body, sent_at=milliseconds(verified.sent))
        except MalformedEvent as error:
            raise RequestRefusal(400, "malformed", str(error)) from None
        if event.event_ts > milliseconds(self._clock() + _MAX_FUTURE):
            # It would make all later events look outdated.
            raise RequestRefusal(400, "malformed", "event_ts: in the future")
        return event

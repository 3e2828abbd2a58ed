"""Zoom's webhook sender: signs, sends, retries by Zoom's rules on the simulator's clock, and validates URLs."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import random
import secrets
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp

from .clock import SimClock
from .disorder import Disorder
from .world import App, World
from .zoom_json import compact

ANSWER_SECONDS = 3.0
RETRY_AFTER_SECONDS = (5 * 60, 20 * 60, 60 * 60)  # each counted from the try before
VALIDATION_EVERY_SECONDS = 72 * 3600
FAILED_VALIDATIONS_ALLOWED = 6
PARALLEL_SENDS = 64

State = Literal["pending", "delivered", "refused", "dropped"]


# Zoom documents this event without `event_ts`; its time is `payload.deauthorization_time`.
EVENTS_WITHOUT_TIME = frozenset({"app_deauthorized"})


def sign(*, secret: str, timestamp: int, body: bytes) -> str:
    """Compute `x-zm-signature` over the raw body; `timestamp` in seconds."""
    message = f"v0:{timestamp}:".encode() + body
    return "v0=" + hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One try. `status` None: no answer within 3 s or no connection."""

    time: float
    timestamp: int
    status: int | None


@dataclass(kw_only=True)
class Delivery:
    """One event for one app's URL. `refused`: the answer was neither 2xx nor retriable."""

    id: str
    request_id: str
    event: str
    client_id: str
    url: str
    state: State = "pending"
    attempts: list[Attempt] = field(default_factory=list)
    body: bytes = field(repr=False)


class Webhooks:
    """Sends events to apps. `start` and `stop` belong to the server's loop; `emit` must be called in it."""

    def __init__(self, *, clock: SimClock, world: World) -> None:
        self._clock = clock
        self._world = world
        self.deliveries: list[Delivery] = []
        self.answer_seconds = ANSWER_SECONDS  # real seconds: they measure the receiver's program
        self.retry_after_seconds: tuple[float, ...] = RETRY_AFTER_SECONDS
        self.disorder: Disorder | None = None
        self._failed_validations: dict[str, int] = {}
        self._session: aiohttp.ClientSession | None = None
        self._sends = asyncio.Semaphore(PARALLEL_SENDS)
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Open the sending side and begin the validation every 72 hours."""
        self._session = aiohttp.ClientSession(auto_decompress=False)
        self._spawn(self._validate_regularly())

    async def stop(self) -> None:
        """Drop the deliveries that are pending."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def emit(
        self,
        *,
        event: str,
        payload: dict[str, Any],
        client_ids: Iterable[str],
        event_ts: int | None = None,
        copies: int = 1,
        delay_seconds: float = 0.0,
    ) -> list[Delivery]:
        """Send an event to these apps. `event_ts` is in milliseconds; copies are the same event sent more than once.

        `delay_seconds` (simulated) delays the sending but not the event's time, so that events arrive out of order.
        """
        times = {} if event in EVENTS_WITHOUT_TIME else {"event_ts": int(self._clock.shown() * 1000)}
        if event_ts is not None:
            times = {"event_ts": event_ts}
        made: list[Delivery] = []
        for client_id in client_ids:
            app = self._world.app(client_id)
            if app.webhook_url is None or app.subscription_disabled:
                continue
            body = compact(_shuffled({"event": event, **times, "payload": payload}))
            for late in self.disorder.delays(copies) if self.disorder else (0.0,) * copies:
                delivery = _delivery(app=app, url=app.webhook_url, event=event, body=body)
                made.append(delivery)
                self._spawn(self._deliver(delivery, delay_seconds=delay_seconds + late))
        self.deliveries.extend(made)
        return made

    async def validate(self, client_id: str) -> bool:
        """Send `endpoint.url_validation` once; after six failures in a row the subscription is disabled."""
        app = self._world.app(client_id)
        if app.webhook_url is None:
            return False
        plain = secrets.token_urlsafe(16)
        content = {
            "event": "endpoint.url_validation",
            "event_ts": int(self._clock.shown() * 1000),
            "payload": {"plainToken": plain},
        }
        body = compact(content)
        delivery = _delivery(app=app, url=app.webhook_url, event="endpoint.url_validation", body=body)
        self.deliveries.append(delivery)
        status, answer = await self._send(delivery)
        right = status == 200 and _validates(answer, plain=plain, secret=app.webhook_secret_token)
        delivery.state = "delivered" if right else "refused"
        failures = 0 if right else self._failed_validations.get(client_id, 0) + 1
        self._failed_validations[client_id] = failures
        if failures >= FAILED_VALIDATIONS_ALLOWED:
            self._world.update_app(client_id, subscription_disabled=True)
        return right

    async def settled(self, *, seconds: float = 10.0) -> bool:
        """Wait (real seconds) until nothing is pending; return whether that happened in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while any(delivery.state == "pending" for delivery in self.deliveries):  # noqa: ASYNC110 - many tasks
                    await asyncio.sleep(0.01)
                return True
        return False

    async def _deliver(self, delivery: Delivery, *, delay_seconds: float) -> None:
        if delay_seconds:
            await self._clock.sleep(delay_seconds)
        waits = (
            () if delivery.event in self._world.app(delivery.client_id).unretried_events else self.retry_after_seconds
        )
        for wait in (*waits, None):
            status, _ = await self._send(delivery)
            if status is not None and status < 500:
                delivery.state = "delivered" if status in (200, 204) else "refused"
                return
            if wait is not None:
                await self._clock.sleep_until(delivery.attempts[-1].time + wait)
        delivery.state = "dropped"

    async def _send(self, delivery: Delivery) -> tuple[int | None, bytes]:
        if self._session is None:
            raise RuntimeError("the simulator is not running")
        async with self._sends:
            now, timestamp = self._clock.now(), int(self._clock.shown())
            headers = self._headers(delivery, timestamp=timestamp)
            timeout = aiohttp.ClientTimeout(total=self.answer_seconds)
            status: int | None = None
            answer = b""
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                async with self._session.post(
                    delivery.url, data=delivery.body, headers=headers, allow_redirects=False, timeout=timeout
                ) as response:
                    answer = await response.read()
                    status = response.status
            delivery.attempts.append(Attempt(time=now, timestamp=timestamp, status=status))
        return status, answer

    def _headers(self, delivery: Delivery, *, timestamp: int) -> dict[str, str]:
        secret = self._world.app(delivery.client_id).webhook_secret_token
        return {
            "x-zm-request-timestamp": str(timestamp),
            "x-zm-signature": sign(secret=secret, timestamp=timestamp, body=delivery.body),
            "x-zm-request-id": delivery.request_id,
            "x-zm-trackingid": f"v=2.0;clid=sim;rid={delivery.request_id}",
            "clientid": delivery.client_id,
            "User-Agent": "Zoom Marketplace/1.0a",
            "Content-Type": "application/json; charset=utf-8",
        }

    async def _validate_regularly(self) -> None:
        when = self._clock.now()
        while True:
            when += VALIDATION_EVERY_SECONDS
            await self._clock.sleep_until(when)
            for app in list(self._world.apps.values()):
                if app.webhook_url is not None and not app.subscription_disabled:
                    await self.validate(app.client_id)

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _delivery(*, app: App, url: str, event: str, body: bytes) -> Delivery:
    return Delivery(
        id=uuid.uuid4().hex,
        request_id=str(uuid.uuid4()),
        event=event,
        client_id=app.client_id,
        url=url,
        body=body,
    )


def _validates(answer: bytes, *, plain: str, secret: str) -> bool:
    try:
        content = json.loads(answer)
    except ValueError:
        return False
    encrypted = hmac.new(secret.encode(), plain.encode(), hashlib.sha256).hexdigest()
    return bool(content == {"plainToken": plain, "encryptedToken": encrypted})


def _shuffled(value: Any) -> Any:
    """Put keys in a random order at every depth: Zoom keeps no order."""
    if isinstance(value, dict):
        keys = random.sample(list(value), len(value))
        return {key: _shuffled(value[key]) for key in keys}
    if isinstance(value, list):
        return [_shuffled(item) for item in value]
    return value

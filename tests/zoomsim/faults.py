"""Faults on demand: a queue, matched by the call's name and count."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Literal

from aiohttp import web
from pydantic import ConfigDict

from .clock import SimClock, iso
from .limits import DAY
from .zoom_json import answer

Kind = Literal["rate_limited", "html", "empty", "close", "timeout", "delay", "revoke", "unexpected"]
HeaderForm = Literal["none", "seconds", "iso", "x_ratelimit"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault of the next `count` matching calls (0: until cleared), after `skip` matching calls without it.

    `call` is a call's name or its beginning up to a dot (`oauth.token`, `meetings.jointoken`), or `*`. With
    `after_work` Zoom has done the work before the answer is lost or broken. Kinds:

    - `rate_limited`: 429; `header` none, Retry-After in seconds or as an ISO 8601 time (the daily limit), or
      X-RateLimit-* alone
    - `html`: a page with `status` 502, 503 or 504; `empty`: 200 without a body
    - `close`: the connection ends without an answer, or (`after_work`) in the middle of it
    - `timeout`: no answer for `seconds` (real; then the connection ends)
    - `delay`: `seconds` (real) late, then as usual; `revoke`: the presented token is revoked first
    - `unexpected`: Zoom's catch-all for unexpected errors of OAuth, 400 with code 4700
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    call: str
    kind: Kind
    count: int = 1
    skip: int = 0
    after_work: bool = False
    status: int = 502
    header: HeaderForm = "none"
    seconds: float = 1.0
    client_id: str | None = None
    path_contains: str | None = None

    def matches(self, *, call: str, path: str, client_id: str | None) -> bool:
        """Whether the fault is for this call."""
        named = self.call in ("*", call) or call.startswith(f"{self.call}.")
        ours = self.client_id in (None, client_id)
        return named and ours and (self.path_contains is None or self.path_contains in path)


class Faults:
    """The queue. The first matching fault acts; the queue drops it when its count is used up."""

    def __init__(self) -> None:
        self.queue: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Put a fault at the end of the queue."""
        self.queue.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults."""
        self.queue.clear()

    def take(self, *, call: str, path: str, client_id: str | None) -> Fault | None:
        """Get the fault for this call, and count it down."""
        for index, fault in enumerate(self.queue):
            if not fault.matches(call=call, path=path, client_id=client_id):
                continue
            if fault.skip > 0:
                self.queue[index] = replace(fault, skip=fault.skip - 1)
                continue
            if fault.count == 1:
                del self.queue[index]
            elif fault.count > 1:
                self.queue[index] = replace(fault, count=fault.count - 1)
            return fault
        return None


async def act(
    fault: Fault, *, request: web.Request, clock: SimClock, work: Callable[[], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer a request with the fault; `work` makes Zoom's normal answer (the caller does `revoke`)."""
    if fault.kind == "delay":
        await asyncio.sleep(fault.seconds)
    if fault.kind in ("delay", "revoke"):
        return await work()
    done = await work() if fault.after_work else None
    if fault.kind == "timeout":
        await asyncio.sleep(fault.seconds)
        return _hang_up(request)
    if fault.kind == "close":
        return _hang_up(request) if done is None else await _break_off(request, done)
    return _spoilt(fault, clock=clock)


def _spoilt(fault: Fault, *, clock: SimClock) -> web.Response:
    if fault.kind == "empty":
        return web.Response(status=200)
    if fault.kind == "html":
        page = (
            f"<html><head><title>{fault.status}</title></head><body><h1>{fault.status} Bad Gateway</h1></body></html>"
        )
        return web.Response(status=fault.status, text=page, content_type="text/html")
    if fault.kind == "unexpected":
        return answer({"errorCode": 4700, "reason": "Exception message", "error": "invalid_request"}, status=400)
    message = "You have reached the maximum per-second rate limit for this API. Try again later."
    if fault.header == "iso":
        message = "You have reached the maximum daily rate limit for this API. Try again tomorrow."
    return answer({"code": 429, "message": message}, status=429, headers=_limit_headers(fault, clock=clock))


def _limit_headers(fault: Fault, *, clock: SimClock) -> dict[str, str]:
    limits = {"X-RateLimit-Category": "Light", "X-RateLimit-Limit": "80", "X-RateLimit-Remaining": "0"}
    if fault.header == "seconds":
        return {"Retry-After": str(int(fault.seconds))}
    if fault.header == "iso":
        midnight = iso((clock.shown() // DAY + 1) * DAY)
        return limits | {"X-RateLimit-Type": "Daily-limit", "X-RateLimit-Limit": "6000", "Retry-After": midnight}
    if fault.header == "x_ratelimit":
        return limits | {"X-RateLimit-Type": "QPS", "X-RateLimit-Reset": str(int(clock.shown() + fault.seconds))}
    return {}


def _hang_up(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)  # never sent: the connection is closed


async def _break_off(request: web.Request, done: web.StreamResponse) -> web.StreamResponse:
    body = done.body if isinstance(done, web.Response) and isinstance(done.body, bytes) else b"{}"
    broken = web.StreamResponse(status=done.status, headers={"Content-Type": "application/json"})
    broken.content_length = len(body)
    await broken.prepare(request)
    await broken.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()  # sends what was written first, so the answer ends in the middle
    return broken

"""The middleware of OAuth and REST: the call's name, latency, faults and record."""

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate

from aiohttp import web
from aiohttp.typedefs import Middleware

from .faults import Fault, act
from .recorder import Call
from .sim import ZoomSim

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(kw_only=True)
class Notes:
    """Facts about the present call; handlers add to them."""

    call: str
    client_id: str | None = None
    category: str | None = None
    code: int | str | None = None
    headers: dict[str, str] = field(default_factory=dict)


NOTES = web.RequestKey("notes", Notes)


def notes_of(request: web.Request) -> Notes:
    """Get the notes of a call to OAuth or REST."""
    return request[NOTES]


def basic_auth(request: web.Request) -> tuple[str, str] | None:
    """Read `Authorization: Basic`; None when it is missing or malformed."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client_id, colon, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (client_id, secret) if colon else None


def traffic(sim: ZoomSim) -> Middleware:
    """Make the middleware that names, delays, breaks and records calls, except control routes."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not request.path.startswith(("/v2/", "/oauth/")) or request.match_info.http_exception is not None:
            return await handler(request)
        notes = Notes(call=await _name(request), client_id=_client(sim, request))
        request[NOTES] = notes
        bearer = await _presented(request)
        known = sim.consents.peek(bearer)
        fault = sim.faults.take(call=notes.call, path=request.path, client_id=notes.client_id)
        answer: web.StreamResponse | None = None
        started, uses = sim.clock.now(), sim.recorder.refresh_uses[bearer]
        try:
            if sim.settings.latency_seconds:
                await asyncio.sleep(sim.settings.latency_seconds)
            if fault is not None and fault.kind == "revoke":
                sim.consents.revoke_bearer(bearer)
            answer = await _answer(sim, request, handler, fault)
            if not answer.prepared:
                answer.headers["Date"] = formatdate(sim.clock.shown(), usegmt=True)
        finally:
            # Also when the client has gone away.
            dead = fault is not None and fault.kind in ("timeout", "close")
            spoilt = answer is None or (fault is not None and fault.kind not in ("delay", "revoke"))
            if spoilt and sim.recorder.refresh_uses[bearer] > uses:
                sim.recorder.refresh_lost(bearer)
            sim.recorder.note(
                Call(
                    time=started,
                    call=notes.call,
                    method=request.method,
                    path=request.path,
                    client_id=notes.client_id,
                    user_id=known.user_id if known else None,
                    account_id=known.account_id if known else None,
                    status=None if answer is None or dead else answer.status,
                    code=notes.code,
                    fault=fault.kind if fault else None,
                    category=notes.category,
                )
            )
        return answer

    return middleware


async def _answer(sim: ZoomSim, request: web.Request, handler: Handler, fault: Fault | None) -> web.StreamResponse:
    if fault is None:
        return await handler(request)
    return await act(fault, request=request, clock=sim.clock, work=lambda: handler(request))


async def _name(request: web.Request) -> str:
    """Name the call: the route's name, and for tokens also which grant or kind."""
    resource = request.match_info.route.resource
    name = resource.name if resource is not None and resource.name else "unknown"
    if name == "oauth.token":
        grant = (await request.post()).get("grant_type", "")
        return f"{name}.{grant}" if isinstance(grant, str) and grant else name
    if name == "users.token":
        return f"{name}.zak" if request.query.get("type") == "zak" else f"{name}.onbehalf"
    if name.endswith(".jointoken"):
        return f"{name}.{request.match_info['what']}"
    return name


async def _presented(request: web.Request) -> str:
    """Get the bearer or refresh token that the call presents."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value
    if request.method == "POST":
        token = (await request.post()).get("refresh_token", "")
        return token if isinstance(token, str) else ""
    return ""


def _client(sim: ZoomSim, request: web.Request) -> str | None:
    basic = basic_auth(request)
    if basic is not None:
        return basic[0]
    known = sim.consents.peek(request.headers.get("Authorization", "").partition(" ")[2])
    return known.client_id if known else None

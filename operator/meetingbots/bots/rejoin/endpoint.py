"""The HTTP endpoint for running bots, which present the Pod's own token.

``POST`` or ``GET /token`` returns a join token: as plain text, or as JSON (``Accept: application/json``) with the names
of the environment variables ZOOM_JOIN_TOKEN, ZOOM_OBF_TOKEN, ZOOM_SDK_JWT and ZOOM_TOKEN_REASON. ``POST /report`` takes
the bot's progress: JSON with `state`, `code` and `message`.

| answer | when |
| --- | --- |
| 200, 204 | the join token; the report counts |
| 400, 413 | the body is no report; it has more than 4 KiB |
| 401 | no valid token of a Pod for audience `meetingbots` was presented |
| 403 | the Pod is not its bot's current one, the bot is not in its meeting, or `tokenEndpoint` is not set |
| 404, `Reason: sentence` | there is no token; `Retry-After` where waiting may help |
| 409 | the report is from an earlier Pod of the bot, or the bot has finished |
| 429, `Retry-After` | the Pod, or its address, sends too many requests |
| 503, `Retry-After` | this replica stands by, the bot has only just started, or Kubernetes does not answer |

Logs quote no request, and no answer may be cached.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aiohttp import web
from pydantic import SecretStr

from meetingbots.bots.manifests.environment import REPORT_PATH, SDK_JWT, TOKEN_PATH, TOKEN_REASON, TOKEN_VARIABLES
from meetingbots.bots.rejoin.callers import PodIdentity
from meetingbots.bots.rejoin.reports import MAX_BODY_BYTES, Accepted, BadReport, ReportOutcome, ReportService
from meetingbots.bots.rejoin.rules import Extras, NoToken, NotYet, Outdated, RejoinDenied, TooOften, Unknown
from meetingbots.bots.rejoin.service import Granted, Outcome, RejoinService
from meetingbots.kube.errors import KubeError
from meetingbots.models.bot import TokenKind

_BEARER: Final = re.compile(r"Bearer +([\x21-\x7e]{1,8000})", re.IGNORECASE)
_RETRY_SECONDS: Final = 1.0
_FINISH_SECONDS: Final = 5.0
_BODY_SECONDS: Final = 5.0
_RELOAD_SECONDS: Final = 60.0

_log = logging.getLogger(__name__)
# aiohttp's own messages about malformed requests quote them.
_quiet = logging.getLogger("meetingbots.token_endpoint.http")
_quiet.setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class EndpointServices:
    """The services behind the endpoint."""

    tokens: RejoinService
    reports: ReportService


@asynccontextmanager
async def serve_tokens(
    *, services: Callable[[], EndpointServices | None], port: int, host: str | None = None, tls: Path | None = None
) -> AsyncIterator[int]:
    """Serve within the context; yields the port, which 0 leaves to the system. Raises OSError for bad TLS files.

    `services` returns None while this process stands by. `tls` is a directory with tls.crt and tls.key.
    """
    application = web.Application(client_max_size=MAX_BODY_BYTES)
    endpoint = _Endpoint(services)
    application.router.add_get(TOKEN_PATH, endpoint.token, allow_head=False)
    application.router.add_post(TOKEN_PATH, endpoint.token)
    application.router.add_post(REPORT_PATH, endpoint.report)
    runner = web.AppRunner(application, access_log=None, logger=_quiet, shutdown_timeout=_FINISH_SECONDS)
    await runner.setup()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(runner.cleanup)
        context = await stack.enter_async_context(_tls_context(tls)) if tls is not None else None
        site = web.TCPSite(runner, host=host, port=port, ssl_context=context)
        await site.start()
        yield site.port


@asynccontextmanager
async def _tls_context(directory: Path) -> AsyncIterator[ssl.SSLContext]:
    """A context with the certificate in `directory`, which is read again when it changes."""
    certificate, key = directory / "tls.crt", directory / "tls.key"
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)

    async def reload() -> None:
        known = certificate.stat().st_mtime_ns
        while True:
            await asyncio.sleep(_RELOAD_SECONDS)
            try:
                changed = certificate.stat().st_mtime_ns
                if changed != known:
                    context.load_cert_chain(certificate, key)
                    known = changed
            except OSError as error:  # includes ssl.SSLError
                _log.error("token endpoint: %s is not loaded: %s", certificate, type(error).__name__)

    task = asyncio.create_task(reload(), name="token endpoint certificate")
    try:
        yield context
    finally:
        task.cancel()


class _Endpoint:
    """Answers requests."""

    def __init__(self, services: Callable[[], EndpointServices | None]) -> None:
        self._services = services

    async def token(self, request: web.Request) -> web.Response:
        """Answer a request for a join token."""
        as_json = "application/json" in request.headers.get("Accept", "")

        async def answer(services: EndpointServices, presented: SecretStr) -> web.Response:
            outcome = await services.tokens.token(presented, peer=request.remote or "", with_extras=as_json)
            return (_as_json(outcome) if as_json else None) or _response(outcome)

        return await self._answer(request, answer)

    async def report(self, request: web.Request) -> web.Response:
        """Answer a report. Its body is read only after the caller is known."""

        async def answer(services: EndpointServices, presented: SecretStr) -> web.Response:
            pod = await services.reports.identify(presented, peer=request.remote or "")
            if not isinstance(pod, PodIdentity):
                return _response(pod)
            try:
                async with asyncio.timeout(_BODY_SECONDS):
                    body = await request.read()
            except web.HTTPRequestEntityTooLarge:
                return _plain(413, f"A report has at most {MAX_BODY_BYTES} bytes.\n")
            except TimeoutError:
                return _response(BadReport("The body did not arrive in time."))
            return _response(await services.reports.report(pod, body))

        return await self._answer(request, answer)

    async def _answer(
        self, request: web.Request, answer: Callable[[EndpointServices, SecretStr], Awaitable[web.Response]]
    ) -> web.Response:
        """Answer one request. An unexpected error is logged by its type only, as its text may quote the request."""
        presented = _BEARER.fullmatch(request.headers.get("Authorization", ""))
        if presented is None:
            return _response(Unknown())
        services = self._services()
        if services is None:
            response = _response(NotYet("This replica stands by; another one answers.", _RETRY_SECONDS))
            response.force_close()  # a kept connection would lead the retry here again
            return response
        try:
            return await answer(services, SecretStr(presented[1]))
        except KubeError as error:
            _log.warning("token endpoint: %s", error)
        except Exception as error:
            _log.error("token endpoint: defect %s", type(error).__name__)
        return _response(NotYet("Kubernetes does not answer at the moment.", _RETRY_SECONDS))


def _as_json(outcome: Outcome) -> web.Response | None:
    """The values of a new join, by the names of their variables; None for an outcome without any."""
    match outcome:
        case Granted(token, extras):
            found = {TOKEN_VARIABLES[TokenKind.LOCAL_RECORDING]: token.get_secret_value(), TOKEN_REASON: ""}
        case NoToken(reason, _, _, extras) if extras != Extras():
            found = {TOKEN_VARIABLES[TokenKind.LOCAL_RECORDING]: "", TOKEN_REASON: reason}
        case _:
            return None
    for name, value in ((SDK_JWT, extras.sdk_jwt), (TOKEN_VARIABLES[TokenKind.ON_BEHALF], extras.on_behalf)):
        found[name] = value.get_secret_value() if value is not None else ""
    return _plain(200, json.dumps(found), content_type="application/json")


def _response(outcome: Outcome | ReportOutcome) -> web.Response:
    match outcome:
        case Granted(token):
            return _plain(200, token.get_secret_value())
        case Accepted():
            return web.Response(status=204, headers={"Cache-Control": "no-store"})
        case BadReport(message):
            return _plain(400, f"{message}\n")
        case Unknown():
            return _plain(
                401,
                "Present the Pod's own token for audience meetingbots: Authorization: Bearer …\n",
                **{"WWW-Authenticate": 'Bearer realm="meetingbots"'},
            )
        case RejoinDenied(message):
            return _plain(403, f"{message}\n")
        case NoToken(reason, message, retry_after):
            return _plain(404, f"{reason}: {message}\n", **_retry_after(retry_after))
        case Outdated(message):
            return _plain(409, f"{message}\n")
        case TooOften(retry_after):
            return _plain(429, "Too many requests.\n", **_retry_after(retry_after))
        case NotYet(message, retry_after):
            return _plain(503, f"{message}\n", **_retry_after(retry_after))


def _plain(status: int, text: str, *, content_type: str = "text/plain", **headers: str) -> web.Response:
    return web.Response(
        status=status, text=text, content_type=content_type, headers={"Cache-Control": "no-store", **headers}
    )


def _retry_after(seconds: float | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(max(1, math.ceil(seconds)))}

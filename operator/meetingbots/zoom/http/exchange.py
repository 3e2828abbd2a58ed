"""Sends one request to Zoom over the process's client, and returns its JSON object or raises a ZoomError.

The client is aiohttp's sockets under httpx's interface. It keeps no cookies (Zoom sets some, and they would tie
accounts together), follows no redirects (a token must not travel to where an answer points) and reads no ``.netrc``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import time
from collections.abc import Mapping
from dataclasses import replace
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from meetingbots.zoom.errors import Cause, TransientError
from meetingbots.zoom.http.calls import Call, CallObserver, Category, Limiter, RateReport
from meetingbots.zoom.http.error_table import classify
from meetingbots.zoom.http.proxies import ProxyRouter, ProxySettings
from meetingbots.zoom.http.responses import Shape, ZoomResponse, rate_report, read

MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
"""No answer of Zoom's that we ask for comes near this; what is larger is cut off and counts as no answer."""

_KEEPALIVE_SECONDS: Final = 15.0
_log = logging.getLogger(__name__)
_NEVER_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
)


class CertificatesError(ValueError):
    """The certificate authorities cannot be read; the text names the variable and the file."""


class ResponseTooLargeError(Exception):
    """An answer is longer than :data:`MAX_ANSWER_BYTES`."""


def new_http_client(
    *,
    timeout: float,
    user_agent: str,
    transport: httpx.AsyncBaseTransport | None = None,
    connections: int = 100,
    environment: Mapping[str, str] | None = None,
) -> httpx.AsyncClient:
    """Make the client; close it with ``aclose()``. Nothing is opened before the first request.

    Args:
        timeout: seconds for each of connecting, waiting for a free connection, sending and the next piece of an answer.
        user_agent: how we present ourselves to Zoom.
        transport: replaces the network, for tests (``httpx.MockTransport``).
        connections: how many sockets may be open at once.
        environment: variables with the proxies (default: those of the process). ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``
            of the process replace the certificate authorities that are trusted.

    Raises:
        ProxyError: a proxy variable has no URL of an HTTP proxy.

    """
    no_cookies = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
    return httpx.AsyncClient(
        transport=transport or _network(connections, os.environ if environment is None else environment),
        timeout=httpx.Timeout(timeout),
        headers={"user-agent": user_agent, "accept": "application/json", "accept-encoding": "gzip"},
        cookies=no_cookies,
        follow_redirects=False,
        trust_env=False,
    )


def check_certificates(environment: Mapping[str, str]) -> None:
    """Read the certificate authorities once. Raises `CertificatesError`."""
    try:
        httpx.create_ssl_context()
    except OSError as error:
        name = next((name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if environment.get(name)), "")
        place = f"{name} {environment[name]}" if name else "the system"
        reason = "it is not PEM" if isinstance(error, ssl.SSLError) else error.strerror
        raise CertificatesError(f"{place} has no certificates: {reason}") from None


def _network(connections: int, environment: Mapping[str, str]) -> ProxyRouter:
    tls = httpx.create_ssl_context()

    def connect(proxy: httpx.Proxy | None) -> AiohttpTransport:
        def open_session() -> aiohttp.ClientSession:
            connector = aiohttp.TCPConnector(limit=connections, keepalive_timeout=_KEEPALIVE_SECONDS, ssl=tls)
            return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())

        return AiohttpTransport(verify=tls, client=open_session, proxy=proxy)

    return ProxyRouter(ProxySettings.from_environment(environment), connect=connect)


async def read_capped(response: httpx.Response) -> bytes:
    """Read a streamed answer to its end, decompressed.

    Raises:
        AnswerTooLargeError: it is longer than :data:`MAX_ANSWER_BYTES`; the rest is not read.

    """
    pieces: list[bytes] = []
    size = 0
    async for piece in response.aiter_bytes():
        size += len(piece)
        if size > MAX_ANSWER_BYTES:
            raise ResponseTooLargeError
        pieces.append(piece)
    return b"".join(pieces)


_BROKEN: Final = (httpx.HTTPError, httpx.StreamError, aiohttp.ClientError, OSError, TimeoutError, ResponseTooLargeError)


class Exchange:
    """Sends requests of one account. It is stateless."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        deadline: float,
        account: str = "",
        on_call: CallObserver | None = None,
        limiter: Limiter | None = None,
    ) -> None:
        self._http = http
        self._deadline = deadline
        self._account = account
        self._on_call = on_call
        self._limiter = limiter

    async def ask(
        self, request: httpx.Request, *, call: Call, auth: httpx.Auth | None = None
    ) -> tuple[Mapping[str, object], ZoomResponse]:
        """Return the JSON object of the answer, and the answer itself.

        The deadline covers everything but the wait for the rate limiter.

        Raises:
            ZoomError: any other outcome. Nothing else is raised but cancellation.

        """
        answer = await self._within_limit(request, call=call, auth=auth)
        reading = read(answer)
        if 200 <= answer.status < 300 and reading.shape is Shape.OBJECT:
            return reading.fields, answer
        raise classify(answer, call=call)

    async def _within_limit(self, request: httpx.Request, *, call: Call, auth: httpx.Auth | None) -> ZoomResponse:
        if self._limiter is None or call.category is Category.NONE:
            return await self._answer(request, call=call, auth=auth)
        permit = await self._limiter.acquire(account=self._account, category=call.category, priority=call.priority)
        rate: RateReport | None = None
        try:
            answer = await self._answer(request, call=call, auth=auth)
            rate = rate_report(answer, category=call.category)
        finally:
            permit.end(rate)
        return answer

    async def _answer(self, request: httpx.Request, *, call: Call, auth: httpx.Auth | None) -> ZoomResponse:
        started = time.perf_counter()
        outcome = "cancelled"
        failure: TransientError | None = None
        try:
            async with asyncio.timeout(self._deadline):
                answer = await self._send(request, auth=auth)
            outcome = str(answer.status)
        except _BROKEN as broken:
            outcome = _outcome(broken)
            failure = _unavailable(broken, outcome=outcome)
        finally:
            seconds = time.perf_counter() - started
            _log.debug("Zoom, %s: %s after %.3f s", call.name, outcome, seconds)
            if self._on_call is not None:
                self._on_call(call=call.name, code=outcome, seconds=seconds)
        if failure is not None:
            raise failure  # outside of the handler: a chained exception would keep the request and its secrets
        return replace(answer, seconds=seconds)

    async def _send(self, request: httpx.Request, *, auth: httpx.Auth | None) -> ZoomResponse:
        response = await self._http.send(request, auth=auth, stream=True, follow_redirects=False)
        try:
            return ZoomResponse(status=response.status_code, headers=response.headers, body=await read_capped(response))
        finally:
            await response.aclose()


def _actual(broken: BaseException) -> BaseException:
    """Return the aiohttp error behind an httpx error.

    The transport reports a connection that Zoom closed after it had received the request as ConnectTimeout.
    """
    return broken.__cause__ if isinstance(broken.__cause__, aiohttp.ClientError) else broken


def _outcome(broken: BaseException) -> str:
    actual = _actual(broken)
    if isinstance(actual, _NEVER_SENT):
        return "unreachable"
    return "timeout" if isinstance(actual, (TimeoutError, httpx.TimeoutException)) else "broken"


def _unavailable(broken: BaseException, *, outcome: str) -> TransientError:
    says = {
        "unreachable": "Zoom cannot be reached",
        "timeout": "Zoom did not answer in time",
        "broken": "the connection to Zoom broke before its answer was complete",
    }[outcome]
    if isinstance(broken, ResponseTooLargeError):
        says = "Zoom's answer is too large"
    return TransientError(
        Cause.UNAVAILABLE,
        message=f"{says} ({type(_actual(broken)).__name__})",
        maybe_done=outcome != "unreachable",
    )

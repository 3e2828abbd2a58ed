"""The HTTP client that carries every request to Zoom: aiohttp's sockets under httpx's interface.

One client serves a whole process. It keeps no cookies (Zoom sets some, and they would tie accounts together), follows
no redirects (a token must not travel to where an answer points) and reads no ``.netrc``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from meetingbots.zoom.http.proxies import ProxyRouter, ProxySettings

MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
"""No answer of Zoom's that we ask for comes near this; what is larger is cut off and counts as no answer."""

_KEEPALIVE_SECONDS: Final = 15.0


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
        ValueError: a proxy variable has no URL of an HTTP proxy.

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

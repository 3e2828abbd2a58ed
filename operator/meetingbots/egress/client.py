"""HTTP requests to a tenant's address, guarded against SSRF.

The client resolves the host name once, checks every address, and connects only to the checked addresses, with TLS for
the host name; a name that resolves differently a moment later changes nothing. It follows no redirect, decompresses
nothing, and limits the size of the response and the time of the exchange.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final, TypeAlias

import aiohttp
import httpx
from aiohttp.abc import AbstractResolver, ResolveResult

from meetingbots.egress.addresses import EgressError, Target, check_address

Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""Resolves a host name and port to IP addresses. Raises `OSError`."""

MAX_ANSWER_BYTES: Final = 16 * 1024
DEADLINE_SECONDS: Final = 5.0
_MAX_RETRY_AFTER: Final = 86_400


@dataclass(frozen=True, kw_only=True)
class EgressResponse:
    """A complete response with a status from 200 to 299."""

    status: int
    body: bytes = field(repr=False)


async def resolve_by_system(host: str, port: int) -> list[str]:
    """Resolve by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class EgressClient:
    """Sends guarded requests. `tls` sets the trusted certificates; the default reads SSL_CERT_FILE, as httpx does."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = resolve_by_system,
        seconds: float = DEADLINE_SECONDS,
    ) -> None:
        self._tls = tls
        self._resolve = resolve
        self._seconds = seconds

    async def get(self, target: Target, *, headers: Mapping[str, str]) -> EgressResponse:
        """Send a GET. Raises `EgressError`, and `AddressNotAllowedError` for a name of a forbidden address."""
        return await self._ask("GET", target, headers=headers, body=None)

    async def post(self, target: Target, *, headers: Mapping[str, str], body: bytes) -> EgressResponse:
        """Send a POST. Raises as `get` does."""
        return await self._ask("POST", target, headers=headers, body=body)

    async def _ask(
        self, method: str, target: Target, *, headers: Mapping[str, str], body: bytes | None
    ) -> EgressResponse:
        failure = EgressError("there was no response")
        try:
            async with asyncio.timeout(self._seconds):
                return await self._exchange(method, target, headers=headers, body=body)
        except EgressError as error:
            failure = error
        except TimeoutError:
            failure = EgressError(f"there was no complete response within {self._seconds:g} seconds")
        except aiohttp.ClientConnectorCertificateError:
            failure = EgressError("the server's certificate is not trusted for this host")
        except (aiohttp.ClientError, OSError, ValueError) as broken:
            failure = EgressError(f"the request failed ({type(broken).__name__})")
        raise failure  # here, so that no chained exception keeps headers and address

    async def _addresses(self, target: Target) -> list[str]:
        try:
            found = await self._resolve(target.host, target.url.port or 443)
        except (OSError, UnicodeError):
            raise EgressError("the host name cannot be resolved") from None
        for address in found:
            check_address(address, target=target)
        return found

    async def _exchange(
        self, method: str, target: Target, *, headers: Mapping[str, str], body: bytes | None
    ) -> EgressResponse:
        addresses = await self._addresses(target)
        connector = aiohttp.TCPConnector(
            resolver=_CheckedAddresses(addresses), use_dns_cache=False, force_close=True, ssl=self._tls or _usual_tls()
        )
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                timeout=aiohttp.ClientTimeout(total=self._seconds),
            ) as session,
            session.request(
                method,
                target.url,
                headers={"user-agent": "meetingbots", "accept-encoding": "identity", **headers},
                data=body,
                allow_redirects=False,
            ) as response,
        ):
            return await _read(response)


@cache
def _usual_tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


class _CheckedAddresses(AbstractResolver):
    """Resolves every name to the checked addresses."""

    def __init__(self, addresses: list[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing to close."""


async def _read(response: aiohttp.ClientResponse) -> EgressResponse:
    status = response.status
    if 300 <= status < 400:
        raise EgressError(f"it responded with a redirect (HTTP {status}), which is not followed", status=status)
    if not 200 <= status < 300:
        raise EgressError(f"it answered HTTP {status}", status=status, retry_after=_retry_after(response))
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise EgressError("its answer is compressed, which was not requested", status=status)
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise EgressError(f"its answer is larger than {MAX_ANSWER_BYTES // 1024} KiB", status=status)
    return EgressResponse(status=status, body=bytes(body))


def _retry_after(response: aiohttp.ClientResponse) -> float | None:
    text = response.headers.get("retry-after", "").strip()
    if response.status not in (429, 503) or not text.isascii() or not text.isdecimal():
        return None
    return float(min(int(text[:9]), _MAX_RETRY_AFTER))

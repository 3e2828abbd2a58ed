"""Chooses the proxy of each request from ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``.

Lower-case names take precedence, as in curl. ``NO_PROXY`` is a list, separated by commas: a host name (with the names
below it), an address, a network such as ``10.0.0.0/8``, each with an optional port, or ``*`` for every host.
"""

from __future__ import annotations

import ipaddress
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx

_DEFAULT_PORTS = {"http": 80, "https": 443}


class ProxyError(ValueError):
    """A variable has no URL of an HTTP proxy. The text names the variable and not its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """The proxies by scheme of the requested URL, and the hosts without one."""

    by_scheme: Mapping[str, httpx.Proxy]
    bypass: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> ProxySettings:
        """Read the variables.

        Raises:
            ProxyError: a proxy's URL is not one of an HTTP proxy. The text names the variable and not its value, which
                may contain a password.

        """
        found = {}
        for scheme in ("https", "http"):
            name, value = _variable(environment, f"{scheme}_proxy") or _variable(environment, "all_proxy") or ("", "")
            if value:
                found[scheme] = _proxy(name, value)
        _, bypass = _variable(environment, "no_proxy") or ("", "")
        return cls(by_scheme=found, bypass=tuple(entry.strip().lower() for entry in bypass.split(",") if entry.strip()))

    def proxy_for(self, url: httpx.URL) -> httpx.Proxy | None:
        """Return the proxy for a request; None: connect directly."""
        proxy = self.by_scheme.get(url.scheme)
        if proxy is None:
            return None
        port = url.port or _DEFAULT_PORTS.get(url.scheme, 0)
        return None if any(_matches(entry, host=url.host, port=port) for entry in self.bypass) else proxy


class ProxyRouter(httpx.AsyncBaseTransport):
    """Sends each request directly or through its proxy. ``connect`` makes the transport of a proxy (None: direct)."""

    def __init__(
        self, settings: ProxySettings, *, connect: Callable[[httpx.Proxy | None], httpx.AsyncBaseTransport]
    ) -> None:
        self._settings = settings
        self._direct = connect(None)
        self._proxied = {str(proxy.url): connect(proxy) for proxy in settings.by_scheme.values()}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        proxy = self._settings.proxy_for(request.url)
        transport = self._direct if proxy is None else self._proxied[str(proxy.url)]
        return await transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close all transports."""
        for transport in (self._direct, *self._proxied.values()):
            await transport.aclose()


def _variable(environment: Mapping[str, str], name: str) -> tuple[str, str] | None:
    for spelling in (name, name.upper()):
        if environment.get(spelling, "").strip():
            return spelling, environment[spelling].strip()
    return None


def _proxy(name: str, value: str) -> httpx.Proxy:
    try:
        text = value if "://" in value else f"http://{value}"
        urlsplit(text)  # refuses brackets that httpx accepts
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        raise ProxyError(f"{name} is not a URL") from None
    if (
        url.scheme not in ("http", "https")
        or not url.host
        or "%" in url.host
        or url.port not in (None, *range(1, 65536))
    ):
        raise ProxyError(f"{name} is not the URL of an HTTP proxy")
    # aiohttp deprecates the object that httpx-aiohttp makes of a user in the URL.
    headers = {"Proxy-Authorization": _basic(url.username, url.password)} if url.userinfo else None
    return httpx.Proxy(url.copy_with(userinfo=b""), headers=headers)


def _basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def _matches(entry: str, *, host: str, port: int) -> bool:
    if entry == "*":
        return True
    network = _network(entry)
    if network is not None:
        address = _address(host)
        return address is not None and address in network
    name, wanted = _name_and_port(entry)
    if wanted is not None and wanted != port:
        return False
    address, wanted_address = _address(host), _address(name)
    if address is not None or wanted_address is not None:
        return address == wanted_address
    name = name.removeprefix("*").lstrip(".")
    return bool(name) and (host == name or host.endswith(f".{name}"))


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text, strict=False) if "/" in text else None
    except ValueError:
        return None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return None


def _name_and_port(entry: str) -> tuple[str, int | None]:
    name, colon, port = entry.rpartition(":")
    if colon and port.isdecimal() and (":" not in name or name.startswith("[")):
        return name, int(port)
    return entry, None

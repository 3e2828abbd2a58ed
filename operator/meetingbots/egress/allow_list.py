"""Checks a tenant's address against the hosts that the operator's settings allow."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from yarl import URL

from meetingbots.egress.errors import AddressNotAllowedError
from meetingbots.egress.ip_ranges import AddressClass, address_class

_PRIVATE_PREFIX: Final = "private:"
_HTTPS_PORT: Final = 443


@dataclass(frozen=True, kw_only=True)
class _Entry:
    host: str
    port: int | None
    private: bool


@dataclass(frozen=True, kw_only=True)
class Target:
    """An address whose text is allowed. `private`: it may be in a private network."""

    url: URL
    host: str
    private: bool


class AllowedHosts:
    """The hosts of one setting.

    An entry is a host name or IP address with an optional port; without a port, every port is allowed. The prefix
    `private:` also allows private and loopback addresses. Link-local addresses are never allowed. `name` is the
    setting's name in messages.
    """

    def __init__(self, entries: Iterable[str], *, name: str) -> None:
        self._entries = tuple(map(_entry, entries))
        self._name = name

    def check(self, text: str) -> Target:
        """Parse and check an address. Raises `AddressNotAllowedError`, whose text names at most the host."""
        try:
            url = URL(text.strip())
            host, port = (url.host or "").lower(), url.port
        except ValueError:
            raise AddressNotAllowedError("the address cannot be read as one") from None
        if url.scheme != "https" or not host:
            raise AddressNotAllowedError("the address must begin with https:// and name a host")
        if url.user is not None or url.password is not None:
            raise AddressNotAllowedError("the address must hold no user name and no password: use the headers' Secret")
        entry = next((entry for entry in self._entries if _fits(entry, host=host, port=port)), None)
        if entry is None:
            raise AddressNotAllowedError(
                f"the host {host[:253]} is not among the {self._name} of the operator's settings"
            )
        target = Target(url=url.with_fragment(None), host=host, private=entry.private)
        if _is_literal(host):
            check_address(host, target=target)
        return target


def check_address(address: str, *, target: Target) -> None:
    """Check one IP address of the target's host. Raises `AddressNotAllowedError`."""
    reach = address_class(address)
    if reach is AddressClass.PUBLIC or (reach is AddressClass.PRIVATE and target.private):
        return
    raise AddressNotAllowedError(
        f"the host {target.host[:253]} is at a private or link-local address, which the operator does not connect to"
    )


def _entry(text: str) -> _Entry:
    private = text.startswith(_PRIVATE_PREFIX)
    rest = text.removeprefix(_PRIVATE_PREFIX).strip()
    host, colon, port = rest.rpartition(":")
    if rest.count(":") > 1 and not rest.startswith("["):
        host, colon, port = rest, "", ""  # an IPv6 address without brackets
    elif not colon or not port.isdecimal():
        host, port = rest, ""
    return _Entry(host=host.strip("[]").lower(), port=int(port) if port else None, private=private)


def _fits(entry: _Entry, *, host: str, port: int | None) -> bool:
    return entry.host == host and entry.port in (None, port or _HTTPS_PORT)


def _is_literal(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdecimal()

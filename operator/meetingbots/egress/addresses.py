"""The addresses that a tenant may write down: classes of IP addresses, and the hosts that the settings allow.

Python's `is_global` alone is not enough for the classes: it differs between versions, and some clouds serve metadata at
addresses that are public by the IANA special-purpose address registries.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, TypeAlias

from yarl import URL

Address: TypeAlias = IPv4Address | IPv6Address
_PRIVATE: Final = tuple(
    map(
        ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "::1/128", "fc00::/7"),
    )
)
_FORBIDDEN: Final = tuple(
    map(
        ip_network,
        # Link-local with most clouds' metadata; other metadata addresses (Alibaba, Azure, Oracle, AWS over IPv6);
        # protocol assignments; relays; site-local.
        (
            "169.254.0.0/16",
            "fe80::/10",
            "100.100.100.200/32",
            "168.63.129.16/32",
            "192.0.0.0/24",
            "fd00:ec2::/32",
            "192.88.99.0/24",
            "fec0::/10",
        ),
    )
)
_NAT64: Final = ip_network("64:ff9b::/96")
_LOW_32_BITS: Final = 0xFFFFFFFF
_PRIVATE_PREFIX: Final = "private:"
_HTTPS_PORT: Final = 443


class EgressError(Exception):
    """There was no usable response. `retry_after` is the server's Retry-After in seconds."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.retry_after = retry_after


class AddressNotAllowedError(EgressError):
    """The address is not allowed; nothing was sent."""


class AddressClass(StrEnum):
    """Where an address leads."""

    PUBLIC = "public"
    PRIVATE = "private"
    """Loopback and private networks: allowed only by an entry with `private:`."""
    FORBIDDEN = "forbidden"
    """Link-local (cloud metadata), multicast and reserved addresses: never allowed."""


def address_class(text: str) -> AddressClass:
    """The class of an address; other text is FORBIDDEN. IPv4 embedded in IPv6 has the class of the IPv4 address."""
    try:
        return max(
            (_reach(address) for address in _destinations(ip_address(text.partition("%")[0]))), key=_SEVERITY.index
        )
    except ValueError:
        return AddressClass.FORBIDDEN


_SEVERITY: Final = (AddressClass.PUBLIC, AddressClass.PRIVATE, AddressClass.FORBIDDEN)


def _destinations(address: Address) -> tuple[Address, ...]:
    """The addresses at which a packet to this one may arrive."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address, address.sixtofour)
    if address.teredo is not None:
        return (address, *address.teredo)
    low = int(address) & _LOW_32_BITS
    if address in _NAT64 or (int(address) >> 32 == 0 and low > 1):
        return (IPv4Address(low),)
    return (address,)


def _reach(address: Address) -> AddressClass:
    if any(address in network for network in _FORBIDDEN):
        return AddressClass.FORBIDDEN
    if any(address in network for network in _PRIVATE):
        return AddressClass.PRIVATE
    ordinary = address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)
    return AddressClass.PUBLIC if ordinary else AddressClass.FORBIDDEN


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

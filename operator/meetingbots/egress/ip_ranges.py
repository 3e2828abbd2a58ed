"""Classes of IP addresses, after the IANA special-purpose address registries.

Python's `is_global` alone is not enough: it differs between versions, and some clouds serve metadata at addresses that
are public by the registries.
"""

from __future__ import annotations

from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address


class AddressClass(StrEnum):
    """Where an address leads."""

    PUBLIC = "public"
    PRIVATE = "private"
    """Loopback and private networks: allowed only by an entry with `private:`."""
    FORBIDDEN = "forbidden"
    """Link-local (cloud metadata), multicast and reserved addresses: never allowed."""


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

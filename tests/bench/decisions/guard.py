"""0011: addresses that our guard rejects and Python's `is_global` lets through."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from meetingbots.egress.addresses import AddressClass, address_class

_DANGEROUS: Final = (
    "127.0.0.1",
    "10.0.0.1",
    "169.254.169.254",
    "100.100.100.200",
    "168.63.129.16",
    "192.88.99.1",
    "224.0.0.1",
    "::1",
    "fd00::1",
    "fe80::1",
    "fec0::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
)
"""Loopback, private, cloud metadata, relays, multicast, and private IPv4 inside IPv6 (mapped, NAT64, 6to4)."""


def figures() -> Iterator[str]:
    """How many dangerous addresses each lets through."""
    ours = [one for one in _DANGEROUS if address_class(one) is AddressClass.PUBLIC]
    theirs = [one for one in _DANGEROUS if ip_address(one).is_global]
    passed = f"ours lets {len(ours)} through, is_global {len(theirs)}: {', '.join(theirs)}"
    yield f"of {len(_DANGEROUS)} dangerous addresses, {passed}"

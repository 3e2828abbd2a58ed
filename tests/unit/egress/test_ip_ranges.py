from __future__ import annotations

import pytest
from meetingbots.egress.ip_ranges import AddressClass, address_class

PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
PRIVATE = [
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "127.0.0.1",
    "127.255.0.9",
    "100.64.0.1",
    "100.127.255.254",
    "::1",
    "fc00::1",
    "fdab::1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2002:a00:1::1",
]
FORBIDDEN = [
    "169.254.169.254",
    "169.254.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "224.0.0.1",
    "ff02::1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.51.100.7",
    "198.18.0.1",
    "2001:db8::1",
    "192.88.99.1",
    "not an address",
    "",
]


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        *((address, AddressClass.PUBLIC) for address in PUBLIC),
        *((address, AddressClass.PRIVATE) for address in PRIVATE),
        *((address, AddressClass.FORBIDDEN) for address in FORBIDDEN),
    ],
)
def test_reach(address: str, reach: AddressClass) -> None:
    assert address_class(address) is reach

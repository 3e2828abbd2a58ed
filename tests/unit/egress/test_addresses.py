"""The addresses that a tenant may write down."""

from __future__ import annotations

import pytest
from meetingbots.egress.addresses import (
    AddressClass,
    AddressNotAllowedError,
    AllowedHosts,
    address_class,
    check_address,
)

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


HOSTS = AllowedHosts(
    [
        "tokens.example",
        "ports.example:8443",
        "private:vault.internal",
        "private:10.0.0.7",
        "10.0.0.8",
        "private:[::1]:9443",
        "localhost",
        "private:169.254.169.254",
        "127.1",
    ],
    name="allowed hosts",
)


@pytest.mark.parametrize(
    ("url", "private"),
    [
        ("https://tokens.example/a?b=c", False),
        ("https://tokens.example:9000/", False),
        ("  https://TOKENS.example/x\n", False),
        ("https://ports.example:8443/", False),
        ("https://vault.internal/", True),
        ("https://10.0.0.7/", True),
        ("https://[::1]:9443/", True),
        ("https://localhost/", False),
    ],
)
def test_allowed(url: str, private: bool) -> None:
    target = HOSTS.check(url)
    assert target.private is private
    assert target.url.fragment == ""


@pytest.mark.parametrize(
    "url",
    [
        "http://tokens.example/",
        "ftp://tokens.example/",
        "https://other.example/",
        "https://sub.tokens.example/",
        "https://tokens.example.evil.test/",
        "https://tokens.example@evil.test/",
        "https://evil.test#@tokens.example/",
        "https://evil.test\\@tokens.example/",
        "https://user:password@tokens.example/",
        "https://ports.example/",
        "https://ports.example:8444/",
        "https://10.0.0.8/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::ffff:10.0.0.7]/",
        "https://[::1]/",
        "https://127.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https:///x",
        "//tokens.example/",
        "https://",
        "https://[::1/",
        "https://tokens.example:99999/",
        "",
    ],
)
def test_not_allowed(url: str) -> None:
    with pytest.raises(AddressNotAllowedError) as caught:
        HOSTS.check(url)
    assert "latest" not in str(caught.value)
    assert "password@" not in str(caught.value)


def test_nothing_is_allowed_by_default() -> None:
    with pytest.raises(AddressNotAllowedError, match=r"the host tokens\.example is not among the allowed hosts"):
        AllowedHosts((), name="allowed hosts").check("https://tokens.example/")


def test_private_addresses_only_where_the_settings_say_so() -> None:
    check_address("10.0.0.1", target=HOSTS.check("https://vault.internal/"))
    check_address("8.8.8.8", target=HOSTS.check("https://tokens.example/"))
    for address in ("10.0.0.1", "127.0.0.1", "::1"):
        with pytest.raises(AddressNotAllowedError, match=r"tokens\.example is at a private or link-local address"):
            check_address(address, target=HOSTS.check("https://tokens.example/"))
    with pytest.raises(AddressNotAllowedError):
        check_address("169.254.169.254", target=HOSTS.check("https://vault.internal/"))

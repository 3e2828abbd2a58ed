from __future__ import annotations

import pytest
from meetingbots.egress.allow_list import AllowedHosts, check_address
from meetingbots.egress.errors import AddressNotAllowedError

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

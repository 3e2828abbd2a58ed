"""The proxy of a request: which variable, which hosts go without one, and a real proxy with a private CA."""

from pathlib import Path

import httpx
import pytest
from meetingbots.zoom.http.exchange import new_http_client
from meetingbots.zoom.http.proxies import ProxySettings

from tests.proxy.authority import Authority
from tests.proxy.forward_proxy import running_proxy
from tests.zoomsim.server import serving

PROXY = "http://proxy.example:3128"


def chosen(url: str, **environment: str) -> str | None:
    proxy = ProxySettings.from_environment(environment).proxy_for(httpx.URL(url))
    return None if proxy is None else str(proxy.url)


@pytest.mark.parametrize(
    ("environment", "url", "expected"),
    [
        ({}, "https://api.zoom.us/v2", None),
        ({"HTTPS_PROXY": PROXY}, "https://api.zoom.us/v2", PROXY),
        ({"https_proxy": PROXY}, "https://api.zoom.us/v2", PROXY),
        ({"HTTPS_PROXY": "proxy.example:3128"}, "https://api.zoom.us/v2", PROXY),
        ({"HTTPS_PROXY": "http://other.example", "https_proxy": PROXY}, "https://api.zoom.us/v2", PROXY),
        ({"HTTPS_PROXY": PROXY}, "http://zoom.example/v2", None),
        ({"HTTP_PROXY": PROXY}, "http://zoom.example/v2", PROXY),
        ({"ALL_PROXY": PROXY}, "https://zoomgov.com/oauth", PROXY),
        ({"HTTPS_PROXY": "  "}, "https://api.zoom.us/v2", None),
    ],
)
def test_the_variable_of_the_scheme(environment: dict[str, str], url: str, expected: str | None) -> None:
    assert chosen(url, **environment) == expected


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("10.0.0.0/8,.svc,.cluster.local", "https://10.1.2.3/v2", True),
        ("10.0.0.0/8,.svc,.cluster.local", "https://11.1.2.3/v2", False),
        ("10.0.0.0/8,.svc,.cluster.local", "https://zoomsim.zoom.svc/v2", True),
        ("10.0.0.0/8,.svc,.cluster.local", "https://api.zoom.us/v2", False),
        ("zoom.us", "https://api.zoom.us/v2", True),
        ("zoom.us", "https://zoom.us/oauth", True),
        ("zoom.us", "https://evil-zoom.us/", False),
        (".zoom.us", "https://zoom.us/oauth", True),
        ("*.zoom.us", "https://api.zoom.us/v2", True),
        ("API.Zoom.US", "https://api.zoom.us/v2", True),
        ("api.zoom.us:443", "https://api.zoom.us/v2", True),
        ("api.zoom.us:8443", "https://api.zoom.us/v2", False),
        ("*", "https://api.zoom.us/v2", True),
        ("fd00::/8", "https://[fd00::1]:8443/v2", True),
        ("[fd00::1]:8443", "https://[fd00::1]:8443/v2", True),
        ("fd00::1", "https://[fd00::2]/v2", False),
        ("127.0.0.1", "https://127.0.0.1:9443/v2", True),
        ("10.0.0.0/99, ,:", "https://api.zoom.us/v2", False),
    ],
)
def test_hosts_without_a_proxy(no_proxy: str, url: str, direct: bool) -> None:
    assert (chosen(url, HTTPS_PROXY=PROXY, NO_PROXY=no_proxy) is None) is direct


@pytest.mark.parametrize(
    "value", ["socks5://u:pass-word@proxy.example", "http://", "http://u:pass-word@[bad", "ftp://a"]
)
def test_a_wrong_proxy_is_named_without_its_value(value: str) -> None:
    with pytest.raises(ValueError, match="HTTPS_PROXY is not") as error:
        ProxySettings.from_environment({"HTTPS_PROXY": value})
    assert "pass-word" not in str(error.value)


@pytest.mark.parametrize("login", ["", "bot:pass word"])
async def test_zoom_is_reached_through_a_real_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str
) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
    async with (
        serving(tls=authority.server_context("api.zoom.us")) as sim,
        running_proxy({"api.zoom.us:443": sim.tls_port}, login=login) as proxy,
    ):
        user = f"{login.replace(' ', '%20')}@" if login else ""
        address = proxy.url.replace("http://", f"http://{user}")
        async with new_http_client(timeout=5, user_agent="t", environment={"HTTPS_PROXY": address}) as client:
            answer = await client.get("https://api.zoom.us/v2/users/me")
            assert answer.json()["code"] == 124
            with pytest.raises(httpx.TransportError):
                await client.get("https://elsewhere.example/")
        assert proxy.tunnels == ["api.zoom.us:443"]
        assert proxy.refused == ["CONNECT elsewhere.example:443"]


async def test_a_private_ca_is_not_trusted_without_its_file(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with (
        serving(tls=authority.server_context("localhost")) as sim,
        new_http_client(timeout=5, user_agent="t", environment={}) as client,
    ):
        with pytest.raises(httpx.TransportError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get(f"https://localhost:{sim.tls_port}/healthz")

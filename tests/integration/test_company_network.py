"""The operator in a company's network: Zoom is behind a proxy, and its certificate comes from a private authority."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.api import core_path
from tests.cluster.controlplane import ControlPlane
from tests.proxy.authority import ZOOM_HOSTS, Authority
from tests.proxy.forward_proxy import ForwardProxy, running_proxy
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.event_loop import ClosingLoop
from tests.zoomsim.server import serving


class CompanyNetwork:
    """A simulated Zoom with TLS, and the proxy to it, in a thread."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.proxy = ForwardProxy(routes={})
        self.zoom_url = ""
        self._loop = ClosingLoop()
        self._started, self._stop = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run()), daemon=True)

    async def _run(self) -> None:
        async with serving(tls=self.authority.server_context(*ZOOM_HOSTS)) as sim:
            self.zoom_url = sim.base_url
            async with running_proxy({f"{host}:443": sim.tls_port for host in ZOOM_HOSTS}) as self.proxy:
                self._started.set()
                await self._stop.wait()

    def start(self) -> None:
        """Start both, and wait until they listen."""
        self._thread.start()
        assert self._started.wait(30)

    def stop(self) -> None:
        """Stop both."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(timeout=10)
        self._loop.close()


@pytest.fixture
def company(tmp_path: Path) -> Iterator[CompanyNetwork]:
    network = CompanyNetwork(tmp_path)
    network.start()
    yield network
    network.stop()


def test_zoom_is_reached_through_the_proxy_only(own_cluster: ControlPlane, company: CompanyNetwork) -> None:
    """The API server needs no entry in NO_PROXY, because only calls to Zoom use the proxy.

    The session's operator serves all namespaces of the session's cluster and knows another Zoom, so this test has a
    cluster of its own.
    """
    namespace = "company"
    own_cluster.api.create(core_path("namespaces"), {"metadata": {"name": namespace}})
    environment = {
        "HTTPS_PROXY": company.proxy.url,
        "SSL_CERT_FILE": str(company.authority.ca_file),
        "MEETINGBOTS_ZOOM_API_URL": "https://api.zoom.us/v2",
        "MEETINGBOTS_ZOOM_OAUTH_URL": "https://zoom.us/oauth",
    }
    with (
        SimClient(company.zoom_url) as zoom,
        Stack(
            own_cluster, zoom_url=company.zoom_url, system=namespace, served=(namespace,), environment=environment
        ) as stack,
    ):
        tenant = Tenant(own_cluster, zoom, namespace)
        tenant.ready_credential()
        assert tenant.status("zoomcredentials", "alice")["email"] == tenant.user.email
        assert set(company.proxy.tunnels) == {"zoom.us:443", "api.zoom.us:443"}
        assert company.proxy.refused == []
        assert company.proxy.url not in stack.operator.text()

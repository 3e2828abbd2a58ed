"""A simulated Zoom that answers under Zoom's own host names, behind a proxy, as Zoom's SDK expects it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.rivet import Rivet
from tests.contract.zoom import ContractZoom, populate
from tests.proxy.authority import ZOOM_HOSTS, Authority
from tests.proxy.forward_proxy import running_proxy
from tests.zoomsim.server import serving


@pytest.fixture
async def zoom(tmp_path: Path) -> AsyncIterator[ContractZoom]:
    """A Zoom with two users, meetings and webinars, and three apps."""
    authority = Authority(tmp_path)
    async with serving(tls=authority.server_context(*ZOOM_HOSTS)) as sim:
        routes = {f"{host}:443": sim.tls_port for host in ZOOM_HOSTS}
        async with running_proxy(routes) as proxy:
            yield populate(sim, proxy=proxy, ca_file=authority.ca_file)


@pytest.fixture
def rivet(zoom: ContractZoom) -> Rivet:
    """Zoom's SDK, unmodified: its calls reach the simulator through the proxy."""
    return Rivet(zoom)

"""A real Prometheus scrapes operator and receiver, and every query of the dashboard answers with data."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.stack.prometheus import Prometheus, panels
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient

BOTS = ("recorder", "without-token")


@pytest.fixture
def prometheus(stack: Stack, tmp_path: Path) -> Iterator[Prometheus]:
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is missing (Debian: apt-get install prometheus)")
    running = Prometheus(tmp_path, stack)
    yield running
    running.close()


def queries() -> list[tuple[str, str]]:
    """List title and query of every panel."""
    return [
        (panel.title, expression)
        for panel in panels(rate_interval="2m", whole_range="5m")
        for expression, _ in panel.queries
    ]


def test_every_panel_has_data(
    cluster: ControlPlane,
    kubelet: KubeletDouble,
    zoom: SimClient,
    stack: Stack,
    tenant: Tenant,
    prometheus: Prometheus,
) -> None:
    # The first scrape precedes the events; otherwise the increase of their counters is not seen.
    tenant.wait("both processes are scraped", prometheus.scrapes_both)
    tenant.ready_credential()
    meeting = tenant.meeting(emit=True)
    tenant.mapping(meeting.id, "alice")
    tenant.bot("recorder", meeting.id, tokenEndpoint=True)
    tenant.bot("without-token", tenant.meeting().id, tokenWaitSeconds=1)
    tenant.wait("the bots run", lambda: {tenant.phase(name) for name in BOTS} == {"Running"})
    zoom.act(meeting.id, "end")
    tenant.wait("the bot is done", lambda: tenant.phase("recorder") == "Succeeded", seconds=90)
    missing: list[str] = []

    def complete() -> bool:
        missing[:] = [title for title, query in queries() if not prometheus.query(query)]
        return not missing

    try:
        tenant.wait("data in every panel", complete)
    except TimeoutError:
        pytest.fail(f"no data in {missing}")

"""A real Prometheus scrapes operator and receiver, and every query of the dashboard answers with data."""

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.stack.processes import free_port
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient

DASHBOARD = Path(__file__).resolve().parents[2] / "charts" / "meetingbots" / "files" / "dashboard.json"
NAMESPACE = "bots-system"
BOTS = ("recorder", "without-token")


class Prometheus:
    """A Prometheus that scrapes a stack every second, under the labels that the chart's ServiceMonitor leads to."""

    def __init__(self, folder: Path, stack: Stack) -> None:
        self._port = free_port()
        jobs = [
            {
                "job_name": f"x-meetingbots-{process}-metrics",
                "scrape_interval": "1s",
                "static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": {"namespace": NAMESPACE}}],
            }
            for process, port in stack.metrics_ports.items()
        ]
        (folder / "prometheus.yml").write_text(yaml.safe_dump({"scrape_configs": jobs}))
        command = ["prometheus", "--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{self._port}"]
        with (folder / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--storage.tsdb.path=data"], cwd=folder, stdout=log, stderr=subprocess.STDOUT
            )

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Run an instant query; OSError while Prometheus does not answer."""
        query = urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/api/v1/query?{query}", timeout=60) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found

    def scrapes_both(self) -> bool:
        """Whether the last scrapes of operator and receiver worked."""
        try:
            return [one["value"][1] for one in self.query("up")] == ["1", "1"]
        except OSError:
            return False

    def close(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait(timeout=20)


@pytest.fixture
def prometheus(stack: Stack, tmp_path: Path) -> Iterator[Prometheus]:
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is missing (Debian: apt-get install prometheus)")
    running = Prometheus(tmp_path, stack)
    yield running
    running.close()


def queries() -> list[tuple[str, str]]:
    """List title and query of every panel, with Grafana's variables replaced."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    variables = {"$namespace": NAMESPACE, "$__rate_interval": "2m", "$__range": "5m"}
    found = []
    for panel in panels:
        for target in panel.get("targets", ()):
            expression = target["expr"]
            for name, value in variables.items():
                expression = expression.replace(name, value)
            found.append((panel["title"], expression))
    return found


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

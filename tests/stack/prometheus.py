"""A real Prometheus that scrapes a stack, and the queries of the chart's dashboard."""

from __future__ import annotations

import json
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from tests.stack.processes import free_port
from tests.stack.stack import Stack

DASHBOARD: Final = Path(__file__).resolve().parents[2] / "charts" / "meetingbots" / "files" / "dashboard.json"
NAMESPACE: Final = "bots-system"


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
        return self._ask("query", query=expression)

    def query_range(self, expression: str, *, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """Run a query from `start` to `end` in epoch seconds, every `step` seconds; OSError as for `query`."""
        return self._ask("query_range", query=expression, start=str(start), end=str(end), step=str(step))

    def scrapes_both(self) -> bool:
        """Whether the last scrapes of operator and receiver worked."""
        try:
            return [one["value"][1] for one in self.query("up")] == ["1", "1"]
        except OSError:
            return False

    def close(self) -> None:
        """Stop it."""
        self._process.terminate()
        self._process.wait(timeout=60)

    def _ask(self, what: str, **parameters: str) -> list[dict[str, Any]]:
        url = f"http://127.0.0.1:{self._port}/api/v1/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=30) as answer:
            found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return found


@dataclass(frozen=True)
class Panel:
    """A panel of the dashboard. `queries` are pairs of expression and legend; `place` is x, y, width, height."""

    title: str
    kind: str
    unit: str
    place: tuple[int, int, int, int]
    queries: tuple[tuple[str, str], ...]


def panels(*, rate_interval: str, whole_range: str) -> Iterator[Panel]:
    """The panels, with Grafana's variables replaced."""
    variables = {"$namespace": NAMESPACE, "$__rate_interval": rate_interval, "$__range": whole_range}
    for one in json.loads(DASHBOARD.read_text())["panels"]:
        queries = []
        for target in one.get("targets", ()):
            expression = target["expr"]
            for name, value in variables.items():
                expression = expression.replace(name, value)
            queries.append((expression, target.get("legendFormat", "")))
        grid, unit = one["gridPos"], one.get("fieldConfig", {}).get("defaults", {}).get("unit", "short")
        place = (grid["x"], grid["y"], grid["w"], grid["h"])
        yield Panel(one["title"], one["type"], unit, place, tuple(queries))

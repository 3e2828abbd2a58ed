"""Runs helm on the chart and parses the rendered objects."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "meetingbots"
EVERYTHING = Path(__file__).with_name("everything.yaml")
SHARDS: dict[str, Any] = {
    "operator": {"shards": [{"name": "a", "namespaces": ["team-a", "team-b"]}, {"name": "1", "namespaces": ["team-c"]}]}
}
"""Values of a release with two shards."""


class HelmError(Exception):
    """helm failed; the text is its message."""


@dataclass(frozen=True)
class Helm:
    """The helm program, for a cluster if a kubeconfig is given."""

    program: Path
    kubeconfig: Path | None = None

    def run(self, *arguments: str, values: Mapping[str, Any] | None = None, limit_seconds: float = 120) -> str:
        """Run helm and return its output; `values` become a values file. HelmError when it fails."""
        environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        if self.kubeconfig is not None:
            environment["KUBECONFIG"] = str(self.kubeconfig)
        command = [str(self.program), *arguments, *(["--values", "-"] if values is not None else [])]
        done = subprocess.run(
            command,
            input=None if values is None else yaml.safe_dump(dict(values)),
            env=environment,
            capture_output=True,
            text=True,
            timeout=limit_seconds,
            check=False,
        )
        if done.returncode != 0:
            raise HelmError(done.stderr.strip() or done.stdout.strip())
        return done.stdout

    def template(
        self,
        values: Mapping[str, Any] | None = None,
        *,
        release: str = "x",
        namespace: str = "system",
        files: Sequence[Path] = (),
        chart: Path = CHART,
    ) -> list[Object]:
        """Render all objects of a release; HelmError for values that the schema or a template refuses."""
        given = [f"--values={file}" for file in files]
        text = self.run("template", release, str(chart), "--namespace", namespace, *given, values=values)
        return [document for document in yaml.safe_load_all(text) if document]


def of_kind(objects: Sequence[Object], kind: str, *, ending: str = "") -> list[Object]:
    """Select the objects of a kind with this ending of the name."""
    return [one for one in objects if one["kind"] == kind and one["metadata"]["name"].endswith(ending)]


def only(objects: Sequence[Object], kind: str, *, ending: str = "") -> Object:
    """Select the one object of a kind."""
    [found] = of_kind(objects, kind, ending=ending)
    return found

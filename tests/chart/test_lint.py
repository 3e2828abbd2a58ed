"""helm lint, and helm-unittest's suites in charts/meetingbots/tests: what every switch changes."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.chart.rendering import CHART, EVERYTHING, Helm

# The suites must set every key with such a name: it decides what is rendered.
SWITCH = re.compile(r"enabled|create|keep|aggregateToEdit|namespaces")


def unittest(programs: Path, chart: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [programs / "helm-unittest", "--color=false", str(chart)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("files", [(), (EVERYTHING,)], ids=["default", "everything"])
def test_helm_lint(helm: Helm, files: tuple[Path, ...]) -> None:
    helm.run("lint", "--strict", str(CHART), *[f"--values={file}" for file in files])


def test_helm_unittest(programs: Path) -> None:
    done = unittest(programs, CHART)
    assert done.returncode == 0, done.stdout + done.stderr
    suites = len(list((CHART / "tests").glob("*_test.yaml")))
    assert f"Test Suites: {suites} passed, {suites} total" in done.stdout


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("networkpolicies.yaml", "policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]"),
        ("ingress.yaml", '"/oauth/callback" "Exact"', '"/" "Prefix"'),
        ("operator.yaml", "            - operator\n", ""),
        ("crds.yaml", '"keep") $annotations', '"delete") $annotations'),
        ("rbac.yaml", "if not $places", "if true"),
    ],
)
def test_helm_unittest_sees_what_breaks(programs: Path, tmp_path: Path, file: str, old: str, new: str) -> None:
    chart = tmp_path / "meetingbots"
    shutil.copytree(CHART, chart)
    template = chart / "templates" / file
    text = template.read_text()
    assert old in text
    template.write_text(text.replace(old, new))
    assert unittest(programs, chart).returncode == 1


def test_every_switch_has_a_test() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    suites = "".join(
        "\n".join(_set(test.get("set", {})))
        for path in sorted((CHART / "tests").glob("*_test.yaml"))
        for test in yaml.safe_load(path.read_text())["tests"]
    )
    for path in _leaves(values):
        if SWITCH.search(path.rpartition(".")[2]):
            assert path in suites, f"no suite sets {path}"


def _leaves(values: dict[str, object], prefix: str = "") -> list[str]:
    found = []
    for key, value in values.items():
        found += _leaves(value, f"{prefix}{key}.") if isinstance(value, dict) and value else [f"{prefix}{key}"]
    return found


def _set(given: dict[str, object]) -> list[str]:
    return [f"{path}\n" for path in _leaves(given)]

"""The rendered objects match the API's schemas, field by field."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import EVERYTHING, SHARDS, Helm, Object, only
from tests.chart.schemas import write_schemas
from tests.cluster.controlplane import ControlPlane

VERSIONS = (
    "v1",
    "apps/v1",
    "policy/v1",
    "networking.k8s.io/v1",
    "rbac.authorization.k8s.io/v1",
    "apiextensions.k8s.io/v1",
    "admissionregistration.k8s.io/v1",
    "autoscaling/v2",
    "gateway.networking.k8s.io/v1",
    "monitoring.coreos.com/v1",
)
PLAIN: dict[str, Any] = {
    "metrics": {"enabled": False},
    "networkPolicy": {"enabled": False},
    "receiver": {"podDisruptionBudget": {"enabled": False}, "updateStrategy": {"type": "Recreate"}},
}


@pytest.fixture(scope="module")
def schemas(cluster: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_schemas(cluster.api, VERSIONS, tmp_path_factory.mktemp("schemas"))


def check(programs: Path, schemas: str, objects: list[Object]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [programs / "kubeconform", "-strict", "-summary", "-schema-location", schemas, "-"],
        input=yaml.safe_dump_all(objects),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("values", "files"),
    [
        pytest.param({}, (), id="default"),
        pytest.param({}, (EVERYTHING,), id="everything"),
        pytest.param({"watch": {"namespaces": []}, "operator": SHARDS["operator"]}, (EVERYTHING,), id="shards"),
        pytest.param(PLAIN, (), id="as little as possible"),
    ],
)
def test_all_is_valid(
    programs: Path, helm: Helm, schemas: str, values: dict[str, Any], files: tuple[Path, ...]
) -> None:
    objects = helm.template(values, files=files)
    done = check(programs, schemas, objects)
    assert done.returncode == 0, done.stdout
    assert f"{len(objects)} resources found" in done.stdout
    assert f"Valid: {len(objects)}, Invalid: 0, Errors: 0, Skipped: 0" in done.stdout


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("NetworkPolicy", ("spec", "ingres")),
        ("Ingress", ("spec", "rule")),
        ("HTTPRoute", ("spec", "hostname")),
        ("ServiceMonitor", ("spec", "endpoint")),
        ("PodMonitor", ("spec", "podMetricsEndpoint")),
        ("HorizontalPodAutoscaler", ("spec", "metric")),
        ("ValidatingAdmissionPolicy", ("spec", "validation")),
        ("PrometheusRule", ("spec", "group")),
    ],
)
def test_an_unknown_field_would_be_seen(
    programs: Path, helm: Helm, schemas: str, kind: str, path: tuple[str, str]
) -> None:
    ending = "operator" if kind == "NetworkPolicy" else ""
    wrong = only(helm.template(files=[EVERYTHING]), kind, ending=ending)
    wrong[path[0]][path[1]] = "x"
    done = check(programs, schemas, [wrong])
    assert done.returncode == 1
    assert path[1] in done.stdout

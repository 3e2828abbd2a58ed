"""Fixtures of the chart tests: the programs, helm without a cluster, and a control plane without our CRDs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chart.programs import CHART_PROGRAMS, foreign_crds
from tests.chart.rendering import Helm
from tests.cluster.binaries import ensure_binaries
from tests.cluster.controlplane import ControlPlane
from tests.cluster.crds import load_crds

NEED_API_SERVER = {"test_admission_policy.py", "test_install_shards.py", "test_kubeconform.py", "test_install.py"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need the API server as integration tests."""
    for item in items:
        if item.path.parent == Path(__file__).parent and item.path.name in NEED_API_SERVER:
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def programs() -> Path:
    """Folder with helm, helm-unittest and kubeconform; built if they are missing."""
    return ensure_binaries(programs=CHART_PROGRAMS)


@pytest.fixture(scope="session")
def helm(programs: Path) -> Helm:
    """helm, without a cluster."""
    return Helm(programs / "helm")


@pytest.fixture(scope="session")
def cluster() -> Iterator[ControlPlane]:
    """A control plane with the CRDs of HTTPRoute and the Prometheus operator, and none of ours."""
    crds = load_crds(foreign_crds())
    for crd in crds:
        crd.pop("status", None)  # a generator left an empty one
    with ControlPlane(binaries=ensure_binaries(), crds=crds) as running:
        yield running

"""One installation for all attacks that need a restart of the operator, or an operator without other tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.crds import crd_files, load_crds
from tests.integration.attacks.installation import Installation, installed
from tests.zoomsim.client import SimClient

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="package")
def installation(
    binaries: Path, session_zoom: SimClient, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """The product on a control plane of its own."""
    crds = load_crds(crd_files(ROOT / "crds"))
    with (
        ControlPlane(binaries=binaries, crds=crds, audit=True) as cluster,
        installed(cluster, session_zoom, folder=tmp_path_factory.mktemp("attacks")) as running,
    ):
        yield running

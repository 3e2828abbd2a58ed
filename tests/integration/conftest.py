"""What integration tests stand on: one real control plane for the session, a kubelet double, fresh namespaces."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.cluster.api import core_path, wait_until
from tests.cluster.binaries import ensure_binaries
from tests.cluster.controlplane import ControlPlane
from tests.cluster.crds import crd_files, load_crds
from tests.cluster.kubelet import KubeletDouble
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.server import serving_in_thread

ROOT = Path(__file__).resolve().parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder need the API server."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def binaries() -> Path:
    """Folder with the control plane's programs; built by `make tools` if they are missing."""
    return ensure_binaries()


@pytest.fixture(scope="session")
def cluster(binaries: Path) -> Iterator[ControlPlane]:
    """The session's control plane, with our CRDs and an audit log."""
    with ControlPlane(binaries=binaries, crds=load_crds(crd_files(ROOT / "crds")), audit=True) as running:
        yield running


@pytest.fixture
def own_cluster(binaries: Path) -> Iterator[ControlPlane]:
    """A control plane for one test that stops or restarts it."""
    with ControlPlane(binaries=binaries, crds=load_crds(crd_files(ROOT / "crds")), audit=True) as running:
        yield running


@pytest.fixture(scope="session")
def session_kubelet(cluster: ControlPlane) -> Iterator[KubeletDouble]:
    """The session's only node."""
    with KubeletDouble(cluster.kubeconfig("kubelet")) as double:
        yield double


@pytest.fixture
def kubelet(session_kubelet: KubeletDouble) -> Iterator[KubeletDouble]:
    """The node, awake and without faults left over from another test."""
    yield session_kubelet
    session_kubelet.reset()


@pytest.fixture
def namespace(cluster: ControlPlane) -> Iterator[str]:
    """A fresh namespace in which Pods can be created; deleted, without waiting, at the end."""
    name = f"test-{uuid4().hex[:8]}"
    cluster.api.create(core_path("namespaces"), {"metadata": {"name": name}})
    account = core_path("serviceaccounts", namespace=name, name="default")
    wait_until(lambda: cluster.api.get(account) is not None, what=f"{name}'s default service account")
    yield name
    cluster.api.delete(core_path("namespaces", name=name))


@pytest.fixture(scope="session")
def session_zoom() -> Iterator[SimClient]:
    """The session's Zoom; its accounts and users are the tests' own."""
    with serving_in_thread() as zoom:
        yield zoom


@pytest.fixture
def zoom(session_zoom: SimClient) -> Iterator[SimClient]:
    """The session's Zoom, in good order again afterwards."""
    yield session_zoom
    session_zoom.clear_faults()


@pytest.fixture(scope="session")
def stack(cluster: ControlPlane, session_zoom: SimClient) -> Iterator[Stack]:
    """Operator and receiver for all namespaces, as real processes with their own rights."""
    with Stack(cluster, zoom_url=session_zoom.base_url, system="meetingbots-system") as running:
        yield running


@pytest.fixture
def tenant(cluster: ControlPlane, zoom: SimClient, stack: Stack, namespace: str) -> Tenant:
    """A fresh customer of the running stack; the app sends its events to the receiver."""
    tenant = Tenant(cluster, zoom, namespace)
    tenant.webhook_url = stack.webhook_url(tenant.app.client_id)
    zoom.change_app(tenant.app.client_id, webhook_url=tenant.webhook_url)
    return tenant

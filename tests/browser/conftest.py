"""What browser tests stand on: a control plane, operator and receiver under a public name, a Zoom, and Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser import chromium
from tests.browser.visit import Visitor
from tests.cluster.api import core_path
from tests.cluster.binaries import ensure_binaries
from tests.cluster.controlplane import ControlPlane
from tests.cluster.crds import crd_files, load_crds
from tests.stack.connecting import prepare
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.server import serving_in_thread

ROOT = Path(__file__).resolve().parents[2]
HOST = "bots.example.com"
PUBLIC_URL = f"http://{HOST}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder need the browser."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def cluster() -> Iterator[ControlPlane]:
    """The control plane with our CRDs."""
    with ControlPlane(binaries=ensure_binaries(), crds=load_crds(crd_files(ROOT / "crds"))) as running:
        yield running


@pytest.fixture(scope="session")
def zoom() -> Iterator[SimClient]:
    """The session's Zoom."""
    with serving_in_thread() as running:
        yield running


@pytest.fixture(scope="session")
def stack(cluster: ControlPlane, zoom: SimClient) -> Iterator[Stack]:
    """Operator and receiver, reached by people under a name."""
    settings = {"PUBLIC_URL": PUBLIC_URL, "ALLOWED_RETURN_URL_HOSTS": "app.example.com"}
    with Stack(cluster, zoom_url=zoom.base_url, system="meetingbots-system", settings=settings) as running:
        yield running


@pytest.fixture(scope="session")
def browser(stack: Stack) -> Iterator[Browser]:
    """Chromium with a fresh profile; the public name leads to the receiver's port on loopback, all others nowhere."""
    rules = f"MAP {HOST} 127.0.0.1:{stack.receiver_port}, EXCLUDE 127.0.0.1, MAP * ~NOTFOUND"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(
            executable_path=str(chromium.find()),
            headless=True,
            args=[*chromium.FLAGS, f"--host-resolver-rules={rules}"],
        )
        yield running
        running.close()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    """A person at a desktop."""
    with Visitor(browser) as someone:
        yield someone


@pytest.fixture
def customer(cluster: ControlPlane, zoom: SimClient, stack: Stack) -> Iterator[Tenant]:
    """A fresh customer whose app knows the public name."""
    namespace = f"customer-{uuid4().hex[:6]}"
    cluster.api.create(core_path("namespaces"), {"metadata": {"name": namespace}})
    tenant = Tenant(cluster, zoom, namespace)
    prepare(tenant, public_url=PUBLIC_URL)
    yield tenant
    cluster.api.delete(core_path("namespaces", name=namespace))
    zoom.clear_faults()
    zoom.remove_user(tenant.user.id, emit=False)

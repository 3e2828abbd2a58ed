"""What end-to-end tests share: one kind cluster, the project's images, a simulated Zoom, the chart installed by Helm.

The cluster is deleted at the end. `MEETINGBOTS_KIND=NAME` uses one that is there already (`make kind`) and leaves it.
The end of the run shows what tests measured.
"""

import os
import time
from collections.abc import Callable, Generator, Iterator
from uuid import uuid4

import pytest

from tests.cluster.api import ApiError, core_path, wait_until
from tests.cluster.gobuild import only_one
from tests.cluster.programs import cache_folder
from tests.cluster.service import ClusterError
from tests.e2e.installation import Installation
from tests.e2e.late_image import LateImages
from tests.kind.cluster import KindCluster
from tests.kind.project_images import ProjectImages, build_images, build_simulator
from tests.stack.bot_image import name_as_in_examples
from tests.stack.plugin import Plugin
from tests.stack.release import Release
from tests.stack.simulator_pod import RESTRICTED, SimulatorPod
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient

NAME = "meetingbots-e2e"
PATIENCE_SECONDS = 120.0
LOG_LINES = 60
MEASURES = pytest.StashKey[list[str]]()

Measure = Callable[[str], None]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was measured."""
    if lines := config.stash.get(MEASURES, []):
        terminalreporter.section("measured")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure what operator and receiver logged last: the cluster is gone by then."""
    report = yield
    installation = getattr(item, "funcargs", {}).get("installation")
    if report.failed and isinstance(installation, Installation):
        for component in ("operator", "receiver"):
            report.sections.append((f"last lines of the {component}", last_lines(installation.release, component)))
    return report


def last_lines(release: Release, component: str) -> str:
    """What it logged last, or why that cannot be had: the test may have failed while the API server was away."""
    try:
        return "\n".join(release.logs(component).splitlines()[-LOG_LINES:])
    except (OSError, ApiError, ClusterError) as error:
        return f"not to be had: {type(error).__name__}"


@pytest.fixture(scope="session")
def measured(pytestconfig: pytest.Config) -> Measure:
    """Notes a line for the end of the run."""
    return pytestconfig.stash.setdefault(MEASURES, []).append


@pytest.fixture(scope="session")
def kind_cluster(measured: Measure) -> Iterator[KindCluster]:
    """A cluster of one node whose kubelet runs real Pods."""
    if name := os.environ.get("MEETINGBOTS_KIND", ""):
        cluster = KindCluster(name)
        if not cluster.exists():
            raise ClusterError(f"MEETINGBOTS_KIND is {name}, but there is no such kind cluster (make kind)")
        cluster.adopt()
        yield cluster
        return
    # The lock goes with its process: a cluster that is there although nobody holds it was left by a run that crashed.
    with only_one(cache_folder() / f".kind-{NAME}", waiting=f"another run uses the cluster {NAME}; waiting for it"):
        cluster = KindCluster(NAME)
        cluster.delete()
        began = time.monotonic()
        with cluster:
            measured(f"cluster: ready after {time.monotonic() - began:.1f} s")
            yield cluster


@pytest.fixture(scope="session")
def project_images(kind_cluster: KindCluster, measured: Measure) -> ProjectImages:
    """The operator's and the example bot's image, built from this checkout and given to the cluster's node."""
    began = time.monotonic()
    images = build_images(engine=kind_cluster.engine)
    for tag in (images.operator, images.example_bot):
        kind_cluster.load(tag)
    name_as_in_examples(images.example_bot, cluster=kind_cluster)
    measured(f"images: built and loaded in {time.monotonic() - began:.1f} s")
    return images


@pytest.fixture(scope="session")
def session_zoom(kind_cluster: KindCluster, project_images: ProjectImages) -> Iterator[SimClient]:
    """The session's Zoom, a Pod."""
    image = build_simulator(project_images, engine=kind_cluster.engine)
    kind_cluster.load(image)
    with SimulatorPod(kind_cluster, image=image) as pod:
        yield pod.zoom


@pytest.fixture
def zoom(session_zoom: SimClient) -> Iterator[SimClient]:
    """The session's Zoom, in good order again afterwards."""
    yield session_zoom
    session_zoom.clear_faults()


@pytest.fixture(scope="session")
def installation(
    kind_cluster: KindCluster, project_images: ProjectImages, session_zoom: SimClient, measured: Measure
) -> Installation:
    """The chart's release, which tests may change, remove, and have again as it should be."""
    release = Release(kind_cluster, images=project_images, zoom_url=session_zoom.base_url)
    return Installation(release, measured=measured)


@pytest.fixture
def release(installation: Installation) -> Release:
    """The chart installed for all namespaces, all of its Pods ready, one of them leading."""
    return installation.ensure()


@pytest.fixture
def namespace(kind_cluster: KindCluster) -> Iterator[str]:
    """A customer's namespace with Pod Security restricted; deleted, without waiting, at the end."""
    yield from fresh_namespace(kind_cluster)


@pytest.fixture
def other_namespace(kind_cluster: KindCluster) -> Iterator[str]:
    """Another customer's."""
    yield from fresh_namespace(kind_cluster)


def fresh_namespace(cluster: KindCluster) -> Iterator[str]:
    """Make it, wait until Pods can be created in it, and delete it in the end."""
    api, name = cluster.api(), f"e2e-{uuid4().hex[:8]}"
    api.create(core_path("namespaces"), {"metadata": {"name": name, "labels": RESTRICTED}})
    account = core_path("serviceaccounts", namespace=name, name="default")
    wait_until(lambda: api.get(account) is not None, what=f"the account of {name}", limit_seconds=60)
    yield name
    api.delete(core_path("namespaces", name=name))


@pytest.fixture
def tenant(release: Release, zoom: SimClient, namespace: str) -> Tenant:
    """A fresh customer; the app sends its events to the receiver's Service."""
    return new_tenant(release, zoom, namespace)


@pytest.fixture
def plugin(kind_cluster: KindCluster, namespace: str) -> Plugin:
    """The kubectl plugin in the tenant's namespace."""
    return Plugin(kind_cluster.kubeconfig(), namespace)


def new_tenant(release: Release, zoom: SimClient, namespace: str) -> Tenant:
    """A customer in an existing namespace; its events reach the receiver."""
    tenant = Tenant(release, zoom, namespace, patience=PATIENCE_SECONDS)
    release.wait_reachable(zoom)
    zoom.change_app(tenant.app.client_id, webhook_url=release.webhook_url(tenant.app.client_id))
    return tenant


@pytest.fixture
def late_images(kind_cluster: KindCluster, project_images: ProjectImages) -> Iterator[LateImages]:
    """Images that Pods can name before the node has them."""
    made = LateImages(kind_cluster, source=project_images.example_bot)
    yield made
    made.clean_up()

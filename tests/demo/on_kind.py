"""The demo on a kind cluster: the images, the chart installed by Helm, real Pods, a namespace that is `restricted`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.api import Api, core_path, wait_until
from tests.cluster.binaries import ensure_binaries
from tests.cluster.programs import HELM, ToolError
from tests.cluster.service import ClusterError
from tests.demo.narration import Narration
from tests.demo.story import Story
from tests.kind.cluster import KindCluster
from tests.kind.project_images import ProjectImages, build_images, build_simulator
from tests.stack.bot_image import name_as_in_examples
from tests.stack.release import Release
from tests.stack.simulator_pod import NAMESPACE as ZOOM
from tests.stack.simulator_pod import RESTRICTED, SimulatorPod
from tests.zoomsim.scenario import read

NAME = "meetingbots-demo"
NAMESPACE = "acme"


class KindPlace:
    """The release and the customer's namespace."""

    namespace = NAMESPACE
    limit_seconds = 120.0

    def __init__(self, release: Release) -> None:
        self._release = release

    @property
    def api(self) -> Api:
        """Client as administrator."""
        return self._release.api

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl. Returns its output."""
        return self._release.cluster.kubectl(*arguments)

    def logs(self, pod: str, container: str) -> str:
        """The log of a container."""
        return self.kubectl("logs", pod, "-c", container, "-n", self.namespace)

    def webhook_url(self, client_id: str) -> str:
        """The receiver's Service."""
        return self._release.webhook_url(client_id)


class NoClusterError(Exception):
    """A kind cluster cannot run on this machine. The message says why, and what would help."""


@contextmanager
def _needed() -> Iterator[None]:
    try:
        yield
    except (ClusterError, ToolError) as error:
        raise NoClusterError(str(error)) from error


def run(narration: Narration, *, keep: bool) -> int:
    """Run the demo. Returns the exit code. With `keep` the cluster stays. Replaces the cluster of an earlier demo.

    Raises NoClusterError if this machine cannot run a kind cluster.
    """
    cluster = KindCluster(NAME)
    with _needed():
        engine = cluster.engine
    narration.step("Build the images: meetingbots, an example bot, a simulator of Zoom")
    images = build_images(engine=engine)
    simulator = build_simulator(images, engine=engine)
    for tag in (images.operator, images.example_bot, simulator):
        narration.say(tag)
    narration.step("Start a kind cluster with a real kubelet, and load the images")
    cluster.delete()
    try:
        with _needed():
            cluster.create()
        for tag in (images.operator, images.example_bot, simulator):
            cluster.load(tag)
        name_as_in_examples(images.example_bot, cluster=cluster)
        narration.show("kubectl get nodes", cluster.kubectl("get", "nodes"))
        code = _tell_there(narration, cluster, images, simulator)
    except BaseException:
        if not keep:
            cluster.delete()
        raise
    if keep:
        _explain(cluster)
    else:
        cluster.delete()
    return code


def _tell_there(narration: Narration, cluster: KindCluster, images: ProjectImages, simulator: str) -> int:
    narration.step("Start a simulated Zoom as a Pod, and install operator and receiver with Helm, two replicas each")
    with SimulatorPod(cluster, image=simulator) as pod:
        pod.zoom.load(read(Path(__file__).parent / "scenario.yaml"))
        release = Release(cluster, images=images, zoom_url=pod.zoom.base_url)
        release.install({"tokenEndpoint": {"enabled": True}})
        narration.say(f"helm install {release.name} charts/meetingbots --namespace {release.system} --wait")
        narration.show(f"kubectl get pods -n {release.system}", cluster.kubectl("get", "pods", "-n", release.system))
        narration.say(f"Pod Security restricted in {release.system}, {ZOOM} and {NAMESPACE}, the customer's namespace")
        place = KindPlace(release)
        place.api.create(core_path("namespaces"), {"metadata": {"name": NAMESPACE, "labels": RESTRICTED}})
        account = core_path("serviceaccounts", namespace=NAMESPACE, name="default")
        wait_until(lambda: place.api.get(account) is not None, what=f"the account of namespace {NAMESPACE}")
        release.wait_reachable(pod.zoom)
        Story(narration=narration, place=place, zoom=pod.zoom).tell()
        return narration.close()


def _explain(cluster: KindCluster) -> None:
    sys.stdout.write(
        f"\nStill running. To look around:\n"
        f"  export KUBECONFIG={cluster.kubeconfig()}\n"
        f'  export PATH="{cluster.tools}:{ensure_binaries(programs=HELM)}:$PATH"   # kind, kubectl, helm\n'
        f"  kubectl get zcred,mmap,mbot,pods -n {NAMESPACE}\n"
        f"Load an image of your own: .venv/bin/python -m tests.kind load IMAGE --name {NAME}\n"
        f"Delete the cluster: make kind-stop KIND_NAME={NAME}\n"
    )
    sys.stdout.flush()

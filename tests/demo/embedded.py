"""The demo on the embedded control plane. Pods, operator and receiver run as local processes."""

import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.api import Api
from tests.cluster.binaries import ensure_binaries
from tests.cluster.controlplane import ControlPlane
from tests.cluster.crds import crd_files, load_crds
from tests.cluster.kubelet import KubeletDouble
from tests.demo.narration import Narration
from tests.demo.place import ROOT
from tests.demo.programs import needed
from tests.demo.story import Story
from tests.stack.stack import Stack
from tests.zoomsim.client import SimClient
from tests.zoomsim.scenario import read
from tests.zoomsim.server import serving_in_thread

SYSTEM_NAMESPACE = "meetingbots-system"


@dataclass(frozen=True, kw_only=True)
class EmbeddedPlace:
    """The control plane, its node and the two processes."""

    cluster: ControlPlane
    kubelet: KubeletDouble
    stack: Stack
    namespace: str = "default"
    limit_seconds: float = 40

    @property
    def api(self) -> Api:
        """Client as administrator."""
        return self.cluster.api

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl. Returns its output."""
        return self.cluster.kubectl(*arguments)

    def logs(self, pod: str, container: str) -> str:
        """The log of a container."""
        return self.kubelet.logs(self.namespace, pod, container)

    def webhook_url(self, client_id: str) -> str:
        """The receiver's own address."""
        return self.stack.webhook_url(client_id)


def run(narration: Narration, *, keep: bool) -> int:
    """Run the demo. Returns the exit code. With `keep` everything runs until Ctrl-C, and controllers clean up."""
    narration.step("Start a Kubernetes control plane, a node that runs Pods as local processes, and a simulated Zoom")
    binaries = ensure_binaries(programs=needed(keep=keep))
    with (
        serving_in_thread() as zoom,
        ControlPlane(binaries=binaries, crds=load_crds(crd_files(ROOT / "crds")), controllers=keep) as cluster,
        KubeletDouble(cluster.kubeconfig("kubelet")) as kubelet,
        _installed(cluster, zoom, narration) as stack,
    ):
        place = EmbeddedPlace(cluster=cluster, kubelet=kubelet, stack=stack)
        Story(narration=narration, place=place, zoom=zoom).tell()
        code = narration.close()
        if keep:
            _wait_for_the_reader(cluster, zoom, stack)
    return code


@contextlib.contextmanager
def _installed(cluster: ControlPlane, zoom: SimClient, narration: Narration) -> Iterator[Stack]:
    """Operator and receiver as local processes, each with the rights of its own ServiceAccount."""
    narration.say(f"API server {cluster.server}, Zoom {zoom.base_url}")
    zoom.load(read(Path(__file__).parent / "scenario.yaml"))
    narration.step("Start operator and receiver, each with the rights of its own ServiceAccount")
    with Stack(cluster, zoom_url=zoom.base_url, system=SYSTEM_NAMESPACE) as stack:
        narration.say("both are ready")
        yield stack


def _wait_for_the_reader(cluster: ControlPlane, zoom: SimClient, stack: Stack) -> None:
    """Print how to inspect the cluster, and wait for Ctrl-C."""
    sys.stdout.write(
        f"\nStill running. In another terminal:\n"
        f"  export KUBECONFIG={cluster.kubeconfig()}\n"
        f'  export PATH="{cluster.binaries}:$PATH"\n'
        f"  kubectl get zcred,mmap,mbot,pods\n"
        f"Zoom's simulator: {zoom.base_url}/sim, logs: {stack.folder}\n"
        f"Ctrl-C stops everything.\n"
    )
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)

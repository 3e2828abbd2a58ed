"""Runs the demo on the embedded control plane: `make demo`, or `make demo KEEP=1` to look around afterwards."""

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.cluster.binaries import ensure_binaries
from tests.cluster.controlplane import ControlPlane
from tests.cluster.crds import crd_files, load_crds
from tests.cluster.kubelet import KubeletDouble
from tests.demo.narration import Narration
from tests.demo.story import Story
from tests.stack.stack import Stack
from tests.zoomsim.client import SimClient
from tests.zoomsim.scenario import read
from tests.zoomsim.server import serving_in_thread

ROOT = Path(__file__).resolve().parents[2]
SYSTEM_NAMESPACE = "meetingbots-system"


def main() -> int:
    """Tell the story; the exit code is 0 only if all of it was so."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    keep = parser.parse_args().keep
    narration = Narration()
    narration.step("A Kubernetes control plane, a node that plays its Pods as local processes, and a simulated Zoom")
    binaries = ensure_binaries()
    with (
        serving_in_thread() as zoom,
        ControlPlane(binaries=binaries, crds=load_crds(crd_files(ROOT / "crds")), audit=True) as cluster,
        KubeletDouble(cluster.kubeconfig("kubelet")) as kubelet,
        installed(cluster, zoom, narration) as stack,
    ):
        Story(narration=narration, cluster=cluster, kubelet=kubelet, zoom=zoom, stack=stack).tell()
        code = narration.close()
        if keep:
            wait_for_the_reader(cluster, zoom, stack)
    return code


@contextlib.contextmanager
def installed(cluster: ControlPlane, zoom: SimClient, narration: Narration) -> Iterator[Stack]:
    """Operator and receiver as real processes, each with its own ServiceAccount and no more than its rights."""
    narration.say(f"API server {cluster.server}, Zoom {zoom.base_url}")
    zoom.load(read(Path(__file__).parent / "scenario.yaml"))
    narration.step("Operator and receiver, each with its own ServiceAccount and rights")
    with Stack(cluster, zoom_url=zoom.base_url, system=SYSTEM_NAMESPACE) as stack:
        narration.say("both are ready")
        yield stack


def wait_for_the_reader(cluster: ControlPlane, zoom: SimClient, stack: Stack) -> None:
    """Print how to look at what is there, and stay until Ctrl-C."""
    sys.stdout.write(
        f"\nStill running. In another terminal:\n"
        f"  export KUBECONFIG={cluster.kubeconfig()}\n"
        f'  export PATH="{cluster.binaries}:$PATH"\n'
        f"  kubectl get zcred,mmap,mbot,pods\n"
        f"Zoom's simulator: {zoom.base_url}/sim, logs: {stack.folder}\n"
        f"Ctrl-C ends it all.\n"
    )
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    sys.exit(main())

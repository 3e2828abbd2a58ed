"""What the load stands on: a control plane, a simulated Zoom in a process of its own, operator and receiver."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.burst.wire import Wire
from tests.bench.burst.zoom import zoom_process
from tests.cluster.api import core_path
from tests.cluster.binaries import ensure_binaries
from tests.cluster.controlplane import ControlPlane
from tests.cluster.crds import crd_files, load_crds
from tests.cluster.warden import Warden
from tests.stack.stack import Stack
from tests.zoomsim.client import SimClient

ROOT = Path(__file__).resolve().parents[3]
NAMESPACE = "load"
GROUP = "/apis/meetingbots.dev/v1alpha1"
MAPPINGS = f"{GROUP}/namespaces/{NAMESPACE}/meetingmappings"
CREDENTIALS = f"{GROUP}/namespaces/{NAMESPACE}/zoomcredentials"


@dataclass(frozen=True)
class Harness:
    """Everything, running. `wire` is the bench's own session, `single` one with a single connection.

    `as_receiver` has the receiver's identity and rights, for the bare loop.
    """

    cluster: ControlPlane
    zoom: SimClient
    stack: Stack
    wire: Wire
    single: Wire
    as_receiver: Wire


@asynccontextmanager
async def harness() -> AsyncIterator[Harness]:
    """Start all of it, and end it."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="meetingbots-bench-")))
        warden = Warden()
        stack.callback(warden.close)
        zoom = stack.enter_context(zoom_process(folder, warden))
        zoom.settings(latency_seconds=0.0)
        crds = load_crds(crd_files(ROOT / "crds"))
        cluster = stack.enter_context(ControlPlane(binaries=ensure_binaries(), crds=crds))
        cluster.api.create(core_path("namespaces"), {"metadata": {"name": NAMESPACE}})
        running = stack.enter_context(
            Stack(cluster, zoom_url=zoom.base_url, system="meetingbots-system", folder=folder / "stack")
        )
        admin = cluster.kubeconfig("admin")
        receiver = cluster.service_account_kubeconfig("meetingbots-system", "receiver")
        async with Wire(admin) as wire, Wire(admin, connections=1) as single, Wire(receiver) as as_receiver:
            yield Harness(cluster, zoom, running, wire, single, as_receiver)

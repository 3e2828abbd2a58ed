"""Memory of the control plane's processes, read after a restart of the API server, and the bytes in etcd."""

import asyncio
from dataclasses import dataclass

from tests.bench.burst.usage import usage
from tests.bench.burst.wire import RefusedError, Wire
from tests.bench.load.harness import GROUP
from tests.bench.metrics import read_metrics
from tests.cluster.controlplane import ControlPlane

SETTLED_MIB = 4.0
"""Memory that grew less than this within `PAUSE_SECONDS` has settled."""
PAUSE_SECONDS = 5.0
MOST_PAUSES = 12
CACHED_LIMIT_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """MiB: resident memory; what of it is no garbage in the API server; the part of etcd's file that is in use."""

    apiserver: float
    apiserver_heap: float
    etcd: float
    etcd_used: float
    manager: float


async def after_restart(cluster: ControlPlane, wire: Wire) -> Footprint:
    """Restart the API server, which then lists everything, and read when its memory does not grow any more."""
    await asyncio.to_thread(cluster.restart_apiserver)
    for kind in ("zoomcredentials", "meetingmappings", "meetingbots"):
        await _cached(wire, f"{GROUP}/{kind}")
    last = usage(cluster.pid("kube-apiserver")).memory
    for _ in range(MOST_PAUSES):
        await asyncio.sleep(PAUSE_SECONDS)
        now = usage(cluster.pid("kube-apiserver")).memory
        if abs(now - last) < SETTLED_MIB:
            break
        last = now
    return Footprint(
        apiserver=usage(cluster.pid("kube-apiserver")).memory,
        apiserver_heap=await _heap(wire),
        etcd=usage(cluster.pid("etcd")).memory,
        etcd_used=await asyncio.to_thread(_etcd_used, cluster),
        manager=usage(cluster.pid("kube-controller-manager")).memory,
    )


async def _cached(wire: Wire, path: str) -> None:
    """Wait until the API server has all objects of a kind in memory; until then it refuses lists from there."""
    async with asyncio.timeout(CACHED_LIMIT_SECONDS):
        while True:
            try:
                await wire.send("GET", f"{path}?resourceVersion=0&fieldSelector=metadata.name=none")
            except RefusedError:
                await asyncio.sleep(1)
            else:
                return


async def _heap(wire: Wire) -> float:
    profile = (await wire.send("GET", "/debug/pprof/heap?gc=1&debug=1")).decode()
    _, _, rest = profile.partition("# HeapAlloc = ")
    return int(rest.partition("\n")[0]) / 2**20


def _etcd_used(cluster: ControlPlane) -> float:
    name = "etcd_mvcc_db_total_size_in_use_in_bytes"
    return sum(sample.value / 2**20 for sample in read_metrics(cluster.etcd_url) if sample.name == name)

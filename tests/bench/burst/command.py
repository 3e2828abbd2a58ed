"""The command of a bench with bursts: its size from the environment, a control plane and a Zoom."""

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from tests.bench.burst.run import Harness
from tests.bench.burst.size import Size
from tests.bench.burst.zoom import zoom_process
from tests.cluster.binaries import ensure_binaries
from tests.cluster.controlplane import ControlPlane
from tests.cluster.crds import crd_files, load_crds
from tests.cluster.warden import Warden

ROOT = Path(__file__).resolve().parents[3]


def say(*lines: str) -> None:
    """Print lines at once."""
    for line in lines:
        print(line, flush=True)


def run_bench(measure: Callable[[Harness], Coroutine[None, None, None]]) -> int:
    """Run `measure`; the exit code does not depend on the figures, which depend on the machine."""
    try:
        size = Size.from_environment()
    except ValueError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    warden = Warden()
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="meetingbots-bench-") as folder,
        ControlPlane(binaries=ensure_binaries(), crds=load_crds(crd_files(ROOT / "crds"))) as cluster,
        zoom_process(Path(folder), warden) as zoom,
    ):
        harness = Harness(cluster=cluster, zoom=zoom, folder=Path(folder), warden=warden, size=size, say=say)
        try:
            asyncio.run(measure(harness))
        finally:
            warden.close()
    say(f"took {time.monotonic() - began:.0f} s")
    return 0

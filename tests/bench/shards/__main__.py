"""Command: `python -m tests.bench.shards`: `BENCH_BOTS` bots over `BENCH_CREDENTIALS` credentials."""

import asyncio
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from tests.bench.burst.figures import spread
from tests.bench.burst.run import Burst, Ground, Life, operator
from tests.bench.burst.size import Size
from tests.bench.burst.zoom import zoom_process
from tests.cluster.binaries import ensure_binaries
from tests.cluster.controlplane import ControlPlane
from tests.cluster.crds import crd_files, load_crds
from tests.cluster.warden import Warden

ROOT = Path(__file__).resolve().parents[3]
SHARDS = ("east", "west")
MOST_SHARE = 0.55
"""Target: the share of the CPU that the busier one of two shards may use."""


def say(line: str) -> None:
    """Print one line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def cpu(life: Life) -> float:
    """CPU seconds for the whole life of the bots."""
    return life.ended.usage.cpu - life.before.usage.cpu


def say_usage(name: str, burst: Burst, life: Life) -> None:
    """Print what one operator did."""
    say(f"{name}: {len(burst.started)} bots, {cpu(life):.1f} s CPU, {life.ended.usage.memory:.0f} MiB at the end")
    say(f"{name}: joinAt to container started {spread(burst.started)}")


async def measure(ground: Ground) -> None:
    """Measure both."""
    size = ground.size
    say(f"machine: {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before the run")
    burst, whole = await operator(ground, credentials=size.credentials)
    say_usage("one operator", burst, whole)
    part = replace(ground, size=replace(size, bots=size.bots // 2))
    seen = await asyncio.gather(
        *(operator(part, credentials=max(1, size.credentials // 2), shard=shard) for shard in SHARDS)
    )
    for shard, (burst, life) in zip(SHARDS, seen, strict=True):
        say_usage(f"shard {shard}", burst, life)
    used = [cpu(life) for _, life in seen]
    share = max(used) / sum(used)
    met = "met" if share <= MOST_SHARE else "MISSED"
    say(f"share of the busier shard: {share:.2f} (target <= {MOST_SHARE}: {met})")
    say(f"CPU of both shards against one operator: {sum(used) / cpu(whole):.2f} times")


def main() -> int:
    """Run; the exit code does not depend on the figures, which depend on the machine."""
    try:
        size = Size.from_environment()
    except ValueError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    warden = Warden()
    with (
        tempfile.TemporaryDirectory(prefix="meetingbots-bench-") as folder,
        ControlPlane(binaries=ensure_binaries(), crds=load_crds(crd_files(ROOT / "crds"))) as cluster,
        zoom_process(Path(folder), warden) as zoom,
    ):
        ground = Ground(cluster=cluster, zoom=zoom, folder=Path(folder), warden=warden, size=size, say=say)
        try:
            asyncio.run(measure(ground))
        finally:
            warden.close()
    return 0


sys.exit(main())

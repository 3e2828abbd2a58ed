"""Command: `python -m tests.bench.burst`; the size is set by the environment (see `size`)."""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.burst import report, run
from tests.bench.burst.size import Size
from tests.bench.burst.zoom import zoom_process
from tests.cluster.binaries import ensure_binaries
from tests.cluster.controlplane import ControlPlane
from tests.cluster.crds import crd_files, load_crds
from tests.cluster.warden import Warden

ROOT = Path(__file__).resolve().parents[3]


def say(line: str) -> None:
    """Print one line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Run both bursts; the exit code does not depend on the figures, which depend on the machine."""
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
        ground = run.Ground(cluster=cluster, zoom=zoom, folder=Path(folder), warden=warden, size=size, say=say)
        try:
            asyncio.run(measure(ground))
        finally:
            warden.close()
    say(f"burst: took {time.monotonic() - began:.0f} s")
    return 0


async def measure(ground: run.Ground) -> None:
    """Measure what is wanted, and print it as it comes."""
    size = ground.size
    if size.only != "one":
        for _ in range(size.runs):
            say(f"== {size.bots} bots with one joinAt over {size.credentials} credentials")
            say(machine())
            floor = await run.floor(ground, credentials=size.credentials)
            say_all(*report.of_burst("bare loop", floor))
            burst, life = await run.operator(ground, credentials=size.credentials)
            say_all(*report.of_burst("operator ", burst), *report.of_life(life, bots=size.bots))
            say_all(report.of_ratio(burst, floor))
    if size.only != "many":
        say(f"== {size.bots} bots with one joinAt over one credential (Business plan, its whole share)")
        say(machine())
        burst, life = await run.operator(ground, credentials=1)
        say_all(*report.of_burst("operator ", burst), *report.of_life(life, bots=size.bots), report.of_limit(burst))


def machine() -> str:
    """What the figures were measured on: a load above the number of processors makes them those of the others."""
    return f"machine: {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} before the run"


def say_all(*lines: str) -> None:
    """Print lines."""
    for line in lines:
        say(line)


sys.exit(main())

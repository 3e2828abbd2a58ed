"""Command: `python -m tests.bench.stress`; `BENCH_STRESS_EVENTS` (20000) says how many events are sent."""

import os
import tempfile
from pathlib import Path

from tests.bench.load.lines import show
from tests.cluster.binaries import ensure_binaries
from tests.cluster.controlplane import ControlPlane
from tests.cluster.crds import crd_files, load_crds
from tests.stack.stress import stress
from tests.zoomsim.server import serving_in_thread

ROOT = Path(__file__).resolve().parents[3]


def main() -> None:
    """Send them, and print the counts."""
    events = int(os.environ.get("BENCH_STRESS_EVENTS") or 20_000)
    with (
        tempfile.TemporaryDirectory(prefix="meetingbots-bench-") as folder,
        ControlPlane(binaries=ensure_binaries(), crds=load_crds(crd_files(ROOT / "crds"))) as cluster,
        serving_in_thread() as zoom,
    ):
        outcome = stress(cluster, zoom, events=events, folder=Path(folder))
    show(name="stress: events sent", value=outcome.sent, unit="events")
    show(name="stress: tries again", value=outcome.tries - outcome.sent, unit="tries")
    show(name="stress: restarts and kills", value=outcome.breaks, unit="breaks")
    show(name="stress: events written", value=outcome.delivered, unit="events", target="all")
    show(name="stress: events that Zoom gave up", value=outcome.dropped, unit="events", target="0")
    show(name="stress: wrong, missing or needless mappings", value=len(outcome.wrong), unit="mappings", target="0")
    show(name="stress: time", value=outcome.seconds, unit="s")
    for sentence in outcome.wrong[:20]:
        print(f"  {sentence}")


if __name__ == "__main__":
    main()

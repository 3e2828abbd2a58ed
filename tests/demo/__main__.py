"""Runs the demo (`make demo`): on a kind cluster if this machine can run one, else on the embedded control plane.

`CLUSTER=kind` or `CLUSTER=embedded` choose one. `KEEP=1` leaves everything running.
"""

import argparse
import sys

from tests.chart.rendering import HelmError
from tests.cluster.programs import ToolError
from tests.cluster.service import ClusterError
from tests.demo import embedded, on_kind
from tests.demo.narration import Narration


def main() -> int:
    """Run the demo. Returns 0 only if all checks passed."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--cluster", choices=("auto", "kind", "embedded"), default="auto", help="where (CLUSTER=…)")
    parser.add_argument("--keep", action="store_true", help="leave everything running (KEEP=1)")
    wanted = parser.parse_args()
    try:
        return tell(Narration(), where=wanted.cluster, keep=wanted.keep)
    except (ClusterError, ToolError, HelmError, TimeoutError, on_kind.NoClusterError) as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def tell(narration: Narration, *, where: str, keep: bool) -> int:
    """Run the demo on that cluster. `auto` uses kind if this machine can run it, and otherwise says why not."""
    if where == "embedded":
        return embedded.tell(narration, keep=keep)
    try:
        return on_kind.tell(narration, keep=keep)
    except on_kind.NoClusterError as error:
        if where == "kind":
            raise
        narration.say(f"This machine cannot run a kind cluster, so the demo uses the embedded control plane. {error}")
        return embedded.tell(narration, keep=keep)


if __name__ == "__main__":
    sys.exit(main())

"""Runs the demo: `make demo`, on a kind cluster where this machine can have one, else on the embedded control plane.

`CLUSTER=kind` or `CLUSTER=embedded` choose one; with KEEP=1 everything stays up to look around afterwards.
"""

import argparse
import sys

from tests.chart.rendering import HelmError
from tests.cluster.programs import ToolError
from tests.cluster.service import ClusterError
from tests.demo import embedded, on_kind
from tests.demo.narration import Narration


def main() -> int:
    """Tell the story; the exit code is 0 only if all of it was so."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--cluster", choices=("auto", "kind", "embedded"), default="auto", help="where (CLUSTER=…)")
    parser.add_argument("--keep", action="store_true", help="leave everything running (KEEP=1)")
    wanted = parser.parse_args()
    try:
        return tell(Narration(), where=wanted.cluster, keep=wanted.keep)
    except (ClusterError, ToolError, HelmError, TimeoutError, on_kind.NoClusterError) as error:
        print(f"The demo could not be told: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def tell(narration: Narration, *, where: str, keep: bool) -> int:
    """Tell it there; `auto` takes the kind cluster if it can be had, and says why if not."""
    if where == "embedded":
        return embedded.tell(narration, keep=keep)
    try:
        return on_kind.tell(narration, keep=keep)
    except on_kind.NoClusterError as error:
        if where == "kind":
            raise
        narration.say(f"No kind cluster can be had here, so the embedded control plane tells the story. {error}")
        return embedded.tell(narration, keep=keep)


if __name__ == "__main__":
    sys.exit(main())

"""Runs the demo (`make demo`): on a kind cluster if its parts are ready, else on the embedded control plane.

`CLUSTER=kind` or `CLUSTER=embedded` choose one. `KEEP=1` leaves everything running.
"""

import argparse
import sys

from tests.chart.rendering import HelmError
from tests.cluster.programs import ToolError
from tests.cluster.service import ClusterError
from tests.demo import choice, embedded, on_kind
from tests.demo.narration import Narration


def main() -> int:
    """Run the demo. Returns 0 only if all checks passed."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--cluster", choices=("auto", "kind", "embedded"), default="auto", help="where (CLUSTER=…)")
    parser.add_argument("--keep", action="store_true", help="leave everything running (KEEP=1)")
    wanted = parser.parse_args()
    try:
        return run(Narration(), where=wanted.cluster, keep=wanted.keep)
    except (ClusterError, ToolError, HelmError, TimeoutError, on_kind.NoClusterError) as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def run(narration: Narration, *, where: str, keep: bool) -> int:
    """Run the demo on that cluster. `auto` chooses the quickest one, and says how to see the other."""
    if where == "kind":
        return on_kind.run(narration, keep=keep)
    if where == "embedded":
        return embedded.run(narration, keep=keep)
    chosen = choice.choose(choice.this_one())
    if chosen.where == "kind":
        try:
            return on_kind.run(narration, keep=keep)
        except on_kind.NoClusterError as error:
            narration.say(f"This machine cannot run a kind cluster, so the demo uses the embedded one. {error}")
    else:
        narration.say(f"The demo uses the embedded control plane, the quickest way here: {chosen.reason}.")
    code = embedded.run(narration, keep=keep)
    narration.say(
        f"To see the same with real Pods: make demo CLUSTER=kind (about {chosen.kind_minutes} minutes the first time)."
    )
    return code


if __name__ == "__main__":
    sys.exit(main())

"""Runs the demo: `make demo`, `make demo CLUSTER=kind`, and with KEEP=1 to look around afterwards."""

import argparse
import sys

from tests.chart.rendering import HelmError
from tests.cluster.programs import ToolError
from tests.cluster.service import ClusterError
from tests.demo import embedded, on_kind
from tests.demo.narration import Narration

PLACES = {"embedded": embedded.tell, "kind": on_kind.tell}


def main() -> int:
    """Tell the story; the exit code is 0 only if all of it was so."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--cluster", choices=PLACES, default="embedded", help="where (CLUSTER=…)")
    parser.add_argument("--keep", action="store_true", help="leave everything running (KEEP=1)")
    wanted = parser.parse_args()
    try:
        return PLACES[wanted.cluster](Narration(), keep=wanted.keep)
    except (ClusterError, ToolError, HelmError, TimeoutError) as error:
        print(f"The demo could not be told: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())

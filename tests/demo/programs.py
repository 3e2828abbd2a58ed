"""Builds the programs of the embedded demo while the virtual environment is installed. Needs the standard library only.

The demo waits for a build that is under way. What fails here fails again in the demo, which says why.
"""

import os
import signal
import sys
from collections.abc import Callable, Mapping

from tests.cluster.binaries import ensure_binaries
from tests.cluster.programs import PROGRAMS, ToolError, cache_folder
from tests.demo.choice import Machine, are_there, choose, this_one


def prepare(where: str, *, machine: Machine, environ: Mapping[str, str], build: Callable[[], object]) -> None:
    """Build what is missing if the demo will use the embedded cluster. `auto` chooses as the demo does."""
    if where == "auto":
        where = choose(machine).where
    if where == "embedded" and not are_there(PROGRAMS, cache=cache_folder(environ=environ), environ=environ):
        build()


if __name__ == "__main__":
    # A shell starts background commands with SIGINT ignored; Ctrl-C must end the build, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        prepare(sys.argv[1], machine=this_one(), environ=os.environ, build=ensure_binaries)
    except ToolError:
        sys.exit(1)

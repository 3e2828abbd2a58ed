"""Builds the programs of the embedded demo while the virtual environment is installed. Needs the standard library only.

The demo waits for a build that is under way. What fails here fails again in the demo, which says why.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping

from tests.cluster.binaries import ensure_binaries
from tests.cluster.programs import PROGRAMS, WITHOUT_CONTROLLERS, Program, ToolError, cache_folder
from tests.demo.choice import Machine, are_there, choose, this_one


def needed(*, keep: bool) -> tuple[Program, ...]:
    """The programs of the embedded demo: the story deletes nothing, so it needs no controllers."""
    return PROGRAMS if keep else WITHOUT_CONTROLLERS


def prepare(
    where: str, *, keep: bool, machine: Machine, environ: Mapping[str, str], build: Callable[[], object]
) -> None:
    """Build what is missing if the demo will use the embedded cluster. `auto` chooses as the demo does."""
    if where == "auto":
        where = choose(machine).where
    cache = cache_folder(environ=environ)
    if where == "embedded" and not are_there(needed(keep=keep), cache=cache, environ=environ):
        build()


def main() -> int:
    """Prepare what the arguments name. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("where", choices=("auto", "kind", "embedded"))
    parser.add_argument("--keep", action="store_true")
    wanted = parser.parse_args()

    def build() -> object:
        return ensure_binaries(programs=needed(keep=wanted.keep))

    try:
        prepare(wanted.where, keep=wanted.keep, machine=this_one(), environ=os.environ, build=build)
    except ToolError:
        return 1
    return 0


if __name__ == "__main__":
    # A shell starts background commands with SIGINT ignored; Ctrl-C must end the build, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())

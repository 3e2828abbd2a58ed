#!/usr/bin/env python3
"""Runs the kubectl plugin from the packages beside this file."""

import sys
from pathlib import Path

OLDEST = (3, 11)
LIB = Path(__file__).resolve().parent / "lib"


def main() -> int:
    """Add the packages of this Python to the path and run the plugin."""
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    if sys.version_info < OLDEST or not (LIB / python).is_dir():
        known = ", ".join(sorted(folder.name[2:3] + "." + folder.name[3:] for folder in LIB.glob("cp*")))
        print(f"kubectl meetingbots needs Python {known}; python3 is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(LIB / python), str(LIB / "all")]
    from meetingbots.plugin.cli import main as plugin

    return plugin()


if __name__ == "__main__":
    sys.exit(main())

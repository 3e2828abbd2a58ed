"""`python -m tests.soak.stepped ...`: the command `meetingbots` with a wall clock that a file sets ahead or back."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from meetingbots.cli import main
from meetingbots.process import assembly
from meetingbots.receiver import process as receiver_process

CLOCK: str = "SOAK_CLOCK"
"""Names the file with the seconds that the clock is ahead."""


def _now() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=float(Path(os.environ[CLOCK]).read_text()))


if __name__ == "__main__":
    for module in (assembly, receiver_process):
        vars(module)["_now"] = _now
    sys.exit(main())

"""Ends the test cluster's processes when the process that started them is gone, however it went.

Run as a small process of its own. It reads lines from its standard input: `+PID` to look after a process group, `-PID`
to forget it. When the input ends, because its owner closed it or was killed, every group still known gets SIGTERM, and
SIGKILL two seconds later. A pipe does this on Linux and macOS alike; prctl's death signal is Linux only, and follows
the thread that started the child rather than the process.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

GRACE_SECONDS = 2.0


class Warden:
    """The owner's side: tells the warden process whom to look after."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, pid: int) -> None:
        """Look after the process group `pid` from now on."""
        self._tell(f"+{pid}\n")

    def forget(self, pid: int) -> None:
        """The process group `pid` has ended; its number may soon be somebody else's."""
        self._tell(f"-{pid}\n")

    def close(self) -> None:
        """End what is still looked after, and the warden."""
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


def keep_watch(lines: IO[str]) -> None:
    """The warden's side: read until the owner is gone, then end what is left."""
    groups: set[int] = set()
    for line in lines:
        pid = int(line[1:])
        if line[0] == "+":
            groups.add(pid)
        else:
            groups.discard(pid)
    left = {pid for pid in groups if _signal(pid, signal.SIGTERM)}
    deadline = time.monotonic() + GRACE_SECONDS
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = {pid for pid in left if _signal(pid, 0)}
    for pid in left:
        _signal(pid, signal.SIGKILL)


def _signal(pid: int, number: int) -> bool:
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    # The terminal's Ctrl-C is for the owner, who stops things in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_watch(sys.stdin)

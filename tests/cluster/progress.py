"""Runs a long command, with progress lines on stderr."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

_BAR: Final = 24


@dataclass(frozen=True, kw_only=True)
class Finished:
    """How a command ended: exit code (None: it was stopped at its time limit) and what it printed."""

    code: int | None
    output: str
    errors: str


def say(message: str) -> None:
    """Print a progress line; stdout is left to the result."""
    print(f"tools: {message}", file=sys.stderr, flush=True)


def run_with_progress(
    command: Sequence[str],
    *,
    label: str,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    limit_seconds: float | None = None,
    expected_seconds: float | None = None,
    every_seconds: float = 15,
) -> Finished:
    """Run `command`; print `label` and the elapsed time every `every_seconds`.

    With `expected_seconds`, the line has a bar; on a terminal, it is redrawn each second.

    The command has a process group of its own, ended when the time limit passes or this process is interrupted.
    """
    progress = Progress(label=label, expected_seconds=expected_seconds)
    with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        process = subprocess.Popen(
            command, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
        try:
            code = _wait(process, progress=progress, limit=limit_seconds, every=every_seconds)
        finally:
            progress.end()
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return Finished(code=code, output=_all(out), errors=_all(err))


class Progress:
    """Progress lines of one command; on a terminal, a line with a bar is redrawn in place."""

    def __init__(self, *, label: str, expected_seconds: float | None = None) -> None:
        self._label = label
        self._expected = expected_seconds
        self._started = time.monotonic()
        self._drawn = False
        self.redraws = expected_seconds is not None and sys.stderr.isatty()

    def show(self) -> None:
        """Print the line for this moment."""
        line = progress_line(self._label, elapsed=time.monotonic() - self._started, expected=self._expected)
        if not self.redraws:
            say(line)
            return
        sys.stderr.write(f"\r\033[Ktools: {line}")
        sys.stderr.flush()
        self._drawn = True

    def end(self) -> None:
        """Leave the line that was redrawn."""
        if self._drawn:
            sys.stderr.write("\n")


def progress_line(label: str, *, elapsed: float, expected: float | None) -> str:
    """Label and elapsed seconds; with an estimate, a bar that never quite fills."""
    if expected is None:
        return f"{label}: {elapsed:.0f} s"
    done = min(int(_BAR * elapsed / expected), _BAR - 1)
    return f"{label}: {'█' * done}{'░' * (_BAR - done)} {elapsed:.0f} s of about {expected:.0f} s"


def _wait(process: subprocess.Popen[bytes], *, progress: Progress, limit: float | None, every: float) -> int | None:
    deadline = None if limit is None else time.monotonic() + limit
    every = min(every, 1.0) if progress.redraws else every
    while True:
        pause = every if deadline is None else min(every, max(0.0, deadline - time.monotonic()))
        try:
            return process.wait(timeout=pause)
        except subprocess.TimeoutExpired:
            if deadline is not None and time.monotonic() >= deadline:
                return None
            progress.show()


def _all(file: IO[str]) -> str:
    file.seek(0)
    return file.read()

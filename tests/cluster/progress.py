"""Runs a long command and says on stderr, every few seconds, that it is still at it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO


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
    every_seconds: float = 15,
) -> Finished:
    """Run `command`, saying `label` and the elapsed time every `every_seconds`.

    The command has a process group of its own, ended when the time limit passes or this process is interrupted.
    """
    started = time.monotonic()
    with TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        process = subprocess.Popen(
            command, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
        try:
            code = _wait(process, label=label, started=started, limit=limit_seconds, every=every_seconds)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return Finished(code=code, output=_all(out), errors=_all(err))


def _wait(
    process: subprocess.Popen[bytes], *, label: str, started: float, limit: float | None, every: float
) -> int | None:
    deadline = None if limit is None else started + limit
    while True:
        pause = every if deadline is None else min(every, max(0.0, deadline - time.monotonic()))
        try:
            return process.wait(timeout=pause)
        except subprocess.TimeoutExpired:
            if deadline is not None and time.monotonic() >= deadline:
                return None
            say(f"{label}: {time.monotonic() - started:.0f} s")


def _all(file: IO[str]) -> str:
    file.seek(0)
    return file.read()

"""One long-running program of the control plane: started with a log file, waited for, stopped by its pid."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.cluster.warden import Warden

LOG_TAIL_LINES = 25


class ClusterError(Exception):
    """The test cluster did not do what it should; the message has the tail of the log where there is one."""


class Service:
    """A program that can be started, stopped and started again with the same command."""

    def __init__(self, command: Sequence[str], *, log: Path, warden: Warden) -> None:
        self.command = list(command)
        self.log = log
        self._warden = warden
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """Program's file name."""
        return Path(self.command[0]).name

    @property
    def pid(self) -> int:
        """Number of the process; ClusterError if it does not run."""
        if self._process is None:
            raise ClusterError(f"{self.name} does not run")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """Exit code of a process that ended by itself; None before that."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start the process; its output is appended to the log."""
        if self.running:
            raise ClusterError(f"{self.name} runs already")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal must not end it before its turn
            )
        self._warden.watch(self._process.pid)

    def wait_ready(self, probe: Callable[[], bool], *, limit_seconds: float = 60) -> None:
        """Wait until `probe` says yes; ClusterError with the log's tail if the process ends or the limit passes."""
        deadline = time.monotonic() + limit_seconds
        while not probe():
            if not self.running:
                code = self._process.returncode if self._process else None
                raise ClusterError(f"{self.name} ended with exit code {code} at its start.\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ClusterError(f"{self.name} was not ready within {limit_seconds:.0f} s.\n{self.tail()}")
            time.sleep(0.02)

    def terminate(self) -> None:
        """Ask the process to end (SIGTERM), without waiting."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once (SIGKILL), as a crash would, without waiting."""
        self._signal(signal.SIGKILL)

    def wait_stopped(self, *, limit_seconds: float = 10) -> None:
        """Wait until the process is gone; after the limit it is killed."""
        process = self._process
        if process is None:
            return
        try:
            process.wait(timeout=limit_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            process.wait()
        self._warden.forget(process.pid)
        self._process = None

    def tail(self) -> str:
        """Last lines of the log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.is_file() else []
        return "\n".join([f"End of {self.log}:", *lines[-LOG_TAIL_LINES:]])

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

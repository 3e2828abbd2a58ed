"""Child processes that die by themselves, or on request."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

_PRELOADED = [f"tests.integration.killpoints.{name}" for name in ("process", "operator")]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How it ended (-9: killed) and the calls that it began, in words."""

    exit_code: int | None
    calls: tuple[str, ...]


class Forked:
    """A process that runs `main(*arguments)`; forked from a server that has everything loaded, it takes no second."""

    def __init__(self, main: Callable[..., None], *arguments: Any, trace: Path) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(_PRELOADED)
        trace.unlink(missing_ok=True)
        self._trace = trace
        self._process: BaseProcess = context.Process(target=main, args=arguments, daemon=True)
        self._process.start()

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process.is_alive()

    @property
    def pid(self) -> int:
        """Number of the process."""
        pid = self._process.pid
        assert pid is not None, "it has been started"
        return pid

    def ask_to_end(self) -> None:
        """Send SIGTERM."""
        self._process.terminate()

    def wait(self, *, seconds: float) -> Outcome:
        """Its end, which comes at the latest then."""
        self._process.join(seconds)
        calls = self._trace.read_text().splitlines() if self._trace.is_file() else []
        outcome = Outcome(exit_code=self._process.exitcode, calls=tuple(calls))
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        return outcome

"""Runs the kubectl plugin as kubectl does: as a program of its own, with a kubeconfig."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

# What the console script kubectl-meetingbots runs.
_PROGRAM = "from meetingbots.plugin.cli import main; raise SystemExit(main())"


class Plugin:
    """`plugin("why", "notes")` returns what is printed; `code` and `errors` are the last exit code and stderr."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self._environ = {**os.environ, "KUBECONFIG": str(kubeconfig)}
        self._namespace = namespace
        self.code = 0
        self.errors = ""

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, *arguments, "--namespace", self._namespace],
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        self.code, self.errors = done.returncode, done.stderr
        return done.stdout

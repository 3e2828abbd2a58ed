"""The engines that GitOps tools judge objects with: kstatus, Flux's expressions, Argo CD's Lua.

They are asked through one program of ours (`tests/tools/gitops-health`), which is built from the Go modules of those
tools and kept by version. Run as a program this module builds it, which takes a minute or two once.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.binaries import ensure_binaries
from tests.cluster.programs import Program, ToolError
from tests.cluster.progress import say

ENGINES = Program(
    name="gitops-health",
    module="gitops-health",
    requires="github.com/fluxcd/pkg/runtime",
    package="meetingbots.dev/tests/tools/gitops-health",
    own=True,
)


@dataclass(frozen=True, kw_only=True)
class Reported:
    """One engine's verdict: its own word for the status, and words for people; or the error of an expression."""

    status: str = ""
    message: str = ""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Health:
    """What the three engines say of one object; None where the tool is not configured for its kind."""

    kstatus: Reported
    flux: Reported | None
    argo: Reported | None


@dataclass(frozen=True, kw_only=True)
class Engines:
    """The engines with a configuration: entries of Flux's healthCheckExprs, and Argo CD's scripts by GROUP_KIND."""

    program: Path
    flux: Sequence[Mapping[str, str]] = ()
    argo: Mapping[str, str]

    def judge(self, objects: Sequence[Mapping[str, Any]]) -> list[Health]:
        """Ask all engines about objects as the API server gives them; AssertionError if the question is refused."""
        reported = _ask(self.program, flux=list(self.flux), argo=dict(self.argo), objects=list(objects))
        return [
            Health(kstatus=Reported(**one["kstatus"]), flux=_reported(one["flux"]), argo=_reported(one["argo"]))
            for one in reported["objects"]
        ]


def problems(program: Path, manifests: Sequence[Mapping[str, Any]]) -> list[str]:
    """What Flux's own types do not take of each manifest; empty where there is nothing, and for kinds of others."""
    reported: list[str] = _ask(program, manifests=list(manifests))["manifests"]
    return reported


def _ask(program: Path, **asked: object) -> dict[str, Any]:
    done = subprocess.run([program], input=json.dumps(asked), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout)
    return answers


def _reported(answer: dict[str, str] | None) -> Reported | None:
    return None if answer is None else Reported(**answer)


def program() -> Path:
    """Path of the program that has the engines; built if need be. ToolError if it cannot be."""
    return ensure_binaries(programs=[ENGINES]) / ENGINES.name


def main() -> int:
    """Make the program ready; on failure the reason on stderr and exit code 1."""
    try:
        program()
    except ToolError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

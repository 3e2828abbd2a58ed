"""Checks the workflows of GitHub Actions with actionlint (`make workflows`); it is built once, in under a minute."""

import subprocess
import sys
from pathlib import Path

from tests.cluster.binaries import ensure_binaries
from tests.cluster.programs import Program, ToolError
from tests.cluster.progress import say

ROOT = Path(__file__).resolve().parents[2]
ACTIONLINT = Program(
    name="actionlint",
    module="actionlint",
    requires="github.com/rhysd/actionlint",
    package="github.com/rhysd/actionlint/cmd/actionlint",
    on_path=True,
)


def main() -> int:
    """Return actionlint's exit code; 1 where it cannot be built."""
    try:
        program = ensure_binaries(programs=(ACTIONLINT,)) / ACTIONLINT.name
    except ToolError as error:
        say(str(error))
        return 1
    files = sorted(str(path) for path in (ROOT / ".github" / "workflows").glob("*.yaml"))
    # shellcheck and pyflakes differ between machines.
    return subprocess.run([program, "-shellcheck=", "-pyflakes=", *files], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

"""Files of Go modules as they were published: manifests that tests take from there, at the versions pinned here."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.cluster.programs import TOOLS, ToolError, required_version


def module_folders(pinned_in: str, names: Iterable[str], *, what: str) -> dict[str, Path]:
    """Folder of each module `names`, downloaded if need be, in the version that `tests/tools/<pinned_in>` requires.

    ToolError without Go; `what` says in it what is wanted.
    """
    go = shutil.which("go")
    if go is None:
        raise ToolError(f"{what} come from Go modules, which needs Go (https://go.dev/dl)")
    module = TOOLS / pinned_in
    wanted = [f"{name}@{required_version(go_mod=module / 'go.mod', module=name)}" for name in names]
    done = subprocess.run(
        [go, "mod", "download", "-json", *wanted],
        cwd=module,
        env={**os.environ, "GOWORK": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ToolError(f"go mod download of {', '.join(wanted)} failed: {done.stderr or done.stdout}")
    folders = {}
    rest = done.stdout.strip()
    while rest:
        found, end = json.JSONDecoder().raw_decode(rest)
        folders[found["Path"]] = Path(found["Dir"])
        rest = rest[end:].strip()
    return folders

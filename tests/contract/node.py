"""Node.js and the npm packages of this folder. As a program it installs them: `python -m tests.contract.node`.

The packages go into the cache of this project, in a folder named by the lock file, so that a second run installs
nothing. Zoom's licence does not allow to copy its types, so no file of the package is in this repository.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.cluster.programs import cache_folder

HERE = Path(__file__).parent
UNAVAILABLE = 3


class NodeUnavailableError(Exception):
    """Node.js or npm is missing, or npm cannot get the packages; the text has the reason."""


def node_program() -> str:
    """Get the path of node."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        raise NodeUnavailableError("Node.js with npm is needed (Debian: apt-get install nodejs npm)")
    return node


def installed_packages() -> Path:
    """Install the packages of the lock file if they are missing, and return their `node_modules`."""
    node_program()
    name = hashlib.sha256((HERE / "package-lock.json").read_bytes()).hexdigest()[:16]
    folder = cache_folder() / "contract" / name
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for file in ("package.json", "package-lock.json"):
            shutil.copy(HERE / file, folder)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NodeUnavailableError(f"npm ci failed: {done.stderr.strip()[-500:]}")
        (folder / "complete").touch()
    return folder / "node_modules"


def node_environment(**more: str) -> dict[str, str]:
    """Make the environment of a node process that finds the packages."""
    return {**os.environ, "NODE_PATH": str(installed_packages()), **more}


def main() -> int:
    """Install; without Node.js the reason goes to standard output, and the exit code is 3."""
    try:
        installed_packages()
    except NodeUnavailableError as error:
        print(error)
        return UNAVAILABLE
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Fetches the wheels of an image beforehand, on this machine, so that the build itself needs no network.

Whatever way this machine has to the Python package index (an index, certificates, a proxy of its own) is pip's to know;
nothing of it gets into the image.
"""

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkdtemp

from tests.cluster.programs import ToolError
from tests.cluster.progress import run_with_progress
from tests.kind.engine import Engine

OLDEST_GLIBC = 5  # 2.5, of the first manylinux
PROBE = """
import json, os, platform, sys
glibc = os.confstr("CS_GNU_LIBC_VERSION").split()[-1]
print(json.dumps({"python": sys.version_info[:2], "machine": platform.machine(), "glibc": int(glibc.split(".")[1])}))
"""


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """The Python of a base image: its version (3, 13), the machine (x86_64) and glibc's minor version (36 for 2.36)."""

    python: tuple[int, int]
    machine: str
    glibc: int

    @classmethod
    def of(cls, image: str, *, engine: Engine) -> "Interpreter":
        """Ask the Python in `image`."""
        answer = json.loads(engine.run("run", "--rm", "--network", "none", image, "python3", "-c", PROBE))
        return cls(python=(answer["python"][0], answer["python"][1]), machine=answer["machine"], glibc=answer["glibc"])

    def pip_options(self) -> list[str]:
        """Options of pip for wheels of this interpreter: all platforms that its glibc can run."""
        major, minor = self.python
        platforms = [f"manylinux_2_{each}_{self.machine}" for each in range(self.glibc, OLDEST_GLIBC - 1, -1)]
        options = ["--only-binary=:all:", "--implementation", "cp", "--python-version", f"{major}.{minor}"]
        options += [f"--abi={abi}" for abi in (f"cp{major}{minor}", "abi3", "none")]
        return options + [f"--platform={each}" for each in (*platforms, f"manylinux2014_{self.machine}")]


def wheels_key(locks: Iterable[Path], *, interpreter: Interpreter) -> str:
    """Word that changes with the locks and the interpreter."""
    parts = [json.dumps(asdict(interpreter)), *(lock.read_text() for lock in locks)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def ensure_wheels(locks: Sequence[Path], *, interpreter: Interpreter, cache: Path) -> Path:
    """Folder with the wheels of all `locks`, checked against their hashes; fetched if it is not there yet."""
    folder = cache / f"wheels-{wheels_key(locks, interpreter=interpreter)}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    temporary = Path(mkdtemp(prefix=".wheels-", dir=cache))
    try:
        for lock in locks:
            _download(lock, into=temporary, interpreter=interpreter)
        temporary.chmod(0o755)
        try:
            temporary.rename(folder)
        except OSError:  # another run was faster, with the same result
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _download(lock: Path, *, into: Path, interpreter: Interpreter) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", *interpreter.pip_options(), "-d", str(into), "-r", str(lock)]
    done = run_with_progress(command, label=f"fetching the wheels of {lock.name}", environ=dict(os.environ))
    if done.code != 0:
        raise ToolError(f"the wheels of {lock.name} could not be fetched:\n{done.errors[-2000:]}")

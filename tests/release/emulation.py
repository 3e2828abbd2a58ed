"""Emulation of other architectures by the kernel (binfmt_misc) with Debian's qemu-user-static."""

import subprocess
from pathlib import Path

from tests.cluster.programs import ToolError
from tests.cluster.progress import say
from tests.kind.debian import System, ensure_packages

KERNEL_NAMES = {"amd64": "x86_64", "arm64": "aarch64"}
QEMU = {"/usr/bin/qemu-aarch64-static": "qemu-user-static", "arch-test": "arch-test"}
BINFMT = Path("/proc/sys/fs/binfmt_misc")


def can_run(architecture: str) -> bool:
    """Whether this machine runs programs of `architecture`; as root on Debian it is made so."""
    entry = BINFMT / f"qemu-{KERNEL_NAMES[architecture]}"
    if entry.exists():
        return True
    system = System.here()
    if not (system.root and system.debian):
        return False
    try:
        ensure_packages(QEMU, what_for=f"an image for {architecture}", system=system)
    except ToolError as error:
        say(str(error))
        return False
    if not (BINFMT / "register").exists():
        subprocess.run(["mount", "-t", "binfmt_misc", "binfmt_misc", str(BINFMT)], capture_output=True, check=False)
    try:
        if not entry.exists():
            (BINFMT / "register").write_text(Path(f"/usr/lib/binfmt.d/{entry.name}.conf").read_text())
    except OSError as error:
        say(f"the kernel refuses the emulation of {architecture}: {error}")
    return entry.exists()

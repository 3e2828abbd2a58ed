"""Installs Debian's packages that a kind cluster on podman needs, saying so; elsewhere says what is missing."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.programs import ToolError
from tests.cluster.progress import run_with_progress, say

# What shows that a package is there (a command, or a file) and the package.
PODMAN: Mapping[str, str] = {
    "podman": "podman",
    "runc": "runc",
    "iptables": "iptables",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
}
MMDEBSTRAP: Mapping[str, str] = {"mmdebstrap": "mmdebstrap"}


@dataclass(frozen=True, kw_only=True)
class System:
    """What kind of machine this is: the facts that decide how something missing can be had."""

    linux: bool
    debian: bool
    root: bool

    @classmethod
    def here(cls) -> "System":
        """Look at this machine."""
        linux = os.uname().sysname == "Linux"
        return cls(linux=linux, debian=linux and Path("/etc/debian_version").exists(), root=os.geteuid() == 0)


def missing_packages(needed: Mapping[str, str], *, there: Callable[[str], bool]) -> list[str]:
    """Packages of `needed` whose sign is not there."""
    return [package for sign, package in needed.items() if not there(sign)]


def is_there(sign: str) -> bool:
    """Whether a command or, for an absolute path, a file is there."""
    if sign.startswith("/"):
        return Path(sign).exists()
    # Root's programs are not on everybody's path.
    return shutil.which(sign, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin") is not None


def refusal(packages: list[str], *, what_for: str, system: System) -> str:
    """Why they are not installed by themselves, and what to do."""
    names = " ".join(packages)
    if not system.linux:
        return (
            f"{what_for} needs Docker here: https://docs.docker.com/get-docker (podman with our own node is for Linux)"
        )
    if system.debian:
        return f"{what_for} needs packages; please run: sudo apt-get install --no-install-recommends {names}"
    return f"{what_for} needs {', '.join(packages)}; please install them with your system's package manager, or Docker"


def ensure_packages(needed: Mapping[str, str], *, what_for: str, system: System) -> None:
    """Install what is missing as root on Debian; ToolError that says what to do elsewhere."""
    packages = missing_packages(needed, there=is_there)
    if not packages:
        return
    if not (system.debian and system.root):
        raise ToolError(refusal(packages, what_for=what_for, system=system))
    say(f"{what_for} needs Debian packages; installing them: {' '.join(packages)}")
    environ = dict(os.environ) | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages]
    for command in (["apt-get", "update", "-q"], install):
        done = run_with_progress(command, label=" ".join(command[:2]), environ=environ)
        if done.code != 0:
            raise ToolError(f"{' '.join(command)} failed:\n{done.errors[-2000:]}")

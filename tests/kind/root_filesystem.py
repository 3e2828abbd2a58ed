"""Root file systems made of Debian's packages by mmdebstrap, as images: bases where no image registry is reached."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.cluster.gobuild import only_one
from tests.cluster.programs import ToolError
from tests.cluster.progress import run_with_progress, say
from tests.kind.debian import MMDEBSTRAP, System, ensure_packages
from tests.kind.engine import Engine


@dataclass(frozen=True, kw_only=True)
class RootFilesystem:
    """Recipe of a root file system. `variant` is mmdebstrap's: essential has no apt, minbase does.

    `architecture` is Debian's name of it (arm64); empty for this machine's. Another one needs emulation.
    """

    name: str
    variant: str
    packages: tuple[str, ...]
    suite: str = "bookworm"
    architecture: str = ""

    @property
    def key(self) -> str:
        """Short word that changes with the recipe."""
        parts = (self.name, self.variant, self.packages, self.suite)
        return hashlib.sha256(repr((parts, OPTIONS)).encode()).hexdigest()[:12]

    @property
    def tag(self) -> str:
        """Name of the image."""
        suffix = f"-{self.architecture}" if self.architecture else ""
        return f"localhost/meetingbots-{self.name}:{self.key}{suffix}"


# Everything below /usr, as all newer systems have it; and no pages that nobody reads in a container.
OPTIONS = (
    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
    *(f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("man", "doc", "info", "locale")),
)
# What the published python:slim has, too, for images of Python programs.
PYTHON_BASE = RootFilesystem(
    name="python-base",
    variant="essential",
    packages=("usr-is-merged", "python3", "python3-venv", "ca-certificates"),
)
NODE_ROOT = RootFilesystem(
    name="node-root",
    variant="minbase",
    packages=(
        *("usr-is-merged", "systemd", "systemd-sysv", "dbus", "containerd", "runc", "containernetworking-plugins"),
        *("iptables", "nftables", "conntrack", "ethtool", "socat", "kmod", "procps", "iproute2", "mount"),
        *("util-linux", "ca-certificates", "curl", "jq", "hostname", "catatonit"),
    ),
)


def ensure_root_filesystem(root: RootFilesystem, *, engine: Engine, cache: Path, environ: Mapping[str, str]) -> str:
    """Tag of the image of `root`; it is made if the engine does not have it (under a minute)."""
    with only_one(cache / f".{root.name}", waiting=f"somebody else makes {root.tag}; waiting"):
        if engine.has_image(root.tag):
            return root.tag
        ensure_packages(MMDEBSTRAP, what_for="an image made of Debian's packages", system=System.here())
        say(f"making {root.tag} from Debian's packages (once)")
        with TemporaryDirectory(prefix=f".{root.name}-", dir=cache) as folder:
            archive = Path(folder) / "root.tar"
            _bootstrap(root, archive, environ=environ)
            engine.import_root(archive, tag=root.tag, architecture=root.architecture)
    return root.tag


def _bootstrap(root: RootFilesystem, archive: Path, *, environ: Mapping[str, str]) -> None:
    command = ["mmdebstrap", "--quiet", f"--variant={root.variant}", f"--include={','.join(root.packages)}"]
    command += [f"--architectures={root.architecture}"] if root.architecture else []
    command += [*OPTIONS, root.suite, str(archive)]
    done = run_with_progress(command, label=f"mmdebstrap of {root.name}", environ=environ)
    if done.code != 0:
        raise ToolError(f"mmdebstrap of {root.name} failed:\n{done.errors[-3000:]}")

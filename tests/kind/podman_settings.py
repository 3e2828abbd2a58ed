"""Settings for podman that let kind's nodes run on machines with few rights, in a file of the tests' own.

`CONTAINERS_CONF` points to it, so that the system's settings stay as they are.
"""

import json
import resource
from dataclasses import dataclass
from pathlib import Path

MOST = 1_048_576


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Most open files and processes that this machine may give to a container."""

    files: int
    processes: int

    @classmethod
    def here(cls) -> "Limits":
        """Take the hard limits of this process: raising them needs a right that root may lack.

        podman lowers its own limit of processes to the kernel's number of process ids.
        """
        processes = min(_hard_limit(resource.RLIMIT_NPROC), _process_ids())
        return cls(files=_hard_limit(resource.RLIMIT_NOFILE), processes=processes)

    @property
    def options(self) -> tuple[str, ...]:
        """The limits as podman writes them."""
        return f"nofile={self.files}:{self.files}", f"nproc={self.processes}:{self.processes}"

    @property
    def build_options(self) -> tuple[str, ...]:
        """For `podman build`, which does not look for limits in the file of settings."""
        return tuple(part for option in self.options for part in ("--ulimit", option))


def containers_conf(*, cgroup_v2: bool, runc: str, limits: Limits) -> str:
    """Text of the file: `limits` for each container, and no limit of processes in a node.

    On version 1 cgroups, and mixed ones, which crun does not run on, runc and plain cgroups are chosen.
    """
    lines = [
        "[containers]",
        f"default_ulimits = {json.dumps(limits.options)}",
        "pids_limit = 0",
    ]
    if not cgroup_v2:
        lines += ["", "[engine]", f'runtime = "{runc}"', 'cgroup_manager = "cgroupfs"']
    return "\n".join(lines) + "\n"


def write_settings(path: Path, *, cgroup_v2: bool, runc: str, limits: Limits) -> Path:
    """Write the file, if it is not there already; give its path."""
    text = containers_conf(cgroup_v2=cgroup_v2, runc=runc, limits=limits)
    if not path.is_file() or path.read_text() != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return path


def _hard_limit(which: int) -> int:
    hard = resource.getrlimit(which)[1]
    return MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)


def _process_ids() -> int:
    known = Path("/proc/sys/kernel/pid_max")
    return int(known.read_text()) if known.is_file() else MOST

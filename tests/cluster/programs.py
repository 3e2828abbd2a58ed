"""Which programs the test cluster is made of, their versions, and where on disk they are kept.

The versions are written once, in the `go.mod` files under `tests/tools/`; this module reads them from there. A program
more is one entry in its group (`PROGRAMS` is the embedded control plane's) and, in its module, one `tool` line.
"""

import hashlib
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent / "tools"


class ToolError(Exception):
    """A program of the test cluster cannot be had; the message says what to do about it."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program of the test cluster.

    `module` is the folder under `tests/tools/` whose go.mod pins it, `requires` the Go module there that its version is
    taken from, `package` the main package to build. `in_envtest` says whether setup-envtest's archives have it,
    `on_path` whether, without Go, the one that is installed on this machine will do, `own` whether its source is ours
    and stands in the module's folder.
    """

    name: str
    module: str
    requires: str
    package: str
    in_envtest: bool = False
    on_path: bool = False
    own: bool = False
    stamp_kubernetes_version: bool = False

    def version(self, *, tools: Path = TOOLS) -> str:
        """Version that the program's go.mod requires, such as `v1.34.4`; with a source of ours, its fingerprint too."""
        required = required_version(go_mod=tools / self.module / "go.mod", module=self.requires)
        return f"{required}-{source_fingerprint(tools / self.module)}" if self.own else required

    def ldflags(self, *, tools: Path = TOOLS) -> str:
        """Linker flags: no debug tables, and for Kubernetes its version, without which it calls itself v0.0.0."""
        flags = ["-s", "-w"]
        if self.stamp_kubernetes_version:
            version = self.version(tools=tools)
            major, minor = version.removeprefix("v").split(".")[:2]
            values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
            # The first is what programs answer when asked, the second what they send as their user agent.
            for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
                flags += [f"-X {package}.{name}={value}" for name, value in values.items()]
        return " ".join(flags)


def _kubernetes(name: str, *, in_envtest: bool = False) -> Program:
    return Program(
        name=name,
        module="kubernetes",
        requires="k8s.io/kubernetes",
        package=f"k8s.io/kubernetes/cmd/{name}",
        in_envtest=in_envtest,
        stamp_kubernetes_version=True,
    )


PROGRAMS: tuple[Program, ...] = (
    Program(
        name="etcd",
        module="etcd",
        requires="go.etcd.io/etcd/server/v3",
        package="go.etcd.io/etcd/server/v3",
        in_envtest=True,
    ),
    _kubernetes("kube-apiserver", in_envtest=True),
    _kubernetes("kube-controller-manager"),
    _kubernetes("kubectl", in_envtest=True),
)
# Enough where nothing is deleted with its owner.
WITHOUT_CONTROLLERS = tuple(program for program in PROGRAMS if program.name != "kube-controller-manager")
HELM: tuple[Program, ...] = (
    Program(name="helm", module="helm", requires="helm.sh/helm/v4", package="helm.sh/helm/v4/cmd/helm", on_path=True),
)
# What drives a kind cluster from outside.
KIND: tuple[Program, ...] = (
    Program(name="kind", module="kind", requires="sigs.k8s.io/kind", package="sigs.k8s.io/kind", on_path=True),
    replace(PROGRAMS[-1], on_path=True),
)
# What a node of our own is made of. They must be of one version, so none is taken from elsewhere.
NODE: tuple[Program, ...] = (
    *(replace(program, in_envtest=False) for program in PROGRAMS),
    *(_kubernetes(name) for name in ("kube-scheduler", "kube-proxy", "kubeadm", "kubelet")),
    Program(
        name="coredns",
        module="coredns",
        requires="github.com/coredns/coredns",
        package="github.com/coredns/coredns",
    ),
)
GROUPS: Mapping[str, tuple[Program, ...]] = {"embedded": PROGRAMS, "kind": KIND, "node": NODE, "helm": HELM}


def programs_of(groups: Sequence[str]) -> tuple[Program, ...]:
    """Programs of all `groups`, each once; ToolError for a group that there is not."""
    if unknown := [group for group in groups if group not in GROUPS]:
        raise ToolError(f"no group of programs is called {unknown[0]}; there are: {', '.join(GROUPS)}")
    return tuple({program.name: program for group in groups for program in GROUPS[group]}.values())


@dataclass(frozen=True, kw_only=True)
class Target:
    """The machine that programs are built for, in Go's names."""

    os: str
    arch: str

    def __str__(self) -> str:
        return f"{self.os}-{self.arch}"


def this_machine() -> Target:
    """Target of the machine that this Python runs on."""
    machine = platform.machine().lower()
    arch = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}.get(machine, machine)
    return Target(os=platform.system().lower(), arch=arch)


def cache_folder(*, environ: Mapping[str, str] = os.environ) -> Path:
    """Folder outside the checkout that keeps what was built, following the XDG base directory specification."""
    base = environ.get("XDG_CACHE_HOME", "")
    # The specification says to ignore relative paths.
    root = Path(base) if base.startswith("/") else Path.home() / ".cache"
    return root / "meetingbots"


def required_version(*, go_mod: Path, module: str) -> str:
    """Version of `module` in the `require` lines of a go.mod file; ToolError if it is not there."""
    found = re.search(rf"^(?:require)?\s+{re.escape(module)} (v\S+)", go_mod.read_text(), re.MULTILINE)
    if found is None:
        raise ToolError(f"{go_mod} does not require {module}")
    return found[1]


def source_fingerprint(folder: Path) -> str:
    """A short hash of a Go module's own files: of its source and of all versions that it is built with."""
    digest = hashlib.sha256()
    for file in sorted([*folder.glob("*.go"), *folder.glob("go.*")]):
        digest.update(f"{file.name} {file.stat().st_size}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()[:10]


def is_program(path: Path) -> bool:
    """Whether `path` is a file that can be run."""
    return path.is_file() and os.access(path, os.X_OK)

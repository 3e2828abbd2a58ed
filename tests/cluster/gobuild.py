"""Builds programs of the test cluster from the Go modules pinned under `tests/tools/`, into a cache by version."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from tempfile import mkdtemp

from tests.cluster.programs import TOOLS, Program, Target, ToolError, is_program
from tests.cluster.progress import run_with_progress, say

# Seconds of two cores for a build with empty caches; of Kubernetes for two programs, which share most packages.
BUILD_SECONDS: Mapping[str, float] = {"kubernetes": 230, "etcd": 50, "helm": 90, "kind": 30, "coredns": 90}
# Without debug tables, which the linker drops anyway, the compiler needs a seventh less.
COMPILE = ("-gcflags=all=-dwarf=0",)
# Generated code that no hot path runs: without inlining it compiles in a third less.
COMPILE_GENERATED: Mapping[str, tuple[str, ...]] = {
    "kubernetes": tuple(
        f"-gcflags={packages}=-dwarf=0 -l"
        for packages in (
            "k8s.io/client-go/applyconfigurations/...",
            "k8s.io/client-go/informers/...",
            "k8s.io/client-go/kubernetes/...",
            "k8s.io/client-go/listers/...",
            "k8s.io/kubernetes/pkg/generated/...",
            "github.com/google/gnostic-models/...",
        )
    ),
}
NEEDS_GO = "Go 1.26 or newer (https://go.dev/dl), or KUBEBUILDER_ASSETS pointing to a folder that has the programs"


def built_path(program: Program, *, cache: Path, target: Target, tools: Path = TOOLS) -> Path:
    """Where a built program is kept; the version in the path makes a new version a new build."""
    return cache / f"{program.name}-{program.version(tools=tools)}-{target}" / program.name


def build_missing(
    programs: Sequence[Program], *, cache: Path, target: Target, tools: Path = TOOLS, environ: Mapping[str, str]
) -> None:
    """Build those of `programs` that the cache lacks; ToolError if that fails.

    Two builds at once would do everything twice on the same cores, so the second waits for the first and takes what
    that built.
    """
    with only_one(cache / ".building", waiting="another build is under way; waiting for it"):
        missing = [p for p in programs if not is_program(built_path(p, cache=cache, target=target, tools=tools))]
        for module, group in groupby(sorted(missing, key=lambda p: p.module), key=lambda p: p.module):
            _build_module(module, list(group), cache=cache, target=target, tools=tools, environ=environ)


def go_environment(*, environ: Mapping[str, str], target: Target) -> dict[str, str]:
    """Environment of `go build`: for this machine, whatever GOOS, GOARCH, GOFLAGS=-mod or go.work the user has set."""
    kept = {name: value for name, value in environ.items() if name not in {"GOOS", "GOARCH", "GOBIN"}}
    return kept | {"GOOS": target.os, "GOARCH": target.arch, "CGO_ENABLED": "0", "GOWORK": "off"}


def _build_module(
    module: str, programs: list[Program], *, cache: Path, target: Target, tools: Path, environ: Mapping[str, str]
) -> None:
    go = shutil.which("go", path=environ.get("PATH"))
    names = ", ".join(program.name for program in programs)
    if go is None:
        raise ToolError(f"{names} must be built, which needs {NEEDS_GO}")
    version = programs[0].version(tools=tools)
    say(f"building {names} {version} with Go (once; minutes when Go's own cache is empty too)")
    # Beside its final place, so that the move is a rename within one file system: whole or not at all.
    out = Path(mkdtemp(prefix=".build-", dir=cache))
    try:
        command = [go, "build", "-mod=readonly", "-trimpath", *COMPILE, *COMPILE_GENERATED.get(module, ())]
        command += ["-ldflags", programs[0].ldflags(tools=tools)]
        command += ["-o", f"{out}{os.sep}", *(program.package for program in programs)]
        done = run_with_progress(
            command,
            label=f"building {names}",
            expected_seconds=expected_seconds(module, programs),
            cwd=tools / module,
            environ=go_environment(environ=environ, target=target),
        )
        if done.code != 0:
            raise ToolError(f"go build of {names} {version} failed ({NEEDS_GO}):\n{done.errors[-3000:]}")
        for program in programs:
            _move(_produced(program, out), to=built_path(program, cache=cache, target=target, tools=tools))
    finally:
        shutil.rmtree(out, ignore_errors=True)


def expected_seconds(module: str, programs: Sequence[Program]) -> float | None:
    """Estimate of a build on this machine; None where nothing is known."""
    seconds = BUILD_SECONDS.get(module)
    if seconds is None:
        return None
    more = max(0, len(programs) - 2) * 50 if module == "kubernetes" else 0
    return (seconds + more) * 2 / max(2, os.cpu_count() or 2)


def _produced(program: Program, out: Path) -> Path:
    # go names the file after the last element of the import path, leaving out a major version suffix.
    parts = [part for part in program.package.split("/") if not (part[:1] == "v" and part[1:].isdigit())]
    return out / parts[-1]


def _move(source: Path, *, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    source.replace(to)


@contextmanager
def only_one(lock: Path, *, waiting: str) -> Iterator[None]:
    """Hold an exclusive lock on the file `lock`, saying `waiting` once if somebody else has it."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(waiting)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield

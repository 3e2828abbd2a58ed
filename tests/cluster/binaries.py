"""Finds or makes the test cluster's programs and prints the one folder that has them all (`make -s tools`).

Arguments are names of groups of programs (`embedded`, `kind`, `node`, `helm`); without any, those of the embedded
control plane.

Sources, best first, for each program by itself:

1. the folder `KUBEBUILDER_ASSETS`, if set;
2. what an earlier run downloaded or built;
3. setup-envtest, where it may download;
4. where there is no Go, what is installed on this machine, if its version does not matter much;
5. a build from the Go modules pinned under `tests/tools/`.

The result is a folder of symbolic links in the cache. Progress goes to stderr, the folder alone to stdout.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from tests.cluster.envtest import EnvtestAssets
from tests.cluster.gobuild import build_missing, built_path
from tests.cluster.programs import (
    PROGRAMS,
    TOOLS,
    Program,
    Target,
    ToolError,
    cache_folder,
    is_program,
    programs_of,
    this_machine,
)
from tests.cluster.progress import say


@dataclass(frozen=True, kw_only=True)
class Found:
    """Where a program was found, and a word for the source."""

    path: Path
    source: str


def ensure_binaries(
    *,
    programs: Sequence[Program] = PROGRAMS,
    environ: Mapping[str, str] = os.environ,
    target: Target | None = None,
    tools: Path = TOOLS,
) -> Path:
    """Folder with all `programs`, made ready if need be (that takes minutes once); ToolError if it cannot be."""
    target = target or this_machine()
    cache = cache_folder(environ=environ)
    envtest = EnvtestAssets(cache=cache, kubernetes_version=_kubernetes_version(programs, tools=tools), tools=tools)
    assets = _assets_folder(environ)

    def look(downloaded: Path | None) -> dict[str, Found]:
        return find(programs=programs, assets=assets, downloaded=downloaded, cache=cache, target=target, tools=tools)

    found = look(envtest.known_folder())
    if _lacking(programs, found, in_envtest=True) and envtest.worth_a_try():
        found = look(envtest.download(environ=environ))
    if shutil.which("go", path=environ.get("PATH")) is None:
        found = _installed(programs, environ=environ) | found
    lacking = _lacking(programs, found)
    if lacking:
        build_missing(lacking, cache=cache, target=target, tools=tools, environ=environ)
        found |= look(envtest.known_folder())
    for source in dict.fromkeys(each.source for each in found.values()):
        say(f"{', '.join(name for name, each in found.items() if each.source == source)}: {source}")
    return compose({name: each.path for name, each in found.items()}, cache=cache, target=target)


def find(
    *,
    programs: Sequence[Program],
    assets: Path | None,
    downloaded: Path | None,
    cache: Path,
    target: Target,
    tools: Path = TOOLS,
) -> dict[str, Found]:
    """Best place of each program that is there already; programs that are nowhere are left out."""
    found: dict[str, Found] = {}
    for program in programs:
        places = [Found(path=built_path(program, cache=cache, target=target, tools=tools), source="built with Go")]
        if downloaded is not None and program.in_envtest:
            places.insert(0, Found(path=downloaded / program.name, source="downloaded by setup-envtest"))
        if assets is not None:
            places.insert(0, Found(path=assets / program.name, source="from KUBEBUILDER_ASSETS"))
        best = next((place for place in places if is_program(place.path)), None)
        if best is not None:
            found[program.name] = best
    return found


def compose(paths: Mapping[str, Path], *, cache: Path, target: Target) -> Path:
    """Folder of symbolic links to `paths`, named by what it links to, so that it is never changed once it is there."""
    lines = "\n".join(f"{name}={path}" for name, path in sorted(paths.items()))
    folder = cache / f"bin-{hashlib.sha256(lines.encode()).hexdigest()[:12]}-{target}"
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    temporary = Path(mkdtemp(prefix=".bin-", dir=cache))
    for name, path in paths.items():
        (temporary / name).symlink_to(path)
    try:
        temporary.rename(folder)
    except OSError:  # another run was faster; its folder says the same
        for link in temporary.iterdir():
            link.unlink()
        temporary.rmdir()
    return folder


def _assets_folder(environ: Mapping[str, str]) -> Path | None:
    value = environ.get("KUBEBUILDER_ASSETS", "")
    if not value:
        return None
    folder = Path(value).expanduser().resolve()
    if not folder.is_dir():
        raise ToolError(f"KUBEBUILDER_ASSETS is set to {value}, which is not a folder")
    return folder


def _installed(programs: Sequence[Program], *, environ: Mapping[str, str]) -> dict[str, Found]:
    places = {p.name: shutil.which(p.name, path=environ.get("PATH")) for p in programs if p.on_path}
    return {name: Found(path=Path(place), source="installed here") for name, place in places.items() if place}


def _lacking(programs: Sequence[Program], found: Mapping[str, Found], *, in_envtest: bool = False) -> list[Program]:
    return [p for p in programs if p.name not in found and (p.in_envtest or not in_envtest)]


def _kubernetes_version(programs: Sequence[Program], *, tools: Path) -> str:
    stamped = next((p for p in programs if p.stamp_kubernetes_version), None)
    return stamped.version(tools=tools) if stamped else ""


def main(groups: Sequence[str]) -> int:
    """Print the folder; on failure the reason on stderr and exit code 1."""
    try:
        print(ensure_binaries(programs=programs_of(groups or ["embedded"])))
    except ToolError as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

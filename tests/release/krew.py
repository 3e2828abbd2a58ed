"""The kubectl plugin for krew: an archive for each platform, and the manifest that names them.

An archive has a launcher and the packages of the runtime lock. Pure packages are in `lib/all`, compiled ones in
`lib/cpXY` of each Python; the launcher adds both to the path. It needs Python 3.11 or newer, and no network.
"""

import filecmp
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from tests.cluster.programs import ToolError
from tests.kind.project_images import ROOT
from tests.release.archive import files_below, write_tar
from tests.release.checksums import sha256
from tests.release.commit import ReleaseCommit

PYTHONS = ("3.11", "3.12", "3.13", "3.14")
LAUNCHER = "kubectl-meetingbots"
UV = ROOT / ".venv" / "bin" / "uv"


@dataclass(frozen=True, kw_only=True)
class Platform:
    """A platform in krew's words (linux, amd64) and in uv's (x86_64-manylinux_2_28)."""

    os: str
    arch: str
    uv: str


PLATFORMS = (
    Platform(os="linux", arch="amd64", uv="x86_64-manylinux_2_28"),
    Platform(os="linux", arch="arm64", uv="aarch64-manylinux_2_28"),
    Platform(os="darwin", arch="amd64", uv="x86_64-apple-darwin"),
    Platform(os="darwin", arch="arm64", uv="aarch64-apple-darwin"),
)


def build_plugin(
    commit: ReleaseCommit, *, wheel: Path, into: Path, platforms: Sequence[Platform] = PLATFORMS
) -> dict[Platform, Path]:
    """Build the archives of the plugin from meetingbots' wheel and the runtime lock."""
    archives = {}
    for platform in platforms:
        with TemporaryDirectory() as temporary:
            tree = Path(temporary) / "plugin"
            (tree / "lib").mkdir(parents=True)
            trees = {
                python: _install(python, platform=platform, wheel=wheel, root=Path(temporary)) for python in PYTHONS
            }
            merge(trees, into=tree / "lib")
            shutil.copy2(Path(__file__).with_name("launcher.py"), tree / LAUNCHER)
            (tree / LAUNCHER).chmod(0o755)
            shutil.copy2(ROOT / "LICENSE", tree / "LICENSE")
            name = f"{LAUNCHER}-{commit.version}-{platform.os}-{platform.arch}.tar.gz"
            archives[platform] = write_tar(into / name, root=tree, files=files_below(tree), epoch=commit.epoch)
    return archives


def merge(trees: Mapping[str, Path], *, into: Path) -> None:
    """Move what all Pythons' trees have alike to `all`, and the rest to `cpXY` of its Python."""
    names = sorted({entry.name for tree in trees.values() for entry in tree.iterdir()})
    for name in names:
        places = {python: tree / name for python, tree in trees.items() if (tree / name).exists()}
        alike = len(places) == len(trees) and all_alike(list(places.values()))
        for python, place in list(places.items())[: 1 if alike else None]:
            folder = into / ("all" if alike else f"cp{python.replace('.', '')}")
            folder.mkdir(parents=True, exist_ok=True)
            shutil.move(place, folder / name)


def all_alike(places: Sequence[Path]) -> bool:
    """Whether files or folders have the same content, by name and bytes."""
    first, *others = places
    if first.is_file():
        return all(other.is_file() and filecmp.cmp(first, other, shallow=False) for other in others)
    names = [path.relative_to(first) for path in files_below(first)]
    return all(
        [path.relative_to(other) for path in files_below(other)] == names
        and all(filecmp.cmp(first / name, other / name, shallow=False) for name in names)
        for other in others
    )


def manifest(commit: ReleaseCommit, archives: Mapping[Platform, Path], *, homepage: str, download_url: str) -> str:
    """Write the krew manifest (meetingbots.yaml); `download_url` is the folder of the release's files."""
    body: dict[str, Any] = {
        "apiVersion": "krew.googlecontainertools.github.com/v1alpha2",
        "kind": "Plugin",
        "metadata": {"name": "meetingbots"},
        "spec": {
            "version": f"v{commit.version}",
            "homepage": homepage,
            "shortDescription": "Find out why a Zoom meeting bot did not record",
            "description": "Explains MeetingBots and ZoomCredentials: why, timeline, connect, send, doctor.\n",
            "caveats": "Needs Python 3.11 or newer as python3.\n",
            "platforms": [
                {
                    "selector": {"matchLabels": {"os": platform.os, "arch": platform.arch}},
                    "uri": f"{download_url}/{archive.name}",
                    "sha256": sha256(archive),
                    "bin": LAUNCHER,
                }
                for platform, archive in archives.items()
            ],
        },
    }
    return yaml.safe_dump(body, sort_keys=False, allow_unicode=True, width=110)


def _install(python: str, *, platform: Platform, wheel: Path, root: Path) -> Path:
    target = root / python
    options = ["--quiet", "--target", str(target), "--python-version", python, "--python-platform", platform.uv]
    options += ["--only-binary", ":all:", "--no-deps", "--link-mode", "copy"]
    for what in (["--require-hashes", "-r", str(ROOT / "requirements-runtime.lock")], [str(wheel)]):
        command = [str(UV), "pip", "install", *options, *what]
        done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ), check=False)
        if done.returncode != 0:
            raise ToolError(f"packages of {platform.os}/{platform.arch}, Python {python}:\n{done.stderr[-2000:]}")
    _drop(target.glob("*/tests"))
    _drop([target / "bin", target / ".lock"])
    # Where the packages came from, and when.
    _drop(target.glob("*.dist-info/*"), keep={"METADATA", "entry_points.txt"})
    return target


def _drop(paths: Iterable[Path], *, keep: Iterable[str] = ()) -> None:
    for path in list(paths):
        if path.name in keep:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

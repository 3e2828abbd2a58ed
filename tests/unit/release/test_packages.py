"""The Python packages as people install them: reproducible, and each with its programs."""

import fnmatch
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.kind.project_images import ROOT
from tests.release.commit import ReleaseCommit
from tests.release.packages import build_packages, write_crds

COMMIT = ReleaseCommit(version="1.2.3", revision="abc", epoch=1_700_000_000)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {path.name: path for path in build_packages(COMMIT, into=tmp_path_factory.mktemp("dist"))}


def wheel(built: dict[str, Path], name: str) -> Path:
    return next(path for file, path in built.items() if file.startswith(f"{name}-") and file.endswith(".whl"))


def test_two_builds_are_the_same(built: dict[str, Path], tmp_path: Path) -> None:
    again = {path.name: path.read_bytes() for path in build_packages(COMMIT, into=tmp_path)}
    assert {name: path.read_bytes() for name, path in built.items()} == again
    assert len(again) == 3


def test_the_wheel_has_operator_and_plugin(built: dict[str, Path]) -> None:
    with zipfile.ZipFile(wheel(built, "meetingbots")) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        programs = archive.read(name).decode()
        templates = [name for name in archive.namelist() if name.endswith(".html") or ".j2" in name]
    assert "meetingbots = meetingbots.cli:main" in programs
    assert "kubectl-meetingbots = meetingbots.plugin.cli:main" in programs
    assert templates, "the pages of the receiver"


def test_the_simulator_runs_without_the_repository(built: dict[str, Path], tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel(built, "meetingbots_zoom_simulator")) as archive:
        archive.extractall(tmp_path)
    for module in ("meetingbots_zoom_simulator", "meetingbots_zoom_simulator.conformance"):
        done = subprocess.run(
            [sys.executable, "-P", "-m", module, "--help"],
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert "usage:" in done.stdout


def test_the_simulator_has_no_import_from_the_tests(built: dict[str, Path]) -> None:
    with zipfile.ZipFile(wheel(built, "meetingbots_zoom_simulator")) as archive:
        sources = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith(".py")}
    assert [name for name, text in sources.items() if "import tests" in text or "from tests" in text] == []


def test_the_crds_are_one_file(tmp_path: Path) -> None:
    written = write_crds(COMMIT, into=tmp_path)
    kinds = [one["spec"]["names"]["kind"] for one in yaml.safe_load_all(written.read_text())]
    assert sorted(kinds) == ["MeetingBot", "MeetingMapping", "ZoomCredential"]


def test_the_workflow_publishes_these_files_to_the_package_index(built: dict[str, Path]) -> None:
    """`mv` fails for a pattern without a file."""
    workflow = (ROOT / ".github" / "workflows" / "release.yaml").read_text()
    patterns = re.findall(r"all/(\S+)", next(line for line in workflow.splitlines() if "mv all/" in line))
    others = ("meetingbots-1.2.3.tgz", "kubectl-meetingbots-1.2.3-linux-amd64.tar.gz", "SHA256SUMS")
    moved = {pattern: set(fnmatch.filter([*built, *others], pattern)) for pattern in patterns}
    assert all(moved.values()), moved
    assert set().union(*moved.values()) == set(built)

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.release import launcher
from tests.release.checksums import sha256
from tests.release.commit import ReleaseCommit
from tests.release.krew import PLATFORMS, manifest, merge


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_what_is_alike_is_kept_once(tmp_path: Path) -> None:
    trees = {
        "3.11": write(tmp_path / "3.11", pure__a="1", native__x="eleven", only11="1"),
        "3.12": write(tmp_path / "3.12", pure__a="1", native__x="twelve"),
    }
    merge(trees, into=tmp_path / "lib")
    found = {str(path.relative_to(tmp_path / "lib")) for path in (tmp_path / "lib").rglob("*") if path.is_file()}
    assert found == {"all/pure/a", "cp311/native/x", "cp312/native/x", "cp311/only11"}
    assert (tmp_path / "lib" / "cp312" / "native" / "x").read_text() == "twelve"


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """An unpacked archive whose plugin says which folder its compiled part is from."""
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    lib = tmp_path / "lib"
    write(lib / "all" / "meetingbots" / "plugin", __init___py="", cli_py="")
    (lib / "all" / "meetingbots" / "__init__.py").write_text("")
    (lib / "all" / "meetingbots" / "plugin" / "__init__.py").write_text("")
    (lib / "all" / "meetingbots" / "plugin" / "cli.py").write_text(
        "import native, sys\ndef main():\n    print(native.WHERE, *sys.argv[1:])\n    return 3\n"
    )
    (lib / python).mkdir()
    (lib / python / "native.py").write_text(f"WHERE = '{python}'\n")
    shutil.copy2(launcher.__file__, tmp_path / "kubectl-meetingbots")
    return tmp_path


def start(plugin: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", str(plugin / "kubectl-meetingbots"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_launcher_runs_the_plugin_with_the_packages_of_this_python(plugin: Path) -> None:
    done = start(plugin, "why", "notes")
    assert done.stdout == f"cp{sys.version_info.major}{sys.version_info.minor} why notes\n"
    assert done.returncode == 3
    assert not list(plugin.rglob("__pycache__"))


def test_the_launcher_names_the_pythons_that_it_supports(plugin: Path) -> None:
    next((plugin / "lib").glob("cp*")).rename(plugin / "lib" / "cp399")
    done = start(plugin)
    assert done.returncode == 2
    assert "needs Python 3.99; python3 is 3." in done.stderr


def test_the_manifest_has_an_archive_for_each_platform(tmp_path: Path) -> None:
    archives = {}
    for platform in PLATFORMS:
        archives[platform] = tmp_path / f"{platform.os}-{platform.arch}.tar.gz"
        archives[platform].write_text(platform.uv)
    commit = ReleaseCommit(version="1.2.3", revision="abc", epoch=0)
    plugin = yaml.safe_load(manifest(commit, archives, homepage="https://x.test", download_url="https://x.test/v1.2.3"))
    assert (plugin["spec"]["version"], plugin["spec"]["homepage"]) == ("v1.2.3", "https://x.test")
    assert len(plugin["spec"]["shortDescription"]) <= 50
    for entry, (platform, archive) in zip(plugin["spec"]["platforms"], archives.items(), strict=True):
        assert entry["selector"]["matchLabels"] == {"os": platform.os, "arch": platform.arch}
        assert entry["uri"] == f"https://x.test/v1.2.3/{archive.name}"
        assert entry["sha256"] == sha256(archive)

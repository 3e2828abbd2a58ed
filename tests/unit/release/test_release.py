"""Which releases may be published."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.programs import ToolError
from tests.release.__main__ import main
from tests.release.checksums import checksums
from tests.release.commit import ReleaseCommit
from tests.release.release import EXAMPLE_REGISTRY, EXAMPLE_SOURCE, Release, architectures_of, registry_of

CHANGELOG = "# Changelog\n\n## [1.2.3] - 2026-01-01\n\n### Added\n\n- All.\n"
RELEASE = Release(
    commit=ReleaseCommit(version="1.2.3", revision="abc", epoch=0),
    registry="registry.test/us",
    architectures=("amd64",),
    source="https://source.test/us",
    builder="https://source.test/builder",
    download_url="https://source.test/files",
)


def git(checkout: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=someone", "-c", "user.email=someone@example.com")
    subprocess.run(["git", *identity, *arguments], cwd=checkout, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "program.py").write_text("one")
    (tmp_path / ".gitignore").write_text("/dist/\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "one")
    return tmp_path


def test_a_release_of_a_commit_can_be_published() -> None:
    assert RELEASE.obstacles(CHANGELOG) == []


@pytest.mark.parametrize(
    ("release", "changelog", "reason"),
    [
        (replace(RELEASE, commit=replace(RELEASE.commit, revision="abc-dirty")), CHANGELOG, "differs from its commit"),
        (replace(RELEASE, registry=EXAMPLE_REGISTRY), CHANGELOG, "REGISTRY=HOST/OWNER"),
        (replace(RELEASE, source=EXAMPLE_SOURCE), CHANGELOG, "set RELEASE_SOURCE."),
        (replace(RELEASE, download_url=f"{EXAMPLE_SOURCE}/x"), CHANGELOG, "set RELEASE_DOWNLOAD_URL."),
        (replace(RELEASE, left_out=("arm64",)), CHANGELOG, "no image for arm64"),
        (RELEASE, CHANGELOG.replace("[1.2.3]", "[Unreleased]"), "is Unreleased, not 1.2.3"),
    ],
)
def test_a_release_is_not_published_with(release: Release, changelog: str, reason: str) -> None:
    (found,) = release.obstacles(changelog)
    assert reason in found


@pytest.mark.parametrize("registry", ["ghcr.io/owner", "localhost:5055/meetingbots", "Registry.example", "r.io/a/b-c"])
def test_a_registry_has_a_host_and_a_path(registry: str) -> None:
    assert registry_of(registry) == registry


@pytest.mark.parametrize(
    "registry", ["", " ", "https://ghcr.io/owner", "ghcr.io/owner/", "ghcr.io/Owner", "r.io//a", "a b"]
)
def test_a_registry_that_images_cannot_name_is_refused_before_the_build(
    registry: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "--registry", registry]) == 1
    assert "it is HOST/OWNER" in capsys.readouterr().err


def test_architectures_are_read_in_one_order() -> None:
    assert architectures_of("arm64, amd64") == ("amd64", "arm64")
    assert architectures_of("arm64") == ("arm64",)


@pytest.mark.parametrize("given", ["", "riscv64", "amd64,", "x86_64"])
def test_an_unknown_architecture_is_refused_before_the_build(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["build", "--architectures", given]) == 1
    assert "known are amd64, arm64" in capsys.readouterr().err


def test_publishing_stops_before_the_first_push(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    about = tmp_path / "release.json"
    about.write_text(json.dumps({"obstacles": ["The checkout differs."]}))
    (tmp_path / "SHA256SUMS").write_text(checksums([about]))
    assert main(["publish", "--dist", str(tmp_path)]) == 1
    assert "not published:\nThe checkout differs." in capsys.readouterr().err


def test_a_commit_is_clean_also_with_ignored_files(checkout: Path) -> None:
    (checkout / "dist").mkdir()
    (checkout / "dist" / "file").touch()
    assert ReleaseCommit.of(checkout).clean


def test_a_changed_file_is_not_in_the_commit(checkout: Path) -> None:
    (checkout / "program.py").write_text("two")
    assert not ReleaseCommit.of(checkout).clean
    assert ReleaseCommit.of(checkout).revision.count("-dirty") == 1


def test_a_new_file_is_not_in_the_commit(checkout: Path) -> None:
    (checkout / "added.py").touch()
    assert not ReleaseCommit.of(checkout).clean


def test_a_folder_without_git_has_no_commit(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="made of a git commit"):
        ReleaseCommit.of(tmp_path)

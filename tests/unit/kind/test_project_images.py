import subprocess
from pathlib import Path

import pytest
from meetingbots import __version__

from tests.kind import project_images
from tests.kind.project_images import PUBLISHED_BASE, ROOT, build_images, choose_base, revision, start_seconds
from tests.kind.root_filesystem import PYTHON_BASE
from tests.unit.kind.conftest import FakeMachine


def base(machine: FakeMachine, **environ: str) -> str:
    return choose_base(engine=machine.engine(), cache=machine.cache, environ=machine.environ | environ)


def test_the_base_is_what_is_wished_else_published_else_made_here(machine: FakeMachine) -> None:
    machine.add("podman")
    assert base(machine, BASE_IMAGE="mine:1") == "mine:1"
    assert base(machine) == PUBLISHED_BASE
    machine.add("podman", fails=("image inspect docker.io", "pull"))
    assert base(machine) == PYTHON_BASE.tag


def test_images_are_built_without_network_from_checked_wheels_and_labelled(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine.add("podman", prints='{"python": [3, 13], "machine": "x86_64", "glibc": 36}')
    monkeypatch.setattr(project_images, "ensure_wheels", lambda locks, *, interpreter, cache: tmp_path / "wheels")
    monkeypatch.setattr(project_images, "revision", lambda checkout: "abc")
    images = build_images(engine=machine.engine(), environ=machine.environ | {"BASE_IMAGE": "base:1"})
    builds = [call for call in machine.calls() if call.startswith("podman build")]
    assert [build.split(" -t ")[1].split()[0] for build in builds] == [images.operator, images.example_bot]
    for build in builds:
        assert "--network none" in build
        assert "--build-arg BASE_IMAGE=base:1" in build
        assert f"--label org.opencontainers.image.version={__version__}" in build
        assert "--label org.opencontainers.image.revision=abc" in build
    assert f"--build-arg PIP_OPTIONS=--no-index --build-context wheels={tmp_path}/wheels" in builds[0]


def test_the_revision_is_the_commit_and_tells_of_changes(tmp_path: Path) -> None:
    assert revision(tmp_path) == "unknown"

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        return subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "-q", "-m", "one")
    assert revision(tmp_path) == git("rev-parse", "HEAD")
    (tmp_path / "file").write_text("two")
    assert revision(tmp_path) == git("rev-parse", "HEAD") + "-dirty"


def test_the_start_is_measured_as_pods_run_it(machine: FakeMachine) -> None:
    machine.add("podman")
    assert start_seconds("a:1", "--version", engine=machine.engine()) > 0
    assert set(machine.calls()) == {"podman run --rm --read-only --network none --cap-drop ALL a:1 --version"}


@pytest.mark.parametrize("file", ["Containerfile", "examples/bot/Containerfile"])
def test_images_run_as_a_user_by_number(file: str) -> None:
    users = [line for line in (ROOT / file).read_text().splitlines() if line.startswith("USER ")]
    assert users == ["USER 1000:1000"]


def test_both_engines_leave_the_same_out_of_the_context() -> None:
    left_out = (ROOT / ".dockerignore").read_text()
    assert left_out == (ROOT / ".containerignore").read_text()
    assert "\n*\n" in left_out
    for line in left_out.splitlines():
        assert not line.startswith("!") or (ROOT / line[1:]).exists()

import subprocess
from pathlib import Path

import pytest

from tests.kind.project_images import PUBLISHED_BASE, ROOT, choose_base, revision, start_seconds
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

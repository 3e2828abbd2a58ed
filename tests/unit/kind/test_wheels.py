import json
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.programs import ToolError
from tests.kind.project_images import LOCKS, ROOT
from tests.kind.wheels import Interpreter, ensure_wheels, wheels_key
from tests.unit.kind.conftest import FakeMachine

PYTHON_313 = Interpreter(python=(3, 13), machine="x86_64", glibc=36)


def names(lock: Path) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", lock.read_text(), re.MULTILINE))


def test_the_interpreter_of_an_image_is_asked(machine: FakeMachine) -> None:
    machine.add("podman", prints=json.dumps({"python": [3, 13], "machine": "x86_64", "glibc": 36}))
    assert Interpreter.of("base:1", engine=machine.engine()) == PYTHON_313
    assert machine.calls()[0].startswith("podman run --rm --network none base:1 python3 -c")


def test_pip_may_take_wheels_for_any_glibc_up_to_the_images() -> None:
    options = PYTHON_313.pip_options()
    assert options[3:5] == ["--python-version", "3.13"]
    assert {"--abi=cp313", "--abi=abi3", "--abi=none", "--platform=manylinux_2_36_x86_64"} <= set(options)
    assert "--platform=manylinux_2_17_x86_64" in options
    assert "--platform=manylinux_2_37_x86_64" not in options


def test_wheels_are_kept_by_lock_and_interpreter(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text("a==1")
    before = wheels_key([lock], interpreter=PYTHON_313)
    assert wheels_key([lock], interpreter=replace(PYTHON_313, machine="aarch64")) != before
    folder = tmp_path / f"wheels-{before}"
    folder.mkdir()
    assert ensure_wheels([lock], interpreter=PYTHON_313, cache=tmp_path) == folder
    lock.write_text("a==2")
    assert wheels_key([lock], interpreter=PYTHON_313) != before


def test_a_failed_download_is_reported_and_leaves_nothing_behind(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text("a-package-without-a-hash==1\n")
    cache = tmp_path / "cache"
    with pytest.raises(ToolError, match=r"the wheels of requirements\.lock could not be fetched:(?s:.*)hash"):
        ensure_wheels([lock], interpreter=PYTHON_313, cache=cache)
    assert list(cache.iterdir()) == []


def test_the_locks_of_the_image_have_what_it_needs_and_nothing_of_development() -> None:
    build, runtime = LOCKS
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = {re.split("[^a-z0-9-]", each.lower())[0] for each in project["project"]["dependencies"]}
    assert wanted <= names(runtime)
    assert {"pytest", "mypy", "ruff", "hatchling"}.isdisjoint(names(runtime))
    assert set(project["build-system"]["requires"]) <= names(build)


def test_the_image_runs_what_is_tested() -> None:
    def pins(lock: Path) -> set[str]:
        return set(re.findall(r"^[a-z0-9-]+==[^ ]+", lock.read_text(), re.MULTILINE))

    tested = pins(ROOT / "requirements.lock")
    for lock in LOCKS:
        assert pins(lock) <= tested


def test_the_locks_of_the_image_hold_on_every_machine() -> None:
    # pip would look at a condition with the eyes of the machine that fetches, not of the image.
    for lock in LOCKS:
        assert ";" not in lock.read_text()

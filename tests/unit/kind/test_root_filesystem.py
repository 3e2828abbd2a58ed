from dataclasses import replace

import pytest

from tests.cluster.programs import ToolError
from tests.kind.root_filesystem import PYTHON_BASE, ensure_root_filesystem
from tests.unit.kind.conftest import FakeMachine


def ensure(machine: FakeMachine) -> str:
    return ensure_root_filesystem(PYTHON_BASE, engine=machine.engine(), cache=machine.cache, environ=machine.environ)


def test_a_changed_recipe_has_another_name() -> None:
    others = (
        replace(PYTHON_BASE, packages=("python3",)),
        replace(PYTHON_BASE, suite="trixie"),
        replace(PYTHON_BASE, variant="minbase"),
    )
    assert len({each.tag for each in (PYTHON_BASE, *others)}) == 4
    assert PYTHON_BASE.tag.startswith("localhost/meetingbots-python-base:")


def test_it_is_made_once(machine: FakeMachine) -> None:
    machine.add("mmdebstrap")
    machine.add("podman", fails=("image inspect",))
    assert ensure(machine) == PYTHON_BASE.tag
    made = machine.calls()[1:]
    assert made[0].startswith("mmdebstrap --quiet --variant=essential --include=usr-is-merged,python3,python3-venv")
    assert made[1].startswith("podman import ")
    assert made[1].endswith(f" {PYTHON_BASE.tag}")
    machine.add("podman")
    assert ensure(machine) == PYTHON_BASE.tag
    assert machine.calls()[3:] == [f"podman image inspect {PYTHON_BASE.tag}"]


def test_a_failure_is_reported_and_leaves_nothing_behind(machine: FakeMachine) -> None:
    machine.add("mmdebstrap", fails=("--quiet",))
    machine.add("podman", fails=("image inspect",))
    with pytest.raises(ToolError, match="mmdebstrap of python-base failed:\nmmdebstrap cannot"):
        ensure(machine)
    assert [path for path in machine.cache.iterdir() if path.is_dir()] == []

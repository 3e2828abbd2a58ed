from pathlib import Path

import pytest

from tests.cluster.programs import ToolError
from tests.kind.debian import PODMAN, System, ensure_packages, is_there, missing_packages, refusal
from tests.unit.kind.conftest import FakeMachine

DEBIAN = System(linux=True, debian=True, root=False)
NOBODY_HAS = {"no-such-program-anywhere": "no-such-package"}


def test_only_what_is_missing_is_installed() -> None:
    assert missing_packages(PODMAN, there={"podman", "iptables"}.__contains__) == [
        "runc",
        "containernetworking-plugins",
    ]
    assert missing_packages(PODMAN, there=lambda sign: True) == []


def test_signs_are_commands_or_files(machine: FakeMachine, tmp_path: Path) -> None:
    machine.add("mmdebstrap")
    assert is_there("mmdebstrap")
    assert is_there(str(tmp_path))
    assert not is_there("no-such-program-anywhere")
    assert not is_there(str(tmp_path / "nothing"))


@pytest.mark.parametrize(
    ("system", "said"),
    [
        (DEBIAN, "please run: sudo apt-get install --no-install-recommends podman runc"),
        (System(linux=True, debian=False, root=True), "needs podman, runc; please install them with your system's"),
        (System(linux=False, debian=False, root=False), "needs Docker here: https://docs.docker.com/get-docker"),
    ],
)
def test_what_cannot_be_installed_says_how_to_get_it(system: System, said: str) -> None:
    assert said in refusal(["podman", "runc"], what_for="a kind cluster", system=system)


def test_nobody_but_root_on_debian_installs(machine: FakeMachine) -> None:
    machine.add("apt-get")
    for system in (DEBIAN, System(linux=True, debian=False, root=True)):
        with pytest.raises(ToolError, match="no-such-package"):
            ensure_packages(NOBODY_HAS, what_for="a test", system=system)
    assert machine.calls() == []


def test_root_on_debian_installs_and_says_so(machine: FakeMachine, capsys: pytest.CaptureFixture[str]) -> None:
    machine.add("apt-get")
    ensure_packages(NOBODY_HAS, what_for="a test", system=System(linux=True, debian=True, root=True))
    assert machine.calls() == [
        "apt-get update -q",
        "apt-get install -y -q --no-install-recommends no-such-package",
    ]
    assert "a test needs Debian packages; installing them: no-such-package" in capsys.readouterr().err


def test_a_failed_installation_is_reported(machine: FakeMachine) -> None:
    machine.add("apt-get", fails=("install",))
    with pytest.raises(ToolError, match="apt-get cannot install"):
        ensure_packages(NOBODY_HAS, what_for="a test", system=System(linux=True, debian=True, root=True))

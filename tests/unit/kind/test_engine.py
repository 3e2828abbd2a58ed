from pathlib import Path

import pytest

from tests.cluster.service import ClusterError
from tests.kind.engine import Engine
from tests.unit.kind.conftest import FakeMachine


def test_a_build_gets_all_its_arguments(machine: FakeMachine, tmp_path: Path) -> None:
    machine.add("podman")
    engine = Engine(name="podman", environ=machine.environ, build_options=("--ulimit", "nofile=5:5"))
    engine.build(
        file=tmp_path / "Containerfile",
        context=tmp_path,
        tag="localhost/a:1",
        target="one",
        arguments={"BASE": "b"},
        contexts={"wheels": tmp_path / "w"},
        labels={"l": "v"},
        network=False,
    )
    assert machine.calls() == [
        f"podman build --ulimit nofile=5:5 -f {tmp_path}/Containerfile -t localhost/a:1 --target one --network none"
        f" --build-arg BASE=b --build-context wheels={tmp_path}/w --label l=v {tmp_path}"
    ]


def test_a_failure_names_the_command_its_code_and_what_it_said(machine: FakeMachine) -> None:
    machine.add("podman", fails=("pull",))
    with pytest.raises(ClusterError, match=r"podman pull x failed \(exit code 3\):\npodman cannot pull"):
        machine.engine().run("pull", "x")


def test_an_image_is_sent_from_one_command_to_another(machine: FakeMachine) -> None:
    machine.add("docker", prints="archive")
    machine.reads("docker")
    machine.engine("docker").stream_image("a:1", into=("exec", "-i", "node", "import", "-"))
    # Both are the same stand-in: `save` had nothing to read, and what it printed is what `exec` has read last.
    assert sorted(machine.calls()) == ["docker exec -i node import -", "docker save a:1"]
    assert machine.read("docker") == "archive"


@pytest.mark.parametrize("failing", ["save", "exec"])
def test_an_image_that_cannot_be_saved_or_loaded_is_reported(machine: FakeMachine, failing: str) -> None:
    machine.add("docker", fails=(failing,))
    with pytest.raises(ClusterError, match=f"docker cannot {failing}"):
        machine.engine("docker").stream_image("a:1", into=("exec", "node"))


def test_podman_saves_in_dockers_format_because_containerd_wants_it(machine: FakeMachine) -> None:
    machine.add("podman")
    machine.engine().save("a:1", archive=Path("a.tar"))
    assert machine.calls() == ["podman save --format docker-archive -q -o a.tar a:1"]

import time

import pytest

from tests.cluster.programs import ToolError
from tests.kind import provider
from tests.kind.provider import REMEMBER_SECONDS, can_pull, choose_engine, choose_provider, engine_name
from tests.unit.kind.conftest import FakeMachine

IMAGE = "docker.io/library/python:3.13-slim"


@pytest.mark.parametrize(
    ("wished", "answers", "chosen"),
    [("", True, "docker"), ("", False, "podman"), ("podman", True, "podman"), ("docker", True, "docker")],
)
def test_docker_is_preferred_and_a_wish_wins(wished: str, answers: bool, chosen: str) -> None:
    assert engine_name(wished=wished, docker_answers=lambda: answers) == chosen


def test_a_wish_that_cannot_be_met_is_reported() -> None:
    with pytest.raises(ToolError, match="no Docker engine answers"):
        engine_name(wished="docker", docker_answers=lambda: False)
    with pytest.raises(ToolError, match="KIND_EXPERIMENTAL_PROVIDER is nerdctl; docker and podman are supported"):
        engine_name(wished="nerdctl", docker_answers=lambda: True)


def test_dockers_client_alone_is_no_engine(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.add("docker", fails=("version",))
    monkeypatch.setattr(provider, "_podman", lambda environ: machine.engine())
    assert choose_engine(environ=machine.environ).name == "podman"


def test_an_engine_that_answers_is_passed_to_kind(machine: FakeMachine) -> None:
    machine.add("docker", prints="28.2.2\n")
    engine = choose_engine(environ=machine.environ)
    assert (engine.name, engine.environ["KIND_EXPERIMENTAL_PROVIDER"]) == ("docker", "docker")


def test_the_published_node_is_used_where_it_can_be_pulled(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.add("docker", prints="28.2.2\n", fails=("image inspect",))
    monkeypatch.setattr(provider, "_cgroup_v2", lambda: True)
    assert choose_provider(environ=machine.environ).node_image == provider.PUBLISHED_NODE
    monkeypatch.setattr(provider, "_cgroup_v2", lambda: False)
    assert choose_provider(environ=machine.environ).node_image == ""


def test_our_own_node_is_used_where_no_registry_is_reached_and_a_wish_wins(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.add("docker", prints="28.2.2\n", fails=("image inspect", "pull"))
    monkeypatch.setattr(provider, "_cgroup_v2", lambda: True)
    assert choose_provider(environ=machine.environ).node_image == ""
    assert choose_provider(environ=machine.environ | {"KIND_NODE_IMAGE": "kept:1"}).node_image == "kept:1"


def test_an_image_that_is_there_is_not_pulled(machine: FakeMachine) -> None:
    machine.add("podman")
    assert can_pull(IMAGE, engine=machine.engine(), cache=machine.cache)
    assert machine.calls() == [f"podman image inspect {IMAGE}"]


def test_a_refusal_is_reported_and_remembered_for_a_week(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.add("podman", fails=("image", "pull"))
    engine, now = machine.engine(), time.time()

    def pulls_after(seconds: float) -> int:
        before = len(machine.calls())
        assert not can_pull(IMAGE, engine=engine, cache=machine.cache, now=now + seconds)
        return sum(" pull " in call for call in machine.calls()[before:])

    assert pulls_after(0) == 1
    assert f"{IMAGE} cannot be pulled here: podman cannot pull" in capsys.readouterr().err
    assert pulls_after(REMEMBER_SECONDS - 60) == 0
    assert pulls_after(REMEMBER_SECONDS + 60) == 1

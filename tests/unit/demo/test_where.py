"""Where the demo runs: on kind if its parts are ready, else on the embedded control plane, with the reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.demo import __main__ as demo
from tests.demo import choice, embedded, on_kind
from tests.demo.choice import Choice, Machine, choose
from tests.demo.narration import Narration
from tests.demo.programs import needed, prepare

ROOT = Path(__file__).resolve().parents[3]


def machine(*, engine: str = "docker", node_image: bool = True, programs: bool = True) -> Machine:
    return Machine(engine=lambda: engine, node_image=lambda: node_image, programs=lambda: programs)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    places: list[str] = []

    def on_embedded(_: Narration, *, keep: bool) -> int:
        places.append(f"embedded, keep {keep}")
        return 0

    def nowhere(_: Narration, *, keep: bool) -> int:
        places.append(f"kind, keep {keep}")
        raise on_kind.NoClusterError("Please install podman.")

    monkeypatch.setattr(embedded, "run", on_embedded)
    monkeypatch.setattr(on_kind, "run", nowhere)
    return places


def choose_always(monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    chosen = Choice(where=where, reason="no engine", kind_minutes=12)
    monkeypatch.setattr(choice, "choose", lambda _: chosen)


@pytest.mark.parametrize(
    ("here", "where", "reason"),
    [
        (machine(), "kind", "ready"),
        (machine(engine=""), "embedded", "neither Docker nor podman"),
        (machine(programs=False), "embedded", "not built yet"),
        (machine(node_image=False), "embedded", "no node image"),
    ],
    ids=["all there", "no engine", "no programs", "no node image"],
)
def test_kind_is_chosen_only_if_nothing_must_be_built(here: Machine, where: str, reason: str) -> None:
    chosen = choose(here)
    assert chosen.where == where
    assert reason in chosen.reason


def test_a_machine_without_an_engine_is_asked_for_nothing_else() -> None:
    def unexpected() -> bool:
        raise AssertionError("this would pull an image")

    assert choose(Machine(engine=lambda: "", node_image=unexpected, programs=unexpected)).where == "embedded"


def test_the_embedded_demo_says_why_and_how_to_see_real_pods(
    ran: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    choose_always(monkeypatch, "embedded")
    assert demo.run(Narration(), where="auto", keep=True) == 0
    assert ran == ["embedded, keep True"]
    printed = capsys.readouterr().out
    assert "no engine" in printed
    assert "make demo CLUSTER=kind (about 12 minutes" in printed


def test_if_kind_fails_the_demo_continues_on_the_embedded_cluster(
    ran: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    choose_always(monkeypatch, "kind")
    assert demo.run(Narration(), where="auto", keep=True) == 0
    assert ran == ["kind, keep True", "embedded, keep True"]
    assert "Please install podman." in capsys.readouterr().out


def test_a_wish_for_kind_is_met_or_fails_with_the_reason(ran: list[str]) -> None:
    with pytest.raises(on_kind.NoClusterError, match="install podman"):
        demo.run(Narration(), where="kind", keep=False)
    assert ran == ["kind, keep False"]


def test_a_wish_for_the_embedded_cluster_is_met(ran: list[str]) -> None:
    assert demo.run(Narration(), where="embedded", keep=False) == 0
    assert ran == ["embedded, keep False"]


@pytest.mark.parametrize(
    ("where", "here", "built"),
    [
        ("embedded", machine(), True),
        ("kind", machine(engine=""), False),
        ("auto", machine(), False),
        ("auto", machine(engine=""), True),
    ],
)
def test_programs_are_built_ahead_for_the_embedded_cluster_only(
    tmp_path: Path, where: str, here: Machine, built: bool
) -> None:
    builds: list[str] = []
    environ = {"XDG_CACHE_HOME": str(tmp_path), "PATH": ""}
    prepare(where, keep=False, machine=here, environ=environ, build=lambda: builds.append("embedded"))
    assert builds == (["embedded"] if built else [])


def test_only_a_demo_that_stays_needs_controllers() -> None:
    names = [{program.name for program in needed(keep=keep)} for keep in (False, True)]
    assert names == [
        {"etcd", "kube-apiserver", "kubectl"},
        {"etcd", "kube-apiserver", "kubectl", "kube-controller-manager"},
    ]


def test_programs_are_built_ahead_without_the_virtual_environment() -> None:
    """`make demo` starts it with the system's Python, before the packages are installed."""
    command = [sys.executable, "-S", "-c", "import tests.demo.programs"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stderr == ""

"""Where the demo is told: on kind if it can be had, else on the embedded control plane with the reason said."""

from __future__ import annotations

import pytest

from tests.demo import __main__ as demo
from tests.demo import embedded, on_kind
from tests.demo.narration import Narration


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    places: list[str] = []

    def on_embedded(_: Narration, *, keep: bool) -> int:
        places.append(f"embedded, keep {keep}")
        return 0

    def nowhere(_: Narration, *, keep: bool) -> int:
        places.append(f"kind, keep {keep}")
        raise on_kind.NoClusterError("Please install podman.")

    monkeypatch.setattr(embedded, "tell", on_embedded)
    monkeypatch.setattr(on_kind, "tell", nowhere)
    return places


def test_without_a_kind_cluster_it_is_told_elsewhere_and_why(
    told: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo.tell(Narration(), where="auto", keep=True) == 0
    assert told == ["kind, keep True", "embedded, keep True"]
    assert "Please install podman." in capsys.readouterr().out


def test_who_asks_for_kind_gets_kind_or_the_reason(told: list[str]) -> None:
    with pytest.raises(on_kind.NoClusterError, match="install podman"):
        demo.tell(Narration(), where="kind", keep=False)
    assert told == ["kind, keep False"]


def test_embedded_is_not_asked_twice(told: list[str]) -> None:
    assert demo.tell(Narration(), where="embedded", keep=False) == 0
    assert told == ["embedded, keep False"]

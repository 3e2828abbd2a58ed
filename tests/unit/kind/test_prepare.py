"""`python -m tests.kind prepare` tells a machine without containers from a defect."""

from __future__ import annotations

import pytest

from tests.cluster.programs import ToolError
from tests.cluster.service import ClusterError
from tests.kind.__main__ import CANNOT, prepare
from tests.kind.cluster import KindCluster


@pytest.mark.parametrize("error", [ToolError("podman is missing"), ClusterError("no privileged containers")])
def test_an_error_is_printed_with_its_reason(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: KindCluster) -> None:
        raise error

    monkeypatch.setattr(KindCluster, "prepare", refuse)
    assert prepare(KindCluster("any")) == CANNOT
    assert capsys.readouterr().out == f"no kind cluster can be had here: {error}\n"


def test_where_it_can_be_had_there_is_nothing_to_say(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(KindCluster, "prepare", lambda _: None)
    assert prepare(KindCluster("any")) == 0
    assert capsys.readouterr().out == ""


def test_anything_else_is_a_defect(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(_: KindCluster) -> None:
        raise KeyError("node")

    monkeypatch.setattr(KindCluster, "prepare", break_down)
    with pytest.raises(KeyError):
        prepare(KindCluster("any"))

"""Progress lines of long commands."""

from __future__ import annotations

import pytest

from tests.cluster.gobuild import expected_seconds
from tests.cluster.programs import PROGRAMS
from tests.cluster.progress import progress_line


def test_without_an_estimate_the_line_has_the_time() -> None:
    assert progress_line("pulling x", elapsed=30.2, expected=None) == "pulling x: 30 s"


@pytest.mark.parametrize(("elapsed", "full"), [(0.0, 0), (100.0, 12), (199.0, 23), (900.0, 23)])
def test_the_bar_grows_and_never_fills(elapsed: float, full: int) -> None:
    line = progress_line("building x", elapsed=elapsed, expected=200)
    assert line.count("█") == full
    assert line.count("░") == 24 - full
    assert line.endswith(f"{elapsed:.0f} s of about 200 s")


def test_a_build_of_kubernetes_has_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    kubernetes = [program for program in PROGRAMS if program.module == "kubernetes"]
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    two_cores = expected_seconds("kubernetes", kubernetes)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    assert two_cores == 280
    assert expected_seconds("kubernetes", kubernetes) == two_cores / 4
    assert expected_seconds("unknown", kubernetes) is None

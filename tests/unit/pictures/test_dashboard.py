"""The picture of the chart's dashboard."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import pytest

from tests.pictures.dashboard import Window, dashboard, readable
from tests.stack.prometheus import Panel, panels


class Fake:
    """Answers every query with two series, or with none."""

    def __init__(self, *, empty: bool = False) -> None:
        self._empty = empty

    def query_range(self, expression: str, *, start: float, end: float, step: float) -> list[dict[str, Any]]:
        assert "$" not in expression
        values = [[start + step * number, "NaN" if number == 3 else str(number / 10)] for number in range(100)]
        assert start + step * 99 <= end
        return [] if self._empty else [{"metric": {"outcome": name}, "values": values} for name in ("<a>", "b")]


@pytest.mark.parametrize("empty", [False, True])
def test_every_panel_is_in_the_picture(empty: bool) -> None:
    shown = list(panels(rate_interval="1m", whole_range="5m"))
    svg = ET.fromstring(dashboard(shown, Fake(empty=empty), Window(0.0, 300.0)))  # noqa: S314
    texts = {text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert {panel.title for panel in shown} <= texts
    assert ("No data" in texts) == empty


def test_a_series_has_its_label_as_name() -> None:
    panel = Panel("Bots", "timeseries", "short", (0, 0, 8, 8), (("up", "of {{outcome}}"),))
    assert "of &lt;a&gt;" in dashboard([panel], Fake(), Window(0.0, 300.0))


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.9912, "percentunit", "99.1 %"),
        (0.0123, "s", "12.3 ms"),
        (3600, "s", "60 min"),
        (2.5, "reqps", "2.5/s"),
        (3, "short", "3"),
    ],
)
def test_values_are_readable(value: float, unit: str, text: str) -> None:
    assert readable(value, unit) == text

"""Draws the chart's dashboard from the data of a Prometheus, as Grafana lays it out: one SVG."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from tests.stack.prometheus import Panel

_COLUMN: Final = 50
_UNIT: Final = 26
_GAP: Final = 8
_FONT: Final = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
_COLOURS: Final = ("#73bf69", "#5794f2", "#f2cc0c", "#ff9830", "#b877d9", "#f2495c", "#8ab8ff", "#c0d8ff")
_MAX_SERIES: Final = 6
_LABEL: Final = re.compile(r"\{\{(\w+)\}\}")

Points = list[tuple[float, float]]


class Source(Protocol):
    """Answers range queries."""

    def query_range(self, expression: str, *, start: float, end: float, step: float) -> list[dict[str, Any]]:
        """The series of an expression."""
        ...


@dataclass(frozen=True)
class _Series:
    name: str
    points: Points


@dataclass(frozen=True)
class Window:
    """The time that is shown, in epoch seconds."""

    start: float
    end: float


def dashboard(panels: Sequence[Panel], source: Source, window: Window) -> str:
    """The SVG of all panels."""
    width = 24 * _COLUMN
    height = max(y + h for _, y, _, h in (panel.place for panel in panels)) * _UNIT
    body = "\n".join(_panel(panel, _series(panel, source, window), window) for panel in panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="{html.escape(_FONT)}" '
        f'font-size="11" role="img" aria-label="The dashboard of the chart">\n'
        f'<rect width="{width}" height="{height}" fill="#111217"/>\n{body}\n</svg>\n'
    )


def readable(value: float, unit: str) -> str:
    """A value as Grafana shows it."""
    match unit:
        case "percentunit":
            return f"{value * 100:.3g} %"
        case "s" if abs(value) < 1:
            return f"{value * 1000:.3g} ms"
        case "s" if abs(value) >= 120:
            return f"{value / 60:.3g} min"
        case "s":
            return f"{value:.3g} s"
        case "reqps":
            return f"{value:.3g}/s"
        case _:
            return f"{value:.4g}"


def _series(panel: Panel, source: Source, window: Window) -> list[_Series]:
    found = []
    for expression, legend in panel.queries:
        step = (window.end - window.start) / 120
        for one in source.query_range(expression, start=window.start, end=window.end, step=step):
            points = [(float(time), float(value)) for time, value in one["values"]]
            finite = [(time, value) for time, value in points if math.isfinite(value)]
            if finite:
                found.append(_Series(_named(legend, one["metric"]), finite))
    return sorted(found, key=lambda one: -max(value for _, value in one.points))[:_MAX_SERIES]


def _named(legend: str, labels: dict[str, str]) -> str:
    return _LABEL.sub(lambda match: labels.get(match[1], ""), legend)


def _panel(panel: Panel, series: Sequence[_Series], window: Window) -> str:
    x, y, w, h = panel.place
    left, top, width, height = x * _COLUMN, y * _UNIT, w * _COLUMN - _GAP, h * _UNIT - _GAP
    if panel.kind == "row":
        return _text(left + 4, top + 17, panel.title, size=13, colour="#ccccdc", weight="bold")
    parts = [
        f'<g transform="translate({left} {top})">',
        f'<rect width="{width}" height="{height}" rx="3" fill="#181b1f" stroke="#2c3235"/>',
        _text(10, 18, panel.title, size=12, colour="#ccccdc", weight="bold"),
    ]
    if not series:
        parts.append(_text(width / 2, height / 2, "No data", size=14, colour="#8e8e9a", anchor="middle"))
    elif panel.kind == "stat":
        value = readable(series[0].points[-1][1], panel.unit)
        parts.append(_text(width / 2, height / 2 + 24, value, size=38, colour=_COLOURS[0], anchor="middle"))
    else:
        parts += _graph(panel, series, window, width=width, height=height)
    return "\n".join([*parts, "</g>"])


def _graph(panel: Panel, series: Sequence[_Series], window: Window, *, width: float, height: float) -> list[str]:
    left, right, top, bottom = 58.0, width - 10.0, 30.0, height - 40.0
    highest = max(value for one in series for _, value in one.points) or 1.0

    def at(time: float, value: float) -> str:
        across = (time - window.start) / (window.end - window.start)
        return f"{left + across * (right - left):.1f},{bottom - value / highest * (bottom - top):.1f}"

    parts = []
    for share in (0.0, 0.5, 1.0):
        line = bottom - share * (bottom - top)
        parts.append(f'<path d="M{left} {line:.1f}H{right}" stroke="#2c3235"/>')
        parts.append(_text(left - 6, line + 4, readable(share * highest, panel.unit), colour="#8e8e9a", anchor="end"))
    across = left
    for one, colour in zip(series, _COLOURS, strict=False):
        name = one.name if len(one.name) <= 28 else f"{one.name[:27]}…"
        if across + 16 + 6.2 * len(name) > right:
            break
        points = " ".join(at(time, max(0.0, value)) for time, value in one.points)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<rect x="{across}" y="{height - 22}" width="12" height="3" fill="{colour}"/>')
        parts.append(_text(across + 16, height - 17, name, colour="#ccccdc"))
        across += 28 + 6.2 * len(name)
    minutes = (window.end - window.start) / 60
    parts.append(_text(right, bottom + 13, f"{minutes:.0f} minutes", colour="#8e8e9a", anchor="end", size=10))
    return parts


def _text(
    x: float, y: float, text: str, *, colour: str, size: int = 11, anchor: str = "start", weight: str = "normal"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" text-anchor="{anchor}" '
        f'font-weight="{weight}">{html.escape(text)}</text>'
    )

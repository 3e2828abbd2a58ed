"""The recording of the demo: a scrolling terminal, made from a run in which all checks passed."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from tests.demo.record import COLUMNS, FILE, ROWS, Line, picture

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    root = ET.fromstring(svg)  # noqa: S314 - our own file
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def test_each_line_is_there_and_no_row_is_too_wide() -> None:
    long = "   ✓ " + "word " * 60
    rows = texts(picture([Line("<first> & line", 0.1), Line(long, 0.2), Line("", 0.0), Line("last", 60.0)]))
    assert rows[0].startswith("$ make demo")
    assert rows[1] == "<first> & line"
    assert rows[-1] == "last"
    assert max(len(row) for row in rows) <= COLUMNS


def test_it_scrolls_line_by_line_and_a_long_pause_is_shortened() -> None:
    svg = picture([Line(f"line {number}", 30.0) for number in range(ROWS)])
    frames = re.findall(r"^([\d.]+)% \{ transform: translateY\((-?\d+)px\) \}", svg, re.MULTILINE)
    assert [int(pixels) for _, pixels in frames] == [*(18 * (ROWS - shown) for shown in range(ROWS + 2)), -18]
    seconds = re.search(r"animation: scroll ([\d.]+)s", svg)
    assert seconds is not None
    assert float(seconds[1]) < 90


def test_the_recording_is_of_a_run_without_failures_and_without_local_paths() -> None:
    rows = texts(FILE.read_text(encoding="utf-8"))
    assert any(row.startswith("All checks passed in ") for row in rows)
    assert [row for row in rows if "✗" in row or re.search(r"/(home|root|Users|tmp|work)/", row)] == []

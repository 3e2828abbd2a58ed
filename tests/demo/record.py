"""Records a run of the demo as an animated SVG: `make demo-recording` writes docs/screenshots/demo.svg.

The picture is a terminal that scrolls as the lines came. Pauses are shortened. Without animations it shows the end.
"""

from __future__ import annotations

import html
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

COMMAND: Final = "make demo CLUSTER=embedded"
FILE: Final = Path(__file__).resolve().parents[2] / "docs" / "screenshots" / "demo.svg"
COLUMNS: Final = 146
ROWS: Final = 34
_LINE: Final = 18
_CHARACTER: Final = 7.83  # width at 13 px in most monospaced fonts
_MARGIN: Final = 16
_BAR: Final = 34
_LONGEST_PAUSE: Final = 1.5
_END_SECONDS: Final = 6.0
_COLOURS: Final = {"✓": "#7ee2a8", "✗": "#ff8f8f", "$": "#ffd479", "[": "#9db4ff"}


@dataclass(frozen=True)
class Line:
    """A line of output, and the seconds after the one before it."""

    text: str
    pause: float


def run() -> Iterator[Line]:
    """Run the demo on the embedded control plane. Raises CalledProcessError if a check fails."""
    command = (sys.executable, "-m", "tests.demo", "--cluster", "embedded")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        before = time.monotonic()
        for text in process.stdout:
            sys.stdout.write(text)
            now = time.monotonic()
            yield Line(text.rstrip("\n"), now - before)
            before = now
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def picture(lines: Iterable[Line]) -> str:
    """The recording as SVG."""
    rows = [row for line in (Line(f"$ {COMMAND}", 0.5), *lines) for row in _wrapped(line)]
    width = round(COLUMNS * _CHARACTER) + 2 * _MARGIN
    height = _BAR + ROWS * _LINE + _MARGIN
    text = "\n".join(_row(row.text, number) for number, row in enumerate(rows))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, \'DejaVu Sans Mono\', monospace" '
        f'font-size="13">\n<title>A run of {COMMAND}</title>\n<style>\n{_scrolling(rows)}</style>\n'
        f'<defs><clipPath id="window"><rect x="0" y="{_BAR}" width="{width}" height="{ROWS * _LINE + 4}"/></clipPath>'
        f'</defs>\n<rect width="{width}" height="{height}" rx="10" fill="#12161c" stroke="#4c5663"/>\n'
        '<g fill="#4c5663"><circle cx="22" cy="18" r="5.5"/><circle cx="40" cy="18" r="5.5"/>'
        '<circle cx="58" cy="18" r="5.5"/></g>\n'
        f'<g clip-path="url(#window)"><g class="lines" fill="#d6dce5" xml:space="preserve">\n{text}\n</g></g>\n</svg>\n'
    )


def _wrapped(line: Line) -> Iterator[Line]:
    indent = " " * (len(line.text) - len(line.text.lstrip()) + 2)
    parts = textwrap.wrap(line.text, COLUMNS, subsequent_indent=indent, drop_whitespace=False) or [""]
    for number, part in enumerate(parts):
        yield Line(part, 0.0 if number else line.pause)


def _row(text: str, number: int) -> str:
    begin = text.lstrip()[:1]
    colour = f' fill="{_COLOURS[begin]}"' if begin in _COLOURS else ""
    baseline = _BAR + number * _LINE + 14
    return f'<text x="{_MARGIN}" y="{baseline}"{colour}>{html.escape(text)}</text>' if text else ""


def _scrolling(rows: list[Line]) -> str:
    """The style that moves the lines up, so that the newest one is the lowest in the window."""
    times, now = [], 0.0
    for row in rows:
        now += min(row.pause, _LONGEST_PAUSE)
        times.append(now)
    total = now + _END_SECONDS
    steps = {0.0: _offset(0)} | {100 * at / total: _offset(shown) for shown, at in enumerate(times, start=1)}
    frames = "".join(f"{percent:.2f}% {{ transform: translateY({pixels}px) }}\n" for percent, pixels in steps.items())
    end = _offset(len(rows))
    return (
        f".lines {{ transform: translateY({end}px); animation: scroll {total:.1f}s step-end infinite }}\n"
        f"@keyframes scroll {{\n{frames}100% {{ transform: translateY({end}px) }}\n}}\n"
        ".lines text { white-space: pre }\n"
        "@media (prefers-reduced-motion: reduce) { .lines { animation: none } }\n"
    )


def _offset(shown: int) -> int:
    return (ROWS - shown) * _LINE


if __name__ == "__main__":
    FILE.write_text(picture(list(run())), encoding="utf-8")
    print(f"Wrote {FILE.relative_to(Path.cwd())}")

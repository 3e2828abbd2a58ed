"""Pictures of messages between parties, from top to bottom: a token's way, a consent's way.

title: …
lanes:
  - {name: zoom, title: Zoom, style: outside}
lane_width: 170
steps:
  - zoom -> receiver: signed webhook         # a message; ` | ` begins a new line of its text
  - kubelet --> operator: waits              # dashed: an answer, or something that is seen
  - operator: checks the signature           # what one party does by itself
"""

from __future__ import annotations

from typing import Any, Final

from tests.pictures.canvas import LINE, SIZE, Box, Canvas, Theme

_HEAD: Final = 44.0
_GAP: Final = 30.0
_MARGIN: Final = 12.0


def draw(source: dict[str, Any], theme: Theme) -> Canvas:
    """The picture of such a source."""
    lanes, lane_width = source["lanes"], float(source["lane_width"])
    centres = {lane["name"]: lane_width * (number + 0.5) for number, lane in enumerate(lanes)}
    steps = [next(iter(step.items())) for step in source["steps"]]
    height = _MARGIN + _HEAD + 14 + sum(_height(words) for _, words in steps) + _MARGIN
    canvas = Canvas(lane_width * len(lanes), height, source["title"], theme)
    for lane in lanes:
        centre = centres[lane["name"]]
        canvas.line((centre, _MARGIN + _HEAD), (centre, height - 4))
        box = Box(centre - lane_width / 2 + 10, _MARGIN, lane_width - 20, _HEAD)
        canvas.box(box, style=lane["style"])
        canvas.text(lane["title"], (centre, _MARGIN + _HEAD / 2), bold=True, inside=box)
    y = _MARGIN + _HEAD + 14
    for parties, words in steps:
        _step(canvas, parties, words, y, centres)
        y += _height(words)
    return canvas


def _height(words: str) -> float:
    return _GAP + LINE * (words.count(" | ") + 1) - 8


def _step(canvas: Canvas, parties: str, words: str, y: float, centres: dict[str, float]) -> None:
    lines = words.split(" | ")
    if "->" not in parties:
        width = max(len(line) for line in lines) * SIZE * 0.6 + 20
        box = Box(centres[parties] - width / 2, y, width, LINE * len(lines) + 10)
        canvas.box(box, style="note")
        for number, line in enumerate(lines):
            canvas.text(line, (centres[parties], y + 5 + LINE * (number + 0.5)), inside=box)
        return
    dashed = "-->" in parties
    start, end = (centres[name.strip()] for name in parties.replace("-->", "->").split("->"))
    for number, line in enumerate(lines):
        canvas.text(line, ((start + end) / 2, y + LINE * (number + 0.5)))
    below = y + LINE * len(lines) + 6
    canvas.arrow([(start, below), (end, below)], dashed=dashed)

"""Pictures of boxes and arrows: the architecture, the states of a MeetingBot.

    title: …                              # for readers who do not see the picture
    size: [900, 400]
    groups: [{at: [x, y], size: [w, h], title: …}]
    boxes:
      name: {at: [x, y], size: [w, h], style: process, title: …, lines: [one, two]}
    arrows:
      - {from: name.right, to: other.left, via: [[x, y]], label: one | two, at: [x, y], dashed: true}

`from` and `to` name a box and a side; `name.right:0.25` is a quarter of the way along that side. ` | ` separates the
lines of a label; `at` is its middle. `via` lists corners.
"""

from __future__ import annotations

from typing import Any

from tests.pictures.canvas import LINE, Box, Canvas, Point, Theme


def draw(source: dict[str, Any], theme: Theme) -> Canvas:
    """The picture of such a source."""
    width, height = source["size"]
    canvas = Canvas(width, height, source["title"], theme)
    for group in source.get("groups", []):
        box = Box(*group["at"], *group["size"])
        canvas.box(box, style="group")
        canvas.text(group["title"], (box.x + 12, box.y + 16), muted=True, anchor="start")
    boxes = {name: Box(*one["at"], *one["size"]) for name, one in source["boxes"].items()}
    for arrow in source.get("arrows", []):
        via = [(float(x), float(y)) for x, y in arrow.get("via", [])]
        points = [_anchor(boxes, arrow["from"]), *via, _anchor(boxes, arrow["to"])]
        canvas.arrow(points, dashed=arrow.get("dashed", False))
    for name, one in source["boxes"].items():
        _box(canvas, boxes[name], one)
    for arrow in source.get("arrows", []):
        if "label" in arrow:
            _lines(canvas, arrow["label"].split(" | "), tuple(arrow["at"]))
    return canvas


def _box(canvas: Canvas, box: Box, one: dict[str, Any]) -> None:
    canvas.box(box, style=one["style"], dashed=one.get("dashed", False))
    lines = one.get("lines", [])
    middle = box.x + box.width / 2
    top = box.y + box.height / 2 - len(lines) * LINE / 2
    canvas.text(one["title"], (middle, top), bold=True, inside=box)
    for number, words in enumerate(lines, start=1):
        canvas.text(words, (middle, top + number * LINE), muted=True, inside=box)


def _lines(canvas: Canvas, lines: list[str], at: tuple[Any, ...]) -> None:
    x, y = float(at[0]), float(at[1]) - (len(lines) - 1) * LINE / 2
    for number, words in enumerate(lines):
        canvas.text(words, (x, y + number * LINE))


def _anchor(boxes: dict[str, Box], place: str) -> Point:
    name, _, side = place.partition(".")
    side, _, part = side.partition(":")
    box, along = boxes[name], float(part or 0.5)
    return {
        "left": (box.x, box.y + box.height * along),
        "right": (box.x + box.width, box.y + box.height * along),
        "top": (box.x + box.width * along, box.y),
        "bottom": (box.x + box.width * along, box.y + box.height),
    }[side]

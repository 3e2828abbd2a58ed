"""The documentation's pictures are up to date, and no text covers another text or a shape that is not its own."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.pictures import graph
from tests.pictures.canvas import LIGHT, Box, Canvas
from tests.pictures.files import FOLDER, drawn

PICTURES = list(drawn())


def covered(canvas: Canvas) -> list[str]:
    """The texts that cover something, leave their shape or leave the picture."""
    wrong = []
    for number, text in enumerate(canvas.texts):
        outside = text.box.x < 0 or text.box.x + text.box.width > canvas.width
        leaves = text.inside is not None and not text.inside.contains(text.box)
        crosses = any(text.box.overlaps(other.box) for other in canvas.texts[:number])
        covers = any(text.box.overlaps(shape) for shape in canvas.shapes if shape != text.inside)
        if outside or leaves or crosses or covers:
            wrong.append(text.words)
    return wrong


def crossed(canvas: Canvas) -> list[tuple[float, float]]:
    """Points of arrows that lie inside a shape."""
    inner = [Box(one.x + 2, one.y + 2, one.width - 4, one.height - 4) for one in canvas.shapes]
    return [
        point
        for arrow in canvas.arrows
        for start, end in itertools.pairwise(arrow)
        for part in range(101)
        for point in [(start[0] + (end[0] - start[0]) * part / 100, start[1] + (end[1] - start[1]) * part / 100)]
        if any(box.overlaps(Box(*point, 0.01, 0.01)) for box in inner)
    ]


@pytest.mark.parametrize(("path", "canvas"), PICTURES, ids=[path.name for path, _ in PICTURES])
def test_a_picture_is_readable_and_up_to_date(path: Path, canvas: Canvas) -> None:
    assert covered(canvas) == []
    assert crossed(canvas) == []
    assert path.read_text(encoding="utf-8") == canvas.svg(), "run: make docs-files"


def test_every_picture_has_a_source() -> None:
    assert {path for path, _ in PICTURES} == set(FOLDER.glob("*.svg"))


def test_a_text_that_does_not_fit_is_seen() -> None:
    box = {"at": [10, 10], "size": [60, 40], "style": "process", "title": "much too long a title"}
    label = {"from": "one.left", "to": "one.right", "label": "over the box", "at": [40, 30]}
    canvas = graph.draw({"title": "x", "size": [100, 60], "boxes": {"one": box}, "arrows": [label]}, LIGHT)
    assert covered(canvas) == ["much too long a title", "over the box"]
    assert crossed(canvas) != []

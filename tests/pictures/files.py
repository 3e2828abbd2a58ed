"""From the sources in docs/pictures to the pictures beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import yaml

from tests.pictures import graph, sequence
from tests.pictures.canvas import DARK, LIGHT, Canvas

FOLDER: Final = Path(__file__).resolve().parents[2] / "docs" / "pictures"


def drawn() -> Iterator[tuple[Path, Canvas]]:
    """Each picture's file and content."""
    for source in sorted(FOLDER.glob("*.yaml")):
        content = yaml.safe_load(source.read_text(encoding="utf-8"))
        draw = sequence.draw if "lanes" in content else graph.draw
        for theme in (LIGHT, DARK):
            yield FOLDER / f"{source.stem}-{theme.name}.svg", draw(content, theme)

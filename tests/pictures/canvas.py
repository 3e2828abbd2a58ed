"""SVG shapes in two themes, with the boxes that their texts fill."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"
SIZE: Final = 14
LINE: Final = 19
_WIDTH: Final = {"normal": 0.60, "bold": 0.68}
"""Mean width of a character as part of the font size, in DejaVu Sans, the widest of these fonts."""
_RADIUS: Final = 10.0

Point = tuple[float, float]


@dataclass(frozen=True)
class Theme:
    """The colours of a picture."""

    name: str
    text: str
    muted: str
    line: str
    halo: str
    fill: dict[str, tuple[str, str]]
    """Fill and border of each style of box."""


LIGHT: Final = Theme(
    name="light",
    text="#1b1f24",
    muted="#57606a",
    line="#57606a",
    halo="#ffffff",
    fill={
        "process": ("#e7ebff", "#4051b5"),
        "object": ("#e6f4ea", "#2e7d4f"),
        "outside": ("#f3f1ee", "#8a8178"),
        "pod": ("#fff1dd", "#b26a00"),
        "bad": ("#fdeaea", "#b3343a"),
        "group": ("none", "#b8bfc8"),
        "note": ("#ffffff", "#b8bfc8"),
    },
)
DARK: Final = Theme(
    name="dark",
    text="#e9edf2",
    muted="#a5afbb",
    line="#a5afbb",
    halo="#12161c",
    fill={
        "process": ("#252e5a", "#8c9eff"),
        "object": ("#16382a", "#66bb8a"),
        "outside": ("#2f2c29", "#a1978c"),
        "pod": ("#43310f", "#ffb74d"),
        "bad": ("#47191c", "#ef8085"),
        "group": ("none", "#4c5663"),
        "note": ("#12161c", "#4c5663"),
    },
)


@dataclass(frozen=True)
class Box:
    """A rectangle, by its left upper corner."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: Box) -> bool:
        """Whether both cover some place."""
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )

    def contains(self, other: Box) -> bool:
        """Whether the other one lies inside."""
        return (
            self.x <= other.x
            and self.y <= other.y
            and other.x + other.width <= self.x + self.width
            and other.y + other.height <= self.y + self.height
        )


@dataclass(frozen=True)
class Text:
    """A text that was drawn, where it is, and the shape that it belongs to (None for a free label)."""

    words: str
    box: Box
    inside: Box | None


@dataclass
class Canvas:
    """Collects shapes. Keeps texts, shapes and arrows, so that a test can find what overlaps."""

    width: float
    height: float
    title: str
    theme: Theme
    texts: list[Text] = field(default_factory=list)
    shapes: list[Box] = field(default_factory=list)
    arrows: list[tuple[Point, ...]] = field(default_factory=list)
    _parts: list[str] = field(default_factory=list)

    def box(self, box: Box, *, style: str, dashed: bool = False) -> None:
        """A rounded rectangle. Groups may hold anything, so they are not kept as shapes."""
        fill, border = self.theme.fill[style]
        dash = ' stroke-dasharray="5 4"' if dashed or style == "group" else ""
        self._parts.append(
            f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="8" '
            f'fill="{fill}" stroke="{border}" stroke-width="1.5"{dash}/>'
        )
        if style != "group":
            self.shapes.append(box)

    def text(
        self,
        words: str,
        at: Point,
        *,
        bold: bool = False,
        muted: bool = False,
        anchor: str = "middle",
        inside: Box | None = None,
    ) -> None:
        """One line of text; `at` is the middle of its height, and its middle or start in width."""
        width = len(words) * SIZE * _WIDTH["bold" if bold else "normal"]
        left = at[0] - (width / 2 if anchor == "middle" else 0)
        self.texts.append(Text(words, Box(left, at[1] - LINE / 2, width, LINE), inside))
        colour = self.theme.muted if muted else self.theme.text
        halo = "" if inside else f' stroke="{self.theme.halo}" stroke-width="4" paint-order="stroke"'
        weight = ' font-weight="600"' if bold else ""
        self._parts.append(
            f'<text x="{at[0]:g}" y="{at[1] + 5:g}" text-anchor="{anchor}" fill="{colour}"{weight}{halo}>'
            f"{html.escape(words)}</text>"
        )

    def arrow(self, points: Sequence[Point], *, dashed: bool = False) -> None:
        """A line with rounded corners through the points, and a head at its end."""
        self.arrows.append(tuple(points))
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self._parts.append(
            f'<path d="{_path(points)}" fill="none" stroke="{self.theme.line}" stroke-width="1.5"{dash} '
            'marker-end="url(#head)"/>'
        )

    def line(self, start: Point, end: Point) -> None:
        """A thin line without a head."""
        self._parts.append(
            f'<path d="M{start[0]:g} {start[1]:g} L{end[0]:g} {end[1]:g}" stroke="{self.theme.muted}" '
            'stroke-width="1" stroke-dasharray="2 4"/>'
        )

    def svg(self) -> str:
        """The whole picture."""
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'width="{self.width:g}" height="{self.height:g}" role="img" font-family="{html.escape(FONT)}" '
            f'font-size="{SIZE}">\n<title>{html.escape(self.title)}</title>\n'
            '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
            f'orient="auto-start-reverse"><path d="M0 1 L9 5 L0 9 z" fill="{self.theme.line}"/></marker></defs>\n'
            + "\n".join(self._parts)
            + "\n</svg>\n"
        )


def _path(points: Sequence[Point]) -> str:
    start, *rest = points
    parts = [f"M{start[0]:g} {start[1]:g}"]
    for before, corner, after in zip(points, rest, rest[1:], strict=False):
        enter, leave = _towards(corner, before), _towards(corner, after)
        parts.append(f"L{enter[0]:.1f} {enter[1]:.1f} Q{corner[0]:g} {corner[1]:g} {leave[0]:.1f} {leave[1]:.1f}")
    end = rest[-1]
    return " ".join([*parts, f"L{end[0]:g} {end[1]:g}"])


def _towards(corner: Point, other: Point) -> Point:
    """The point on the way from the corner to the other, where the curve of the corner begins."""
    across, down = other[0] - corner[0], other[1] - corner[1]
    length = (across**2 + down**2) ** 0.5 or 1.0
    part = min(_RADIUS, length / 2) / length
    return corner[0] + across * part, corner[1] + down * part

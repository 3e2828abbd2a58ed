"""YAML blocks of Markdown pages and files of YAML, and what is wrong with an object by the CRDs' schemas."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

ROOT: Final = Path(__file__).resolve().parents[3]
PAGES: Final = (
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "charts" / "meetingbots" / "README.md",
)
EXAMPLES: Final = tuple(sorted((ROOT / "examples").rglob("*.y*ml")))
_BLOCK: Final = re.compile(r"^( *)```(\w*)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Document:
    """One YAML document and where it stands."""

    place: str
    content: Any


def blocks(text: str) -> list[str]:
    """The YAML blocks of a Markdown text."""
    return [match[3] for match in _BLOCK.finditer(text) if match[2] in ("yaml", "yml")]


def of_pages() -> list[Document]:
    """All YAML documents of all pages."""
    return [
        Document(f"{page.relative_to(ROOT)}#{number}", content)
        for page in PAGES
        for number, block in enumerate(blocks(page.read_text(encoding="utf-8")), start=1)
        for content in yaml.safe_load_all(block)
    ]


def of_examples() -> list[Document]:
    """All YAML documents of the examples."""
    return [
        Document(str(path.relative_to(ROOT)), content)
        for path in EXAMPLES
        for content in yaml.safe_load_all(path.read_text(encoding="utf-8"))
    ]


def unknown_fields(content: Any, schema: Mapping[str, Any], *, at: str = "") -> Iterator[str]:
    """Paths of fields that a structural schema does not have; the API server would refuse or drop them."""
    if isinstance(content, list):
        for item in content:
            yield from unknown_fields(item, schema.get("items", {}), at=f"{at}[]")
    if not isinstance(content, dict) or schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    for key, value in content.items():
        below = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
        if below is None:
            yield f"{at}.{key}".removeprefix(".")
        else:
            yield from unknown_fields(value, below, at=f"{at}.{key}")

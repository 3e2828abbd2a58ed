"""Texts that people read have no words that the house rules replace: code, chart, examples, pages, Makefile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORDS = re.compile(
    r"\b(told|whoever|put away|given back|goes without|what is so|in vain|anew|mend(ed)?|dealt with|for ever|shall)\b",
    re.IGNORECASE,
)
READ_BY_PEOPLE = ("operator", "charts", "examples", "docs")
SUFFIXES = {".py", ".md", ".yaml", ".tpl", ".txt", ".lua", ".html"}


def files() -> Iterator[Path]:
    yield ROOT / "Makefile"
    yield from ROOT.glob("*.md")
    for folder in READ_BY_PEOPLE:
        yield from (file for file in (ROOT / folder).rglob("*") if file.suffix in SUFFIXES)


def found(text: str) -> list[str]:
    return [match[0] for match in WORDS.finditer(text)]


def test_the_words_are_plain() -> None:
    wrong = {str(file.relative_to(ROOT)): found(file.read_text(encoding="utf-8")) for file in files()}
    assert {name: words for name, words in wrong.items() if words} == {}


def test_an_archaic_word_is_seen() -> None:
    assert found("The user is told. Untold, toldest: mended, and shall go.") == ["told", "mended", "shall"]

"""Faults that people meet, as tables: fault, where it is shown, its words, and the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from tests.tables.places import with_table

SOURCE: Final = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One row. `words` are a part of the message; `tests` are the names of tests that show it."""

    fault: str
    shown: str
    remedy: str
    tests: tuple[str, ...]
    reason: str = ""
    words: str = ""


def sections() -> dict[str, list[Fault]]:
    """All rows by their section's heading."""
    return {
        section["section"]: [Fault(**{**row, "tests": tuple(row["tests"])}) for row in section["rows"]]
        for section in yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    }


def in_document(text: str) -> str:
    """The page about faults with these tables brought up to date."""
    return with_table(text, name="faults", table="\n\n".join(_table(*section) for section in sections().items()))


def _table(heading: str, rows: list[Fault]) -> str:
    head = ["| Fault | Where you see it | Reason | Message | What to do |", "| --- | --- | --- | --- | --- |"]
    lines = [
        f"| {row.fault} | {row.shown} | {row.reason} | {f'… {row.words} …' if row.words else ''} | {row.remedy} |"
        for row in rows
    ]
    return "\n".join([f"## {heading}", "", *head, *lines])

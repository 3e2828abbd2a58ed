"""What can happen to a MeetingBot, as tables: situation, reason, what the operator does, what a person can do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from tests.tables.places import with_table

SOURCE: Final = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One row; `tests` are the names of the tests that show the behaviour."""

    happens: str
    operator: str
    tests: tuple[str, ...]
    reason: str = ""
    person: str = ""


def sections() -> dict[str, list[Cause]]:
    """All rows by their section's heading."""
    return {
        section["section"]: [Cause(**{**row, "tests": tuple(row["tests"])}) for row in section["rows"]]
        for section in yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    }


def causes_tables() -> str:
    """One table for each section, as Markdown."""
    return "\n\n".join(_table(heading, rows) for heading, rows in sections().items())


def in_document(text: str) -> str:
    """The page about MeetingBots with these tables brought up to date."""
    return with_table(text, name="causes", table=causes_tables())


def _table(heading: str, rows: list[Cause]) -> str:
    lines = [f"| {row.happens} | {row.reason} | {row.operator} | {row.person} |" for row in rows]
    head = ["| Situation | Reason | What the operator does | What you can do |", "| --- | --- | --- | --- |"]
    return "\n".join([f"### {heading}", "", *head, *lines])

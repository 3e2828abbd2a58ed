"""docs/users/meetingbot.md: every phase and every reason is there, and every test of a row exists."""

import re

from meetingbots.models.bot import BotPhase, BotReason

from tests.tables.causes import in_document, sections
from tests.unit.pages.yaml_blocks import ROOT

PAGE = (ROOT / "docs" / "users" / "meetingbot.md").read_text(encoding="utf-8")
ROWS = [row for rows in sections().values() for row in rows]


def test_the_tables_are_up_to_date() -> None:
    assert in_document(PAGE) == PAGE


def test_every_reason_has_a_row() -> None:
    reported = {reason for row in ROWS for reason in re.findall(r"`(\w+)`", row.reason)}
    assert [reason for reason in BotReason if reason not in reported] == []


def test_every_phase_is_in_the_table_of_phases() -> None:
    table = PAGE.partition("## Phases")[2].partition("## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) != []
    assert [phase for phase in BotPhase if f"| `{phase}` |" not in table] == []


def test_every_row_is_shown_by_tests_that_exist() -> None:
    files = (ROOT / "tests").rglob("test_*.py")
    known = {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))}
    assert [row.happens for row in ROWS if not row.tests] == []
    assert [name for row in ROWS for name in row.tests if name not in known] == []

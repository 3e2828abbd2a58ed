"""docs/users/meetingbot.md: every reason is told, and every test that it names exists where it says."""

import re
from pathlib import Path

from meetingbots.models.bot import BotPhase, BotReason

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "users" / "meetingbot.md").read_text(encoding="utf-8")


def names_in(folder: str) -> set[str]:
    files = (ROOT / "tests" / folder).rglob("test_*.py")
    return {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))}


def test_every_phase_and_reason_is_there() -> None:
    table = PAGE.partition("## Causes")[2]
    assert [reason for reason in BotReason if f"`{reason}`" not in table] == []
    diagram = PAGE.partition("```mermaid")[2].partition("```")[0]
    assert [phase for phase in BotPhase if phase not in diagram] == []


def test_every_test_exists() -> None:
    named = re.findall(r"`(test_\w+)`( ᴵ)?", PAGE)
    assert len(named) > 40
    unit, integration = names_in("unit"), names_in("integration")
    assert [name for name, mark in named if name not in (integration if mark else unit)] == []

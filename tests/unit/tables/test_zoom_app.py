"""The scopes and events that the docs say to tick are those of the code."""

from pathlib import Path

import pytest
from meetingbots.zoom.scopes import NEEDS, ScopeLevel, missing

from tests.tables.places import NoPlaceError, with_table
from tests.tables.zoom_app import FOR, events_table, in_document, scopes_table, uncovered

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "operators" / "zoom-app.md"


def test_the_document_is_up_to_date() -> None:
    text = DOCUMENT.read_text()
    assert in_document(text) == text, "run: python -m tests.tables"


def test_every_feature_is_in_the_table() -> None:
    assert set(FOR) == set(NEEDS)
    assert len(scopes_table().splitlines()) == 2 + len(NEEDS)


@pytest.mark.parametrize("level", ScopeLevel)
@pytest.mark.parametrize("column", [0, 1], ids=["granular", "classic"])
def test_who_ticks_all_of_a_column_lacks_nothing(level: ScopeLevel, column: int) -> None:
    place = 2 + column + (2 if level is ScopeLevel.ACCOUNT else 0)
    rows = [line.split("|") for line in scopes_table().splitlines()[2:]]
    ticked = {row[place].strip(" `") for row in rows} - {""}
    of_level = [
        feature for feature in NEEDS if level is ScopeLevel.ACCOUNT or "list_users" not in NEEDS[feature].granular
    ]
    assert missing(ticked, level=level, features=of_level) == {}
    for scope in ticked:
        assert missing(ticked - {scope}, level=level, features=of_level), f"{scope} is not needed"


def test_every_event_is_in_the_table() -> None:
    assert uncovered() == set()
    assert "`app_deauthorized`" in events_table()


def test_a_document_without_the_place_is_reported() -> None:
    with pytest.raises(NoPlaceError, match="scopes"):
        with_table("nothing here", name="scopes", table="x")

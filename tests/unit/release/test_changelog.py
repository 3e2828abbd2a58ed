import pytest
import yaml

from tests.chart.rendering import ROOT
from tests.release.changelog import artifact_hub_changes, newest_entry

LOG = """# Changelog

## [0.2.0] - 2026-01-01

### Added

- A field `x`,
  in two lines.

### Security

- A fix.

## [0.1.0]

- Older.
"""


def test_the_newest_entry_is_read() -> None:
    entry = newest_entry(LOG)
    assert entry.version == "0.2.0"
    assert entry.changes == (("Added", "A field `x`, in two lines."), ("Security", "A fix."))
    assert "Older" not in entry.text


def test_artifact_hub_gets_its_kinds() -> None:
    changes = yaml.safe_load(artifact_hub_changes(newest_entry(LOG)))
    assert changes == [
        {"kind": "added", "description": "A field x, in two lines."},
        {"kind": "security", "description": "A fix."},
    ]


def test_an_unknown_section_and_an_empty_log_are_errors() -> None:
    with pytest.raises(ValueError, match="unknown section Repaired"):
        newest_entry(LOG.replace("Security", "Repaired"))
    with pytest.raises(ValueError, match="no entry"):
        newest_entry("# Changelog\n")


def test_our_changelog_can_be_released() -> None:
    assert newest_entry((ROOT / "CHANGELOG.md").read_text()).changes

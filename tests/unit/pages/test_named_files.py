"""Files and folders that the pages for contributors name exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.pages.yaml_blocks import PAGES, ROOT

PATH = re.compile(r"`([\w.-]+/[\w./-]*|\w+\.(?:py|yaml|md))`")
PACKAGE = ROOT / "operator" / "meetingbots"
FOR_CONTRIBUTORS = [page for page in PAGES if "contributors" in page.parts or page.name == "CONTRIBUTING.md"]
# Names of files that each slice has, named without a folder.
IN_EACH_SLICE = {"facts.py", "gather.py", "assembly.py"}
PLACES = (ROOT, PACKAGE, *(PACKAGE / slice_ for slice_ in ("bots", "credentials", "mappings")))


def missing(text: str) -> list[str]:
    named = {path for path in PATH.findall(text) if path not in IN_EACH_SLICE}
    return sorted(path for path in named if not any((place / path).exists() for place in PLACES))


@pytest.mark.parametrize("page", FOR_CONTRIBUTORS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_named_file_exists(page: Path) -> None:
    assert missing(page.read_text(encoding="utf-8")) == []


def test_a_name_without_a_file_is_seen() -> None:
    assert missing("`bots/decide/facts.py` `bots/nothing.py` `nothing.py` `kubectl get`") == [
        "bots/nothing.py",
        "nothing.py",
    ]

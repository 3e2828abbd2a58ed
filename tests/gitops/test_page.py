"""docs/users/gitops.md: its table says what the engines are tested to say, and the files that it names exist."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.gitops.conftest import EXAMPLES
from tests.gitops.outcomes import BOT_REASONS, CREDENTIAL_REASONS, Outcome

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "users" / "gitops.md").read_text(encoding="utf-8")


def rows(kind: str) -> Iterator[tuple[list[str], Outcome]]:
    """The reasons in each row about a kind, with what it says of them."""
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 5 and cells[0].startswith(f"{kind}: "):
            yield re.findall(r"`(\w+)`", cells[1]), Outcome(*cells[2:])


@pytest.mark.parametrize(("kind", "reasons"), [("credential", CREDENTIAL_REASONS), ("bot", BOT_REASONS)])
def test_the_table_has_each_reason_with_its_outcome(kind: str, reasons: Mapping[str, Outcome]) -> None:
    reported = [(reason, outcome) for named, outcome in rows(kind) for reason in named]
    assert len(reported) == len(dict(reported))
    assert dict(reported) == {str(reason): outcome for reason, outcome in reasons.items()}


def test_the_files_exist() -> None:
    named = re.findall(r"`((?:team|flux|argocd)/[\w./-]*)`", PAGE)
    assert len(named) > 6
    assert [name for name in named if not (EXAMPLES / name).exists()] == []

"""docs/users/faults.md: up to date; its messages are the code's, and its tests exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from meetingbots.models.bot import BotReason
from meetingbots.models.credential import CredentialReason
from meetingbots.models.credential_status import WebhookReason

from tests.tables.faults import in_document, sections
from tests.unit.pages.yaml_blocks import ROOT

PAGE = (ROOT / "docs" / "users" / "faults.md").read_text(encoding="utf-8")
ROWS = [row for rows in sections().values() for row in rows]


def texts() -> Iterator[str]:
    """All texts of the operator's code that are no docstrings."""
    for file in (ROOT / "operator").rglob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield node.value


def test_the_page_is_up_to_date() -> None:
    assert in_document(PAGE) == PAGE, "run: make docs-files"


def test_every_message_is_one_of_the_code() -> None:
    known = list(texts())
    assert [row.words for row in ROWS if row.words and not any(row.words in text for text in known)] == []
    assert [row.words for row in ROWS if 0 < len(row.words) < 15] == []


def test_every_row_is_shown_by_tests_that_exist() -> None:
    files = (ROOT / "tests").rglob("test_*.py")
    known = {name for file in files for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))}
    assert [row.fault for row in ROWS if not row.tests] == []
    assert [name for row in ROWS for name in row.tests if name not in known] == []


def test_every_reason_that_a_person_must_act_on_is_there() -> None:
    reported = {reason for row in ROWS for reason in re.findall(r"`(\w+)`", row.reason)}
    by_itself = {CredentialReason.TOKEN_VALID, CredentialReason.SUSPENDED}
    explained_with_the_grant = {CredentialReason.GRANT_SECRET_MISSING}
    expected = set(CredentialReason) - by_itself - explained_with_the_grant
    assert sorted(expected - reported) == []
    assert reported <= {*CredentialReason, *BotReason, *WebhookReason, "SyncFailed"}

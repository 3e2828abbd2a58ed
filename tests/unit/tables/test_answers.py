"""The docs' table of Zoom's answers is the code's."""

from __future__ import annotations

from pathlib import Path

from meetingbots.models.credential import CredentialReason
from meetingbots.zoom.http.error_table import TABLE

from tests.tables.answers import answers_table, in_document

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "users" / "zoom-answers.md"


def test_the_document_is_up_to_date() -> None:
    text = DOCUMENT.read_text()
    assert in_document(text) == text, "run: python -m tests.tables"


def test_the_table_has_every_answer_about_a_credential() -> None:
    table = answers_table()
    assert all(row.says in table for row in TABLE if row.cause.value in ("GrantInvalid", "CodeExpired", "AppInvalid"))
    for reason in ("REAUTHORIZATION_REQUIRED", "APP_INVALID", "USER_INACTIVE", "DISABLED_BY_ADMIN", "ZOOM_UNAVAILABLE"):
        assert f"`{CredentialReason[reason]}`" in table


def test_every_reason_is_explained() -> None:
    text = DOCUMENT.read_text() + (DOCUMENT.parent / "credentials.md").read_text()
    assert [reason for reason in CredentialReason if f"`{reason}`" not in text] == []

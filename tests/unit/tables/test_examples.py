"""The tables of Pod ends and links: up to date, complete, and as they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from meetingbots.bots.decide.pod_ends import Outcome

from tests.tables import links, pod_ends

USERS = Path(__file__).resolve().parents[3] / "docs" / "users"


@pytest.mark.parametrize(
    ("page", "in_document"), [("bot-ends.md", pod_ends.in_document), ("links.md", links.in_document)]
)
def test_the_page_is_up_to_date(page: str, in_document: Callable[[str], str]) -> None:
    text = (USERS / page).read_text(encoding="utf-8")
    assert in_document(text) == text, "run: make docs-files"


def test_every_outcome_has_an_example() -> None:
    assert {pod_ends.judged(example)[0] for example in pod_ends.EXAMPLES} == set(Outcome) == set(pod_ends.MEANINGS)


def test_what_the_table_calls_accepted_is_accepted() -> None:
    assert [text for _, text in links.ACCEPTED if links.reading(text).startswith("rejected")] == []
    assert [text for _, text in links.REJECTED if not links.reading(text).startswith("rejected")] == []


def test_a_pasted_passcode_is_read_without_what_surrounds_it() -> None:
    with_passcode = [text for _, text in links.ACCEPTED if "Secret.1" in text]
    assert len(with_passcode) > 5
    assert [text for text in with_passcode if "passcode `Secret.1`" not in links.reading(text)] == []

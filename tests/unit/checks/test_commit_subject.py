import pytest

from tests.checks.commit_subject import problem_of


@pytest.mark.parametrize(
    "message",
    ["Add a check", "Add a check\n\nIt says why.\n", f"{'x' * 72}\n# a comment of Git\n", f"fixup! {'x' * 72}"],
)
def test_a_well_formed_message_has_no_problem(message: str) -> None:
    assert problem_of(message) is None


@pytest.mark.parametrize(
    ("message", "problem"),
    [
        ("", "the subject is empty"),
        ("# only comments\n", "the subject is empty"),
        ("x" * 73, "the subject has 73 characters, the limit is 72"),
        ("Add a check.", "the subject ends with a full stop"),
        ("Add a check\nIt says why.", "a blank line is missing after the subject"),
    ],
)
def test_a_malformed_message_is_explained(message: str, problem: str) -> None:
    assert problem_of(message) == problem

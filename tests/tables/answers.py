"""The table of Zoom's answers about a credential: reason, message, and when Zoom is asked again."""

from __future__ import annotations

from collections.abc import Iterator

from meetingbots.credentials.decide.failures import FIXABLE_SECONDS, is_final, reason_of
from meetingbots.zoom.errors import Cause, PermanentError, TransientError, ZoomError
from meetingbots.zoom.http.calls import Family
from meetingbots.zoom.http.error_table import TABLE, Row
from meetingbots.zoom.http.responses import Shape

from tests.tables.places import with_table

# Requests about a credential: for tokens, and for the user that they belong to.
_ASKED = {
    Family.REFRESH: "refresh",
    Family.CODE: "code",
    Family.ACCOUNT_TOKEN: "account token",
    Family.USER: "user",
}
_OF_CREDENTIALS = Family.REFRESH | Family.CODE | Family.ACCOUNT_TOKEN | Family.USER
_SHAPES = {Shape.HTML: "a web page", Shape.EMPTY: "empty", Shape.GARBLED: "unreadable", Shape.ANY: ""}


def answers_table() -> str:
    """The whole table, as Markdown."""
    head = [
        "| Request | Zoom's answer | Reason of `Ready` | Message | Next request |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows = [_line(row) for row in TABLE if row.family & _OF_CREDENTIALS]
    return "\n".join([*head, *rows, *_without_answer()])


def in_document(text: str) -> str:
    """A document with the table brought up to date."""
    return with_table(text, name="answers", table=answers_table())


def _line(row: Row) -> str:
    kind = PermanentError if row.definite else TransientError
    error = kind(row.cause, message=row.says, maybe_done=row.maybe_done)
    family = row.family & _OF_CREDENTIALS
    renewable = family == Family.ACCOUNT_TOKEN
    return _cells(_asked(family), " ".join(filter(None, _answer(row))), error, renewable=renewable)


def _without_answer() -> Iterator[str]:
    unreachable = TransientError(Cause.UNAVAILABLE, message="Zoom cannot be reached")
    lost = TransientError(
        Cause.UNAVAILABLE, message="Zoom did not answer in time, or the connection broke", maybe_done=True
    )
    unknown = TransientError(Cause.UNKNOWN, message="Zoom gave an answer that is not known here")
    yield _cells("any", "none: no connection", unreachable)
    yield _cells("any", "none: timeout, connection closed", lost)
    yield _cells("any", "any other answer", unknown)


def _cells(asked: str, answer: str, error: ZoomError, *, renewable: bool = False) -> str:
    reason = reason_of(error, renewable=renewable)
    return f"| {asked} | {answer} | `{reason}` | {error.message} | {_again(error, final=not renewable)} |"


def _asked(family: Family) -> str:
    named = [name for one, name in _ASKED.items() if one & family]
    return "any" if len(named) == len(_ASKED) else ", ".join(named)


def _answer(row: Row) -> Iterator[str]:
    low, high = row.status
    if (low, high) != (100, 999):
        yield f"HTTP {low}" if low == high else f"HTTP {low} to {min(high, 599)}"
    if row.shape in _SHAPES:
        yield _SHAPES[row.shape]
    if row.codes:
        yield f"code {', '.join(sorted(row.codes))}"
    if row.errors:
        yield f"`{'`, `'.join(sorted(row.errors))}`"
    if row.words is not None:
        words = row.words.pattern.replace("|", "\\|")
        yield f"text matches `{words}`"


def _again(error: ZoomError, *, final: bool) -> str:
    if error.definite and final and is_final(error):
        return "never with this token or code: a new consent is needed"
    if error.definite and error.kind in (Cause.SCOPES_MISSING, Cause.NO_PERMISSION):
        return "with each new token, else after 30 s, 1 min, … 10 min"
    if error.definite:
        return f"every {FIXABLE_SECONDS:.0f} s, until it is corrected"
    if error.kind is Cause.TOKEN_EXPIRED:
        return "at once with a new token, then after 5 s, 10 s, … 10 min"
    if error.kind is Cause.RATE_LIMITED:
        return "when Zoom says (a daily limit without a time: midnight UTC), else after 5 s, 10 s, … 10 min"
    return "after 5 s, 10 s, … 10 min, or when Zoom says" + (
        "; if the token was spent: `RotationInterrupted`" if error.maybe_done else ""
    )

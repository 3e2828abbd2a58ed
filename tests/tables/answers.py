"""The table from Zoom's answers about a credential to its reason, its meaning and when Zoom is asked again."""

from __future__ import annotations

from collections.abc import Iterator

from meetingbots.credentials.decide.retry import MENDABLE_SECONDS, is_final, reason_of
from meetingbots.zoom.errors import Cause, PermanentError, TransientError, ZoomError
from meetingbots.zoom.http.calls import Family
from meetingbots.zoom.http.error_table import TABLE, Row
from meetingbots.zoom.http.responses import Shape

BEGIN = "<!-- made by python -m tests.tables -->"
END = "<!-- end of what is made -->"

# What a credential asks Zoom for: tokens, and whose they are.
_ASKED = {
    Family.REFRESH: "refresh",
    Family.CODE: "code",
    Family.ACCOUNT_TOKEN: "account token",
    Family.USER: "user",
}
_OF_CREDENTIALS = Family.REFRESH | Family.CODE | Family.ACCOUNT_TOKEN | Family.USER
_SHAPES = {Shape.HTML: "a web page", Shape.EMPTY: "nothing", Shape.GARBLED: "something unreadable", Shape.ANY: ""}


def answers_table() -> str:
    """The whole table, as Markdown."""
    head = [
        "| asked for | Zoom answers | reason of `Ready` | message | asked again |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows = [_line(row) for row in TABLE if row.family & _OF_CREDENTIALS]
    return "\n".join([*head, *rows, *_without_answer()])


def in_document(text: str) -> str:
    """A document with the table in its place brought up to date."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{answers_table()}\n\n{END}{after}"


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
    yield _cells("anything", "nothing: no connection", unreachable)
    yield _cells("anything", "nothing: time-out, connection closed", lost)
    yield _cells("anything", "any other answer", unknown)


def _cells(asked: str, answer: str, error: ZoomError, *, renewable: bool = False) -> str:
    reason = reason_of(error, renewable=renewable)
    return f"| {asked} | {answer} | `{reason}` | {error.message} | {_again(error, final=not renewable)} |"


def _asked(family: Family) -> str:
    named = [name for one, name in _ASKED.items() if one & family]
    return "anything" if len(named) == len(_ASKED) else ", ".join(named)


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
        yield f"with words like `{words}`"


def _again(error: ZoomError, *, final: bool) -> str:
    if error.definite and final and is_final(error):
        return "not with this token or code: a new consent is needed"
    if error.definite and error.kind in (Cause.SCOPES_MISSING, Cause.NO_PERMISSION):
        return "with each new token, else after 30 s, 1 min, … 10 min"
    if error.definite:
        return f"every {MENDABLE_SECONDS:.0f} s, until someone has mended it"
    if error.kind is Cause.TOKEN_EXPIRED:
        return "at once with a new token, then after 5 s, 10 s, … 10 min"
    if error.kind is Cause.RATE_LIMITED:
        return "when Zoom says, a daily limit without a time at midnight UTC; else after 5 s, 10 s, … 10 min"
    return "after 5 s, 10 s, … 10 min, or when Zoom says" + (
        "; if the token was spent meanwhile: `RotationInterrupted`" if error.maybe_done else ""
    )

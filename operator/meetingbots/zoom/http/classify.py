"""Turns an error answer into a :class:`ZoomError`."""

from __future__ import annotations

import re
from typing import Final

from meetingbots.zoom.errors import Cause, PermanentError, TransientError, ZoomError
from meetingbots.zoom.http.calls import Call
from meetingbots.zoom.http.error_table import TABLE, Row
from meetingbots.zoom.http.responses import Reading, ZoomResponse, is_daily, plain_words, read, retry_after

_SCOPE_LIST: Final = re.compile(r"scopes?\s*:?\s*\[([^\]]*)\]", re.IGNORECASE)
_SCOPE: Final = re.compile(r"[a-z_]{1,40}(?::[a-z_]{1,40}){1,4}")
_UNKNOWN: Final = Row(cause=Cause.UNKNOWN, says="Zoom gave an unknown answer")


def classify(answer: ZoomResponse, *, call: Call) -> ZoomError:
    """Return the error that an answer means; an incomplete answer is an error, too. The caller raises it."""
    reading = read(answer)
    row = next((row for row in TABLE if row.fits(reading, family=call.family)), _UNKNOWN)
    kind = PermanentError if row.definite else TransientError
    scopes = missing_scopes(reading.text) if row.cause is Cause.SCOPES_MISSING else ()
    return kind(
        row.cause,
        message=_message(row, reading=reading, scopes=scopes),
        code=reading.code or reading.oauth_error,
        http_status=answer.status,
        retry_after=None if row.definite else retry_after(answer.headers),
        scopes=scopes,
        daily=row.cause is Cause.RATE_LIMITED and is_daily(answer.headers, text=reading.text),
        maybe_done=row.maybe_done,
    )


def missing_scopes(text: str) -> tuple[str, ...]:
    """Return the scopes that Zoom names as missing: ``… does not contain scopes:[a:b, c:d].``."""
    listed = _SCOPE_LIST.search(text)
    return tuple(dict.fromkeys(_SCOPE.findall(listed.group(1)))) if listed else ()


def _message(row: Row, *, reading: Reading, scopes: tuple[str, ...]) -> str:
    code = reading.code or reading.oauth_error
    where = f"HTTP {reading.status}, {code}" if code else f"HTTP {reading.status}"
    text = f"{row.says} ({where})"
    if scopes:
        return f"{text}: {', '.join(scopes)}"
    if row.cause is Cause.UNKNOWN and reading.text:
        return f"{text}: {plain_words(reading.text)}"
    return text

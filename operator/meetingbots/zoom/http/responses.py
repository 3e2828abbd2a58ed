"""What an answer of Zoom's says, read without trusting it: its shape, its codes, its words, its limits.

Zoom answers errors as ``{"code": 3001, "message": …}`` (REST) or ``{"reason": …, "error": "invalid_grant"}`` (OAuth,
with a four-digit code in the reason at times), and now and then as an HTML page, an empty body or half of something.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import orjson

from meetingbots.zoom.http.calls import Category, RateReport
from meetingbots.zoom.timestamps import http_moment, iso_moment

_OAUTH_CODE: Final = re.compile(r"(?<![\w-])4,?7\d\d(?![\w-])")
_OAUTH_ERROR: Final = re.compile(r"[a-z]+(?:_[a-z]+){0,4}")
_NUMBER: Final = re.compile(r"\d{1,6}(?:\.\d{1,6})?")
_PLAIN_WORD: Final = re.compile(r"[A-Za-z]?[a-z]{0,14}[,.:;!?]?|\d{1,4}[,.:;!?]?")
_MAX_WORDS: Final = 24
_MAX_RETRY_SECONDS: Final = 2 * 86_400.0


class Shape(enum.Flag):
    """What a body is."""

    OBJECT = enum.auto()
    HTML = enum.auto()
    EMPTY = enum.auto()
    GARBLED = enum.auto()
    ANY = OBJECT | HTML | EMPTY | GARBLED


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoomResponse:
    """An HTTP answer, read to its end. Body and fields may hold tokens, so they are in no repr."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Found in lower case."""
    body: bytes = field(repr=False)
    seconds: float = 0.0
    """From its request's sending until all of it was there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An answer, read: ``fields`` is the JSON object (empty unless ``shape`` is OBJECT)."""

    status: int
    shape: Shape
    fields: Mapping[str, object] = field(repr=False)
    code: str
    """Zoom's number, ``""`` without one."""
    oauth_error: str
    text: str = field(repr=False)
    """Zoom's own words; may hold anything, so it is matched against but never shown."""


def read(answer: ZoomResponse) -> Reading:
    """Read an answer; never raises."""
    shape, fields = _json_object(answer)
    words = [fields.get(key) for key in ("message", "reason", "errorMessage", "error_description")]
    text = " ".join(word for word in words if isinstance(word, str))
    return Reading(
        status=answer.status,
        shape=shape,
        fields=fields,
        code=_code(fields, text=text),
        oauth_error=_oauth_error(fields),
        text=text,
    )


def _json_object(answer: ZoomResponse) -> tuple[Shape, Mapping[str, object]]:
    body = answer.body.strip()
    if not body:
        return Shape.EMPTY, {}
    try:
        value = orjson.loads(body)
    except ValueError:
        is_page = body.startswith(b"<") or "html" in answer.headers.get("content-type", "")
        return (Shape.HTML if is_page else Shape.GARBLED), {}
    return (Shape.OBJECT, value) if isinstance(value, dict) else (Shape.GARBLED, {})


def _code(fields: Mapping[str, object], *, text: str) -> str:
    for key in ("code", "errorCode"):
        number = str(fields.get(key, ""))
        if _NUMBER.fullmatch(number) and "." not in number:
            return number
    in_text = _OAUTH_CODE.findall(text)
    return in_text[-1].replace(",", "") if in_text else ""  # the last: a quoted authorization code comes before it


def _oauth_error(fields: Mapping[str, object]) -> str:
    error = fields.get("error")
    return error if isinstance(error, str) and len(error) <= 40 and _OAUTH_ERROR.fullmatch(error) else ""


def plain_words(text: str) -> str:
    """Keep of Zoom's words what cannot be a secret or an address: short plain words, small numbers; ``…`` else."""
    words = [word if _PLAIN_WORD.fullmatch(word) else "…" for word in text.split()[:_MAX_WORDS]]
    return " ".join(words)


def retry_after(headers: Mapping[str, str]) -> float | datetime | None:
    """Read when to ask again: ``Retry-After`` as seconds, HTTP date or ISO 8601, else ``X-RateLimit-Reset`` alike.

    Returns seconds, or a moment in UTC, or None when neither header is there or can be read.
    """
    for name in ("retry-after", "x-ratelimit-reset"):
        text = headers.get(name, "").strip()
        if _NUMBER.fullmatch(text):
            return min(float(text), _MAX_RETRY_SECONDS)
        moment = iso_moment(text) or _epoch_moment(text) or http_moment(text)
        if moment is not None:
            return moment
    return None


def _epoch_moment(text: str) -> datetime | None:
    if len(text) not in (10, 13) or not (text.isascii() and text.isdecimal()):
        return None
    return datetime.fromtimestamp(int(text[:10]), tz=UTC)


def rate_report(answer: ZoomResponse, *, category: Category) -> RateReport:
    """Read what the headers say about the account's limit (Zoom API, Rate limits)."""
    named = answer.headers.get("x-ratelimit-category", "").strip().capitalize()
    return RateReport(
        category=Category(named) if named in {Category.LIGHT, Category.MEDIUM, Category.HEAVY} else category,
        limited=answer.status == 429,
        daily=is_daily(answer.headers, text=read(answer).text if answer.status == 429 else ""),
        limit=_count(answer.headers.get("x-ratelimit-limit", "")),
        remaining=_count(answer.headers.get("x-ratelimit-remaining", "")),
        retry_after=retry_after(answer.headers) if answer.status == 429 else None,
    )


def is_daily(headers: Mapping[str, str], *, text: str) -> bool:
    """Tell whether a 429 is about the daily limit, by its header or, without one, by its words."""
    kind = headers.get("x-ratelimit-type", "").lower()
    return "daily" in kind if kind else "daily" in text.lower()


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None

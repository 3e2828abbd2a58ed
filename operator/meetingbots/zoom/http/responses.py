"""Reads Zoom's answers without trusting them: shape, codes, message, rate limits.

Zoom reports errors as ``{"code": 3001, "message": …}`` (REST) or ``{"reason": …, "error": "invalid_grant"}`` (OAuth,
sometimes with a four-digit code in the reason), and occasionally as an HTML page, an empty or a truncated body.
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
from meetingbots.zoom.resources import http_moment, iso_moment

_OAUTH_CODE: Final = re.compile(r"(?<![\w-])4,?7\d\d(?![\w-])")
_OAUTH_ERROR: Final = re.compile(r"[a-z]+(?:_[a-z]+){0,4}")
_NUMBER: Final = re.compile(r"\d{1,6}(?:\.\d{1,6})?")
_PLAIN_WORD: Final = re.compile(r"[A-Za-z]?[a-z]{0,14}[,.:;!?]?|\d{1,4}[,.:;!?]?")
_MAX_WORDS: Final = 24
_MAX_RETRY_SECONDS: Final = 2 * 86_400.0


class Shape(enum.Flag):
    """The kind of a body."""

    OBJECT = enum.auto()
    HTML = enum.auto()
    EMPTY = enum.auto()
    GARBLED = enum.auto()
    ANY = OBJECT | HTML | EMPTY | GARBLED


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoomResponse:
    """A complete HTTP answer. Headers and body may hold tokens, so they have no repr."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    body: bytes = field(repr=False)
    seconds: float = 0.0
    """From the request until the end of the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The content of an answer. ``fields`` is the JSON object, empty unless ``shape`` is OBJECT."""

    status: int
    shape: Shape
    fields: Mapping[str, object] = field(repr=False)
    code: str
    """Zoom's numeric code; ``""`` without one."""
    oauth_error: str
    text: str = field(repr=False)
    """Zoom's message. It may hold anything, so it is matched but never shown."""


def read(answer: ZoomResponse) -> Reading:
    """Return the content of an answer. Never raises."""
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
    return in_text[-1].replace(",", "") if in_text else ""  # the last one: a quoted authorization code may precede it


def _oauth_error(fields: Mapping[str, object]) -> str:
    error = fields.get("error")
    return error if isinstance(error, str) and len(error) <= 40 and _OAUTH_ERROR.fullmatch(error) else ""


def plain_words(text: str) -> str:
    """Return Zoom's words without possible secrets and addresses: short words and small numbers stay, ``…`` else."""
    words = [word if _PLAIN_WORD.fullmatch(word) else "…" for word in text.split()[:_MAX_WORDS]]
    return " ".join(words)


def retry_after(headers: Mapping[str, str]) -> float | datetime | None:
    """Return when to ask again, from ``Retry-After`` or ``X-RateLimit-Reset``: seconds, or a time in UTC.

    Both may be seconds, an HTTP date, ISO 8601 or seconds since 1970. None: neither header is present and valid.
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
    """Return what the headers say about the account's limit (Zoom API, Rate limits)."""
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
    """Return whether a 429 is about the daily limit, by its header or else by its message."""
    kind = headers.get("x-ratelimit-type", "").lower()
    return "daily" in kind if kind else "daily" in text.lower()


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None

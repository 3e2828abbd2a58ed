"""Reads times as Zoom writes them: ISO 8601 with or without a zone, and HTTP dates. Results are UTC."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def iso_moment(text: object) -> datetime | None:
    """Read an ISO 8601 time such as ``2026-11-24T12:00:00Z``; without a zone it is UTC. None: not a time."""
    if not isinstance(text, str) or not text[:4].isdecimal():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def http_moment(text: str) -> datetime | None:
    """Read an HTTP date such as ``Tue, 24 Nov 2026 12:00:00 GMT``. None: not a time."""
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None

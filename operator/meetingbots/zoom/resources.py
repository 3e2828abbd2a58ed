"""Values in Zoom's answers: users, meetings, join tokens, times, and what an access token claims.

Topics and names are not read. Fields that Zoom leaves out are None or ``""``.
"""

from __future__ import annotations

import base64
import binascii
import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

import orjson
from pydantic import SecretStr

_MEETING_ID: Final = re.compile(r"[0-9]{9,11}")
_JWT: Final = re.compile(r"[-_A-Za-z0-9]{1,4096}\.([-_A-Za-z0-9]{1,16384})\.[-_A-Za-z0-9]{1,4096}")
_ACCOUNT_CLAIMS: Final = ("accountId", "aid")
_ACCOUNT_ID: Final = re.compile(r"[-_A-Za-z0-9]{1,128}")


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


class JoinTokenKind(enum.StrEnum):
    """What a join token allows the bot to do; the values are the last part of Zoom's path."""

    LOCAL_RECORDING = "local_recording"
    LIVE_STREAMING = "live_streaming"
    LOCAL_ARCHIVING = "local_archiving"


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinToken:
    """A join token: single use, for one meeting."""

    token: SecretStr = field(repr=False)
    expires_in: float
    """Seconds from the answer; 120 for a local recording token."""
    asked_seconds: float = 0.0
    """Duration of the request: Zoom created the token within these seconds before the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A Zoom user."""

    id: str
    account_id: str
    email: str = field(repr=False)
    pmi: str | None
    """Personal meeting ID, digits."""
    status: str
    """``active``, ``inactive``, ``pending`` or ``""``."""
    type: int | None
    vanity_url: str

    @property
    def vanity(self) -> str:
        """The personal link's name: ``alice`` of ``https://acme.zoom.us/my/alice``; ``""`` without one."""
        _, _, name = urlsplit(self.vanity_url).path.partition("/my/")
        return name.strip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingSummary:
    """A meeting of a user's list. Each occurrence of a series is a row with the same ID."""

    id: str
    uuid: str
    host_id: str
    type: int | None
    start_time: datetime | None
    duration_minutes: int | None
    pmi: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingDetail:
    """One meeting."""

    id: str
    uuid: str
    host_id: str
    host_email: str = field(repr=False)
    type: int | None
    status: str
    """``waiting``, ``started`` or ``""``."""
    start_time: datetime | None
    duration_minutes: int | None
    pmi: str | None
    use_pmi: bool
    alternative_hosts: tuple[str, ...] = field(repr=False)
    """E-mail addresses."""


def user_of(fields: object) -> User | None:
    """Read a user; None without an ID."""
    if not isinstance(fields, Mapping) or not text_of(fields, "id"):
        return None
    return User(
        id=text_of(fields, "id"),
        account_id=text_of(fields, "account_id"),
        email=text_of(fields, "email"),
        pmi=meeting_id_of(fields.get("pmi")),
        status=text_of(fields, "status"),
        type=int_of(fields.get("type")),
        vanity_url=text_of(fields, "vanity_url"),
    )


def summary_of(fields: object) -> MeetingSummary | None:
    """Read a row of a meeting list; None without a meeting ID."""
    if not isinstance(fields, Mapping):
        return None
    meeting_id = meeting_id_of(fields.get("id"))
    if meeting_id is None:
        return None
    return MeetingSummary(
        id=meeting_id,
        uuid=text_of(fields, "uuid"),
        host_id=text_of(fields, "host_id"),
        type=int_of(fields.get("type")),
        start_time=iso_moment(fields.get("start_time")),
        duration_minutes=int_of(fields.get("duration")),
        pmi=meeting_id_of(fields.get("pmi")),
    )


def detail_of(fields: Mapping[str, object], *, meeting_id: str) -> MeetingDetail:
    """Read a meeting; its ID is that of the request."""
    settings = fields.get("settings")
    settings = settings if isinstance(settings, Mapping) else {}
    return MeetingDetail(
        id=meeting_id,
        uuid=text_of(fields, "uuid"),
        host_id=text_of(fields, "host_id"),
        host_email=text_of(fields, "host_email"),
        type=int_of(fields.get("type")),
        status=text_of(fields, "status"),
        start_time=iso_moment(fields.get("start_time")),
        duration_minutes=int_of(fields.get("duration")),
        pmi=meeting_id_of(fields.get("pmi")),
        use_pmi=settings.get("use_pmi") is True,
        alternative_hosts=addresses_of(settings.get("alternative_hosts")) or (),
    )


def meeting_id_of(value: object) -> str | None:
    """Return a meeting ID as text, from Zoom's number or string; None when it is not 9 to 11 digits."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    text = str(value)
    return text if _MEETING_ID.fullmatch(text) else None


def addresses_of(value: object) -> tuple[str, ...] | None:
    """Read Zoom's list of e-mail addresses, separated by semicolons (or commas), in lower case; None without a list."""
    if not isinstance(value, str):
        return None
    parts = value.lower().replace(",", ";").split(";")
    return tuple(dict.fromkeys(filter(None, map(str.strip, parts))))


def text_of(fields: Mapping[str, object], key: str) -> str:
    """Return a text field; ``""`` when it is missing or of another type."""
    value = fields.get(key)
    return value if isinstance(value, str) else ""


def int_of(value: object) -> int | None:
    """Return an integer; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def claimed_account(token: SecretStr) -> str:
    """Return the account that a token claims; empty when it is not a JWT or claims none. Never raises.

    The claim is not verified: nothing but the choice of a rate limit, before Zoom was asked, depends on it.
    """
    parts = _JWT.fullmatch(token.get_secret_value().strip())
    if parts is None:
        return ""
    payload = parts.group(1)
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError):
        return ""
    if not isinstance(claims, dict):
        return ""
    named = (claims.get(claim) for claim in _ACCOUNT_CLAIMS)
    return next((one for one in named if isinstance(one, str) and _ACCOUNT_ID.fullmatch(one)), "")

"""Verifies the signature of a webhook and reads its body. Verify before parsing.

IDs become text whether Zoom sends a number (created, updated, deleted) or a string (started, ended).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from pydantic import SecretStr

from meetingbots.zoom.resources import addresses_of, int_of, iso_moment, meeting_id_of, text_of
from meetingbots.zoom.webhooks.events import (
    EVENT_NAMES,
    MEETING_EVENTS,
    AppDeauthorized,
    Event,
    MeetingEvent,
    Participant,
    UrlValidation,
    UserEvent,
)

TIMESTAMP_HEADER: Final = "x-zm-request-timestamp"
SIGNATURE_HEADER: Final = "x-zm-signature"
REQUEST_ID_HEADER: Final = "x-zm-request-id"
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+){0,4}")
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UUID: Final = re.compile(r"[\x21-\x7e]{1,128}")
_CUSTOMER_KEY: Final = re.compile(r"[0-9a-f]{32}")
"""A MeetingBot's UID without dashes; any other key is not a bot's of ours."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_EVENT_TS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, the last that a datetime can hold."""
_MAX_DIGITS: Final = 20


def sign(secret: SecretStr, *, timestamp: str, body: bytes) -> str:
    """Return the signature, ``v0=<hex>``: HMAC-SHA256 of ``v0:{timestamp}:{body}`` (Zoom, Using webhooks).

    ``timestamp`` is the header's text (seconds), ``body`` the raw bytes.
    """
    signed = b"v0:" + timestamp.encode("utf-8", "replace") + b":" + body
    return "v0=" + hmac.new(_key(secret), signed, hashlib.sha256).hexdigest()


def verify(secrets: Sequence[SecretStr], *, timestamp: str, signature: str, body: bytes) -> SecretStr | None:
    """Return the secret that a request was signed with; None when it is not from Zoom.

    Every secret is compared, so that the duration reveals nothing. Empty secrets verify nothing.
    """
    given = signature.strip().encode("utf-8", "replace")
    found: SecretStr | None = None
    for secret in secrets:
        right = hmac.compare_digest(sign(secret, timestamp=timestamp, body=body).encode("ascii"), given)
        if right and _key(secret) and found is None:
            found = secret
    return found


def timestamp_age(timestamp: str, *, now: datetime) -> timedelta | None:
    """Return the age of a request's timestamp (seconds since 1970), negative for the future; None: not a timestamp."""
    text = timestamp.strip()
    if not text.isascii() or not text.isdecimal() or len(text) > 11:
        return None
    return now - datetime.fromtimestamp(int(text), tz=UTC)


def encrypted_token(secret: SecretStr, *, plain_token: str) -> str:
    """Return the answer to ``endpoint.url_validation``: hex HMAC-SHA256 of the plain token."""
    return hmac.new(_key(secret), plain_token.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def _key(secret: SecretStr) -> bytes:
    return secret.get_secret_value().strip().encode("utf-8")


class MalformedEvent(ValueError):  # noqa: N818 - the name is the statement
    """The body is not an event. The message names the field and the problem, never its value."""


def parse_event(body: bytes, *, sent_at: int = 0) -> Event:
    """Read a webhook's body.

    `sent_at` is the time of the signed header in milliseconds since 1970; it is the event's time where the body has
    none.

    Raises:
        MalformedEvent: not a JSON object, no event name, or an ID or time of the wrong shape. Nothing else is raised.

    """
    fields = _json(body)
    if not isinstance(fields, dict):
        raise MalformedEvent("the body is not a JSON object")
    name = text_of(fields, "event")
    if len(name) > 100 or not _NAME.fullmatch(name):
        raise MalformedEvent("event: missing, or not the name of an event")
    event_ts = _event_ts(fields) or sent_at
    if name in EVENT_NAMES:
        return _event(name, payload=_mapping(fields, "payload", where="payload"), event_ts=event_ts)
    account_id = _valid(_optional_mapping(fields, "payload"), "account_id", _ID)
    return Event(name=name, event_ts=event_ts, account_id=account_id or "")


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        pass
    # Zoom cuts long names, also in the middle of a character; names are not used.
    try:
        return json.loads(body.decode("utf-8", "replace"), parse_int=_bounded_int)
    except (ValueError, RecursionError):
        raise MalformedEvent("the body is not JSON") from None


def _bounded_int(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else float("inf")


def _event(name: str, *, payload: Mapping[str, object], event_ts: int) -> Event:
    if name == "endpoint.url_validation":
        return _url_validation(name, payload=payload, event_ts=event_ts)
    if name == "app_deauthorized":
        return _deauthorized(name, payload=payload, event_ts=event_ts)
    if name in MEETING_EVENTS:
        return _meeting(name, payload=payload, event_ts=event_ts)
    return _user(name, payload=payload, event_ts=event_ts)


def _url_validation(name: str, *, payload: Mapping[str, object], event_ts: int) -> UrlValidation:
    plain_token = text_of(payload, "plainToken")
    if not plain_token or len(plain_token) > 1024:
        raise MalformedEvent("payload.plainToken: missing, or not a token")
    return UrlValidation(name=name, event_ts=event_ts, account_id="", plain_token=plain_token)


def _deauthorized(name: str, *, payload: Mapping[str, object], event_ts: int) -> AppDeauthorized:
    """Read the event, which Zoom documents without ``event_ts``. Its own time counts unless it is in the future."""
    time = iso_moment(payload.get("deauthorization_time"))
    if time is not None:
        own = (time - _EPOCH) // timedelta(milliseconds=1)
        event_ts = min(own, event_ts or own) if own > 0 else event_ts
    return AppDeauthorized(
        name=name,
        event_ts=event_ts,
        account_id=_required(payload, "account_id", _ID, where="payload.account_id"),
        user_id=_required(payload, "user_id", _ID, where="payload.user_id"),
        client_id=text_of(payload, "client_id").strip(),
        deauthorization_time=time,
        user_data_retention={"true": True, "false": False}.get(str(payload.get("user_data_retention", "")).lower()),
    )


def _meeting(name: str, *, payload: Mapping[str, object], event_ts: int) -> Event:
    meeting = _mapping(payload, "object", where="payload.object")
    account_id = _required(payload, "account_id", _ID, where="payload.account_id")
    meeting_id = meeting_id_of(meeting.get("id"))
    if meeting_id is None:
        if ".participant_" in name and meeting.get("id") in (None, ""):
            return Event(name=name, event_ts=event_ts, account_id=account_id)  # optional in Zoom's types
        raise MalformedEvent("payload.object.id: missing, or not 9 to 11 digits")
    settings = _optional_mapping(meeting, "settings")
    return MeetingEvent(
        name=name,
        event_ts=event_ts,
        account_id=account_id,
        meeting_id=meeting_id,
        webinar=name.startswith("webinar."),
        uuid=_optional(meeting, "uuid", _UUID, where="payload.object.uuid") or "",
        host_id=_optional(meeting, "host_id", _ID, where="payload.object.host_id"),
        operator_id=_valid(payload, "operator_id", _ID),
        operation=text_of(payload, "operation"),
        scope=text_of(payload, "scope"),
        meeting_type=int_of(meeting.get("type")),
        start_time=iso_moment(meeting.get("start_time")),
        alternative_hosts=addresses_of(settings.get("alternative_hosts")),
        pmi=meeting_id_of(meeting.get("pmi")),
        old_host_id=_valid(_optional_mapping(payload, "old_object"), "host_id", _ID),
        participant=_participant(_optional_mapping(meeting, "participant")),
    )


def _participant(person: Mapping[str, object]) -> Participant | None:
    if not person:
        return None
    number = int_of(person.get("user_id"))
    return Participant(
        user_id=_valid(person, "id", _ID) or _valid(person, "participant_user_id", _ID),
        session_id=_valid(person, "participant_uuid", _UUID)
        or _valid(person, "user_id", _UUID)
        or ("" if number is None else str(number)),
        customer_key=_valid(person, "customer_key", _CUSTOMER_KEY) or "",
    )


def _user(name: str, *, payload: Mapping[str, object], event_ts: int) -> UserEvent:
    user = _mapping(payload, "object", where="payload.object")
    return UserEvent(
        name=name,
        event_ts=event_ts,
        account_id=_required(payload, "account_id", _ID, where="payload.account_id"),
        user_id=_required(user, "id", _ID, where="payload.object.id"),
        pmi=meeting_id_of(user.get("pmi")),
        old_pmi=meeting_id_of(_optional_mapping(payload, "old_object").get("pmi")),
        vanity_name=text_of(user, "vanity_name") or text_of(user, "vanity_url"),
    )


def _mapping(fields: Mapping[str, object], key: str, *, where: str) -> Mapping[str, object]:
    value = fields.get(key)
    if not isinstance(value, dict):
        raise MalformedEvent(f"{where}: missing, or not an object")
    return value


def _optional_mapping(fields: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = fields.get(key)
    return value if isinstance(value, dict) else {}


def _event_ts(fields: Mapping[str, object]) -> int:
    """Return the body's time in milliseconds; 0 when it has none."""
    value = fields.get("event_ts")
    if value is None or value == "":
        return 0
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 16:
        value = int(value)
    milliseconds = int_of(value)
    if milliseconds is None or not 0 < milliseconds <= _MAX_EVENT_TS:
        raise MalformedEvent("event_ts: not a time in milliseconds")
    return milliseconds


def _required(fields: Mapping[str, object], key: str, pattern: re.Pattern[str], *, where: str) -> str:
    value = _optional(fields, key, pattern, where=where)
    if value is None:
        raise MalformedEvent(f"{where}: missing")
    return value


def _optional(fields: Mapping[str, object], key: str, pattern: re.Pattern[str], *, where: str) -> str | None:
    """Return an ID that decides; None when Zoom does not mention it."""
    if fields.get(key) in (None, ""):
        return None
    value = _valid(fields, key, pattern)
    if value is None:
        raise MalformedEvent(f"{where}: not of the shape of an ID")
    return value


def _valid(fields: Mapping[str, object], key: str, pattern: re.Pattern[str]) -> str | None:
    """Return an ID that adds detail; None when it is missing or of another shape."""
    value = fields.get(key)
    return value if isinstance(value, str) and pattern.fullmatch(value) else None

"""Zoom's webhook events as typed values (Zoom, Webhooks reference). Parse only what has been verified.

Kept is what decides over mappings and credentials; topics, names and the like are not. Ids become text whether Zoom
wrote a number (created, updated, deleted) or a string (started, ended).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import orjson

from meetingbots.zoom.resources import addresses_of, int_of, meeting_id_of, text_of
from meetingbots.zoom.timestamps import iso_moment

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+){0,4}")
_USER_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ACCOUNT_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UUID: Final = re.compile(r"[\x21-\x7e]{1,128}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_EVENT_TS: Final = 253_402_300_799_999
"""The last millisecond of the year 9999, beyond which there is no datetime."""

MEETING_ACTIONS: Final = frozenset(
    {
        "created",
        "updated",
        "deleted",
        "permanently_deleted",
        "recovered",
        "started",
        "ended",
        "participant_joined",
        "participant_left",
    }
)
PLANNED_TYPES: Final = frozenset({2, 3, 8})
"""Types of meetings that somebody planned, and that Zoom lists: at a time, a series with and without times."""
USER_ACTIONS: Final = frozenset(
    {"created", "updated", "activated", "deactivated", "deleted", "disassociated", "permanently_deleted"}
)


class MalformedEvent(ValueError):  # noqa: N818 - reads as what it says
    """The body is no event. The text names the field and what is wrong with it, never its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Any event; the ones of no interest here are just this."""

    name: str
    """As ``meeting.started``."""
    event_ts: int
    """When it happened, in milliseconds since 1970; 0 when an event of no interest does not say it."""
    account_id: str
    """Account of the person or meeting; ``""`` where Zoom does not name one."""

    @property
    def time(self) -> datetime:
        """When it happened, UTC."""
        return _EPOCH + timedelta(milliseconds=self.event_ts)

    @property
    def action(self) -> str:
        """What happened: ``started`` of ``meeting.started``."""
        return self.name.partition(".")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlValidation(Event):
    """Zoom tries the endpoint out and waits for the plain token and its HMAC."""

    plain_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """Someone who came or went."""

    user_id: str | None
    """Zoom user; None for guests."""
    email: str = field(repr=False)
    time: datetime | None
    """Of joining or leaving."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingEvent(Event):
    """Something happened to a meeting or webinar. What Zoom did not mention is None (or ``""``), which is not empty."""

    meeting_id: str
    webinar: bool
    uuid: str
    host_id: str | None
    operator_id: str | None
    """Who did it; may be an assistant. The host is whose meeting it is."""
    operation: str
    """``all``, ``single`` (one occurrence), ``""``."""
    scope: str
    meeting_type: int | None
    """0 pre-scheduled, 1 instant, 2 scheduled, 3 series without times, 4 PMI, 7 PAC, 8 series (Zoom, Meetings)."""
    start_time: datetime | None
    end_time: datetime | None
    duration_minutes: int | None
    alternative_hosts: tuple[str, ...] | None = field(repr=False)
    """E-mail addresses in lower case; empty when the last was removed."""
    use_pmi: bool | None
    pmi: str | None
    old_host_id: str | None
    """Before an update that changed the host."""
    participant: Participant | None

    @property
    def planned(self) -> bool:
        """It says that the meeting is a planned one; every webinar is."""
        return self.webinar or self.meeting_type in PLANNED_TYPES

    @property
    def single_occurrence(self) -> bool:
        """It is about one occurrence of a series, not about the meeting."""
        return self.operation == "single"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEvent(Event):
    """A user changed, left, or is gone."""

    user_id: str
    email: str = field(repr=False)
    pmi: str | None
    """The new personal meeting ID, if it changed."""
    old_pmi: str | None
    use_pmi: bool | None
    vanity_url: str
    operation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AppDeauthorized(Event):
    """A user took the consent back at Zoom."""

    user_id: str
    client_id: str
    deauthorization_time: datetime | None
    signature: str = field(repr=False)
    user_data_retention: bool | None
    """False: the user's data must be gone within 10 days."""


def parse_event(body: bytes) -> Event:
    """Read a webhook's body.

    Raises:
        MalformedEvent: not a JSON object, no event's name, or an ID or time of the wrong shape. Nothing else is raised.

    """
    try:
        fields = orjson.loads(body)
    except ValueError:
        raise MalformedEvent("the body is not JSON") from None
    if not isinstance(fields, dict):
        raise MalformedEvent("the body is not a JSON object")
    name = text_of(fields, "event")
    if len(name) > 100 or not _NAME.fullmatch(name):
        raise MalformedEvent("event: missing, or not the name of an event")
    return _event(name, fields=fields, payload=_mapping(fields, "payload", where="payload"))


def _event(name: str, *, fields: Mapping[str, object], payload: Mapping[str, object]) -> Event:
    subject, _, action = name.partition(".")
    if name == "endpoint.url_validation":
        return _url_validation(name, fields=fields, payload=payload)
    if name == "app_deauthorized":
        return _deauthorized(name, fields=fields, payload=payload)
    if subject in ("meeting", "webinar") and action in MEETING_ACTIONS:
        return _meeting(name, fields=fields, payload=payload)
    if subject == "user" and action in USER_ACTIONS:
        return _user(name, fields=fields, payload=payload)
    account_id = text_of(payload, "account_id")
    return Event(
        name=name,
        event_ts=_event_ts(fields, required=False),
        account_id=account_id if _ACCOUNT_ID.fullmatch(account_id) else "",
    )


def _url_validation(name: str, *, fields: Mapping[str, object], payload: Mapping[str, object]) -> UrlValidation:
    plain_token = text_of(payload, "plainToken")
    if not plain_token or len(plain_token) > 1024:
        raise MalformedEvent("payload.plainToken: missing, or not a token")
    return UrlValidation(name=name, event_ts=_event_ts(fields, required=False), account_id="", plain_token=plain_token)


def _deauthorized(name: str, *, fields: Mapping[str, object], payload: Mapping[str, object]) -> AppDeauthorized:
    retention = str(payload.get("user_data_retention", "")).lower()
    return AppDeauthorized(
        name=name,
        event_ts=_event_ts(fields, required=True),
        account_id=_id(payload, "account_id", pattern=_ACCOUNT_ID, where="payload.account_id"),
        user_id=_id(payload, "user_id", pattern=_USER_ID, where="payload.user_id"),
        client_id=text_of(payload, "client_id").strip(),
        deauthorization_time=iso_moment(payload.get("deauthorization_time")),
        signature=text_of(payload, "signature"),
        user_data_retention={"true": True, "false": False}.get(retention),
    )


def _meeting(name: str, *, fields: Mapping[str, object], payload: Mapping[str, object]) -> MeetingEvent:
    meeting = _mapping(payload, "object", where="payload.object")
    before = _mapping(payload, "old_object", where="payload.old_object", required=False)
    settings = _mapping(meeting, "settings", where="payload.object.settings", required=False)
    meeting_id = meeting_id_of(meeting.get("id"))
    if meeting_id is None:
        raise MalformedEvent("payload.object.id: missing, or not 9 to 11 digits")
    return MeetingEvent(
        name=name,
        event_ts=_event_ts(fields, required=True),
        account_id=_id(payload, "account_id", pattern=_ACCOUNT_ID, where="payload.account_id"),
        meeting_id=meeting_id,
        webinar=name.startswith("webinar."),
        uuid=_optional_id(meeting, "uuid", pattern=_UUID, where="payload.object.uuid") or "",
        host_id=_optional_id(meeting, "host_id", pattern=_USER_ID, where="payload.object.host_id"),
        operator_id=_optional_id(payload, "operator_id", pattern=_USER_ID, where="payload.operator_id"),
        operation=text_of(payload, "operation"),
        scope=text_of(payload, "scope"),
        meeting_type=int_of(meeting.get("type")),
        start_time=iso_moment(meeting.get("start_time")),
        end_time=iso_moment(meeting.get("end_time")),
        duration_minutes=int_of(meeting.get("duration")),
        alternative_hosts=addresses_of(settings.get("alternative_hosts")),
        use_pmi=_bool(settings.get("use_pmi")),
        pmi=meeting_id_of(meeting.get("pmi")),
        old_host_id=_optional_id(before, "host_id", pattern=_USER_ID, where="payload.old_object.host_id"),
        participant=_participant(meeting),
    )


def _participant(meeting: Mapping[str, object]) -> Participant | None:
    person = _mapping(meeting, "participant", where="payload.object.participant", required=False)
    if not person:
        return None
    return Participant(
        user_id=_optional_id(person, "id", pattern=_USER_ID, where="payload.object.participant.id"),
        email=text_of(person, "email").strip().lower(),
        time=iso_moment(person.get("join_time")) or iso_moment(person.get("leave_time")),
    )


def _user(name: str, *, fields: Mapping[str, object], payload: Mapping[str, object]) -> UserEvent:
    user = _mapping(payload, "object", where="payload.object")
    before = _mapping(payload, "old_object", where="payload.old_object", required=False)
    return UserEvent(
        name=name,
        event_ts=_event_ts(fields, required=True),
        account_id=_id(payload, "account_id", pattern=_ACCOUNT_ID, where="payload.account_id"),
        user_id=_id(user, "id", pattern=_USER_ID, where="payload.object.id"),
        email=text_of(user, "email").strip().lower(),
        pmi=meeting_id_of(user.get("pmi")),
        old_pmi=meeting_id_of(before.get("pmi")),
        use_pmi=_bool(user.get("use_pmi")),
        vanity_url=text_of(user, "vanity_url"),
        operation=text_of(payload, "operation"),
    )


def _mapping(fields: Mapping[str, object], key: str, *, where: str, required: bool = True) -> Mapping[str, object]:
    value = fields.get(key)
    if isinstance(value, dict):
        return value
    if required or value is not None:
        raise MalformedEvent(f"{where}: missing, or not an object")
    return {}


def _event_ts(fields: Mapping[str, object], *, required: bool) -> int:
    value = fields.get("event_ts")
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 16:
        value = int(value)
    milliseconds = int_of(value)
    if milliseconds is not None and 0 < milliseconds <= _MAX_EVENT_TS:
        return milliseconds
    if required or value is not None:
        raise MalformedEvent("event_ts: missing, or not a time in milliseconds")
    return 0


def _id(fields: Mapping[str, object], key: str, *, pattern: re.Pattern[str], where: str) -> str:
    value = _optional_id(fields, key, pattern=pattern, where=where)
    if value is None:
        raise MalformedEvent(f"{where}: missing")
    return value


def _optional_id(fields: Mapping[str, object], key: str, *, pattern: re.Pattern[str], where: str) -> str | None:
    value = fields.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise MalformedEvent(f"{where}: not of the shape of an ID")
    return value


def _bool(value: object) -> bool | None:
    return value if isinstance(value, bool) else None

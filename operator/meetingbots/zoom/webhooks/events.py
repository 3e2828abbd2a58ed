"""Zoom's webhook events as typed values (Zoom, Webhooks reference): what decides over mappings and credentials."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

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
        "participant_joined_waiting_room",
        "participant_put_in_waiting_room",
        "participant_left_waiting_room",
        "participant_admitted",
    }
)
"""Actions of both ``meeting.`` and ``webinar.`` events."""
USER_ACTIONS: Final = frozenset(
    {"created", "updated", "activated", "deactivated", "deleted", "disassociated", "permanently_deleted"}
)
CONVERSIONS: Final = frozenset({"meeting.converted_to_webinar", "webinar.converted_to_meeting"})
MEETING_EVENTS: Final = CONVERSIONS | {
    f"{subject}.{action}" for subject in ("meeting", "webinar") for action in MEETING_ACTIONS
}
EVENT_NAMES: Final = (
    MEETING_EVENTS
    | {f"user.{action}" for action in USER_ACTIONS}
    | {
        "endpoint.url_validation",
        "app_deauthorized",
    }
)
"""Every event that has an effect, or is read at least."""
_PLANNED_TYPES: Final = frozenset({2, 3, 5, 6, 8, 9})
"""Meetings and webinars that Zoom lists: at a time, and series with and without times (Zoom, Meetings)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Any event. Events without effect here are of this class itself."""

    name: str
    """Such as ``meeting.started``."""
    event_ts: int
    """When it happened, in milliseconds since 1970; without a time in the body, when Zoom sent it."""
    account_id: str
    """Account of the person or meeting; ``""`` where Zoom does not name one."""

    @property
    def time(self) -> datetime:
        """When it happened, UTC."""
        return _EPOCH + timedelta(milliseconds=self.event_ts)

    @property
    def action(self) -> str:
        """The part after the subject: ``started`` of ``meeting.started``."""
        return self.name.partition(".")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlValidation(Event):
    """Zoom checks the endpoint and expects the plain token and its HMAC."""

    plain_token: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Participant:
    """A participant of a meeting. Names and addresses are not read."""

    user_id: str | None
    """Zoom user; None for guests."""
    session_id: str = ""
    """This connection to the meeting: ``participant_uuid``, else the session's ``user_id``."""
    customer_key: str = ""
    """What a bot passed to the Meeting SDK when it joined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingEvent(Event):
    """An event of a meeting or webinar. What Zoom did not mention is None (or ``""``); empty is something else."""

    meeting_id: str
    webinar: bool
    uuid: str
    host_id: str | None
    operator_id: str | None
    """The user who acted; may be an assistant of the host."""
    operation: str
    """``all``, ``single`` (one occurrence), ``""``."""
    scope: str
    meeting_type: int | None
    """0 pre-scheduled, 1 instant, 2 scheduled, 3 series without times, 4 PMI, 7 PAC, 8 series; webinars: 5, 6, 9."""
    start_time: datetime | None
    alternative_hosts: tuple[str, ...] | None = field(repr=False)
    """E-mail addresses in lower case; empty when the last one was removed."""
    pmi: str | None
    old_host_id: str | None
    """The host before an update that changed the host."""
    participant: Participant | None

    @property
    def planned(self) -> bool:
        """Whether the meeting is a planned one, as every webinar is."""
        return self.webinar or self.meeting_type in _PLANNED_TYPES

    @property
    def single_occurrence(self) -> bool:
        """Whether it is about one occurrence of a series and not about the meeting."""
        return self.operation == "single"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEvent(Event):
    """A user changed, left the account, or was deleted."""

    user_id: str
    pmi: str | None
    """The new personal meeting ID, if it changed."""
    old_pmi: str | None
    vanity_name: str
    """The new name of the personal link, if it changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppDeauthorized(Event):
    """A user revoked the consent at Zoom."""

    user_id: str
    client_id: str
    deauthorization_time: datetime | None
    user_data_retention: bool | None
    """False: delete the user's data within 10 days."""

"""MeetingMapping: which credentials may create a join token for a meeting.

Its name is the meeting ID, so a bot's lookup is one GET. People write the spec; the operator and the receiver write the
status, which is no subresource, so that one webhook is one write.
"""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from meetingbots.models.base import EpochMilliseconds, MeetingId, Model, ObjectName, Time, atomic, extension, rules
from meetingbots.models.metadata import CustomResource, NameReference
from meetingbots.models.names import MAPPING_KIND, MAPPING_PLURAL

MAX_FOUND_CREDENTIALS = 256
MAX_APPS = 64
MAX_SESSIONS = 16
MAX_BOTS = 64


class Role(StrEnum):
    """The role of a credential's user in the meeting, in the order in which bots try the credentials."""

    HOST = "Host"
    ALTERNATIVE_HOST = "AlternativeHost"
    OPERATOR = "Operator"


class Source(StrEnum):
    """How the operator found that a credential belongs to the meeting."""

    SYNC = "Sync"
    WEBHOOK = "Webhook"
    PMI = "PMI"
    LOOKUP = "Lookup"


class MappingPhase(StrEnum):
    """The state of the meeting."""

    SCHEDULED = "Scheduled"
    LIVE = "Live"
    ENDED = "Ended"
    DELETED = "Deleted"


class MappingSpec(Model):
    """What people write about the meeting."""

    meeting_id: MeetingId = Field(
        description="The meeting's ID: 9 to 11 digits without blanks, equal to metadata.name."
    )
    credentials: tuple[NameReference, ...] = Field(
        default_factory=tuple,
        max_length=64,
        description="ZoomCredentials that may create join tokens for the meeting, in the order of trial. They take "
        "precedence over status.credentials, and the operator never writes them.",
        json_schema_extra=extension(list_type="map", list_key="name"),
    )


class FoundCredential(Model):
    """A credential that the operator found to belong to the meeting."""

    name: ObjectName = Field(description="Name of the ZoomCredential.")
    role: Role = Field(description="Role of its user in the meeting: Host, AlternativeHost or Operator.")
    source: Source = Field(description="How the entry was found: Sync, Webhook, PMI or Lookup.")


class PresenceSession(Model):
    """One connection of a user to the meeting; a user with two devices has two."""

    id: str = Field(max_length=128, description="Zoom's ID of the session.")
    present: bool = Field(description="Whether the session is in the meeting.")
    event_time: EpochMilliseconds = Field(
        description="Zoom's event_ts of the session's newest event, in milliseconds since 1970."
    )
    uuid: str | None = Field(
        default=None, max_length=256, description="Zoom's ID of its instance of the meeting, if that is another one."
    )


class Presence(Model):
    """Whether the user of a credential is in the running meeting."""

    name: ObjectName = Field(description="Name of the user's ZoomCredential.")
    present: bool = Field(description="Whether the user is in the meeting with at least one session.")
    event_time: EpochMilliseconds = Field(
        description="Zoom's event_ts of the newest join or leave, in milliseconds since 1970."
    )
    uuid: str | None = Field(default=None, max_length=256, description="Zoom's ID of the instance of the meeting.")
    sessions: list[PresenceSession] | None = Field(
        default=None,
        max_length=MAX_SESSIONS,
        description="The user's sessions. Absent where Zoom did not identify them.",
        json_schema_extra=extension(list_type="atomic"),
    )


class BotPresence(Model):
    """Zoom's newest events about a bot that passed its ZOOM_CUSTOMER_KEY. Times are milliseconds since 1970."""

    customer_key: str = Field(max_length=64, description="The MeetingBot's UID without dashes.")
    waiting_room_time: EpochMilliseconds | None = Field(
        default=None, description="Zoom's event_ts of the newest entry into the waiting room."
    )
    joined_time: EpochMilliseconds | None = Field(
        default=None, description="Zoom's event_ts of the newest entry into the meeting."
    )
    left_time: EpochMilliseconds | None = Field(
        default=None, description="Zoom's event_ts of the newest departure from the meeting."
    )
    uuid: str | None = Field(
        default=None, max_length=256, description="Zoom's ID of the instance of the meeting of the newest event."
    )


class AppTimes(Model):
    """The times of the newest events of one Zoom app; each app reports its own credentials only."""

    name: ObjectName = Field(description="Name of the app's Secret.")
    existence: EpochMilliseconds | None = Field(
        default=None, description="Zoom's event_ts of the app's newest event about the meeting's existence."
    )
    roles: EpochMilliseconds | None = Field(
        default=None, description="Zoom's event_ts of the app's newest event about the host."
    )
    alternatives: EpochMilliseconds | None = Field(
        default=None, description="Zoom's event_ts of the app's newest event about the alternative hosts."
    )


class EventTimes(Model):
    """The times of the newest events by aspect; an older event of an aspect changes nothing."""

    existence: EpochMilliseconds | None = Field(
        default=None,
        description="Zoom's event_ts of the newest event about the meeting's existence, in milliseconds since 1970.",
    )
    roles: EpochMilliseconds | None = Field(
        default=None, description="Zoom's event_ts of the newest event about the host, in milliseconds since 1970."
    )
    live: EpochMilliseconds | None = Field(
        default=None,
        description="Zoom's event_ts of the newest start or end of the meeting, in milliseconds since 1970.",
    )
    schedule: EpochMilliseconds | None = Field(
        default=None,
        description="Zoom's event_ts of the newest event about the planned time, in milliseconds since 1970.",
    )
    apps: list[AppTimes] | None = Field(
        default=None,
        max_length=MAX_APPS,
        description="The times for each Zoom app: the events of two apps about one change differ by milliseconds.",
        json_schema_extra=extension(list_type="map", list_key="name"),
    )


class MappingStatus(Model):
    """What the operator and the receiver found about the meeting."""

    model_config = atomic()

    credentials: list[FoundCredential] = Field(
        default_factory=list,
        max_length=MAX_FOUND_CREDENTIALS,
        description="ZoomCredentials that belong to the meeting.",
        json_schema_extra=extension(list_type="map", list_key="name"),
    )
    phase: MappingPhase | None = Field(
        default=None, description="State of the meeting: Scheduled, Live, Ended or Deleted."
    )
    uuid: str | None = Field(
        default=None, max_length=256, description="Zoom's ID of the instance of the meeting that phase describes."
    )
    start_time: Time | None = Field(
        default=None, description="When that instance started; before the first instance, the planned time."
    )
    end_time: Time | None = Field(default=None, description="When that instance ended.")
    event_times: EventTimes = Field(
        default_factory=EventTimes,
        description="Times of the newest events by aspect; an older event of an aspect changes nothing.",
    )
    presence: list[Presence] = Field(
        default_factory=list,
        max_length=MAX_FOUND_CREDENTIALS,
        description="Which users of credentials are in the running meeting, according to webhooks; never guests.",
        json_schema_extra=extension(list_type="map", list_key="name"),
    )
    bots: list[BotPresence] | None = Field(
        default=None,
        max_length=MAX_BOTS,
        description="The bots that Zoom reported in the newest instance of the meeting.",
        json_schema_extra=extension(list_type="map", list_key="customerKey"),
    )


class MeetingMapping(CustomResource):
    """Which ZoomCredentials may create a join token for one Zoom meeting. Its name is the meeting ID."""

    KIND: ClassVar[str] = MAPPING_KIND
    PLURAL: ClassVar[str] = MAPPING_PLURAL

    model_config = rules(
        (
            "self.metadata.name == self.spec.meetingId",
            "metadata.name and spec.meetingId must be the same: a MeetingMapping is named after its meeting",
        )
    )

    spec: MappingSpec = Field(description="What people write: the meeting's ID and the credentials to use for it.")
    status: MappingStatus = Field(
        default_factory=MappingStatus,
        description="What webhooks, syncs and lookups found. Written by the operator and the receiver.",
    )

"""MeetingMapping: which credentials may make a join token for a meeting.

Its name is the meeting ID, so a bot's look-up is one GET. People write the spec; the receiver and the credentials' sync
write the status, which is no subresource, so that one webhook is one write.
"""

from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from meetingbots.models.base import EpochMilliseconds, MeetingId, Model, ObjectName, Time, extension, rules
from meetingbots.models.metadata import CustomResource, NameReference
from meetingbots.models.names import LIVE, LIVE_LABEL, MAPPING_KIND, MAPPING_PLURAL

MAX_FOUND_CREDENTIALS = 256
MAX_APPS = 64


class Role(StrEnum):
    """What a credential's user is to the meeting, in the order in which bots try them."""

    HOST = "Host"
    ALTERNATIVE_HOST = "AlternativeHost"
    OPERATOR = "Operator"


class Source(StrEnum):
    """How it was found out that a credential belongs to the meeting."""

    SYNC = "Sync"
    WEBHOOK = "Webhook"
    PMI = "PMI"
    LOOKUP = "Lookup"


class MappingPhase(StrEnum):
    """Where the meeting stands."""

    SCHEDULED = "Scheduled"
    LIVE = "Live"
    ENDED = "Ended"
    DELETED = "Deleted"


class MappingSpec(Model):
    """What people say about the meeting."""

    meeting_id: MeetingId = Field(
        description="The meeting's ID: 9 to 11 digits without blanks. It must be the same as metadata.name."
    )
    credentials: tuple[NameReference, ...] = Field(
        default_factory=tuple,
        max_length=64,
        description="ZoomCredentials that may make join tokens for the meeting, in the order of trial. They win over "
        "what was found out, and the operator never writes them.",
        json_schema_extra=extension(list_type="map", list_key="name"),
    )


class FoundCredential(Model):
    """A credential that was found to belong to the meeting."""

    name: ObjectName = Field(description="Name of the ZoomCredential.")
    role: Role = Field(description="What its user is to the meeting: Host, AlternativeHost or Operator.")
    source: Source = Field(description="How it was found out: Sync, Webhook, PMI or Lookup.")


class Presence(Model):
    """Whether the user of a credential is in the running meeting."""

    name: ObjectName = Field(description="Name of the user's ZoomCredential.")
    present: bool = Field(description="Whether the user is in the meeting.")
    event_time: EpochMilliseconds = Field(
        description="Zoom's event_ts of the join or leave that told it, in milliseconds since 1970."
    )
    uuid: str | None = Field(default=None, max_length=256, description="Zoom's id of the run that it is about.")


class AppTimes(Model):
    """The times of the newest events that one Zoom app sent; each app speaks for its own credentials only."""

    name: ObjectName = Field(description="Name of the app's Secret.")
    existence: EpochMilliseconds | None = Field(
        default=None, description="Zoom's event_ts of its newest event about whether the meeting exists."
    )
    roles: EpochMilliseconds | None = Field(
        default=None, description="Zoom's event_ts of its newest event about who the host is."
    )
    alternatives: EpochMilliseconds | None = Field(
        default=None, description="Zoom's event_ts of its newest event about who the alternative hosts are."
    )


class EventTimes(Model):
    """The times of the newest events, by aspect; an older event of an aspect changes nothing."""

    existence: EpochMilliseconds | None = Field(
        default=None,
        description="Zoom's event_ts of the newest event about whether the meeting exists, in milliseconds since 1970.",
    )
    roles: EpochMilliseconds | None = Field(
        default=None,
        description="Zoom's event_ts of the newest event about whose meeting it is, in milliseconds since 1970.",
    )
    live: EpochMilliseconds | None = Field(
        default=None,
        description="Zoom's event_ts of the newest event about whether it runs, in milliseconds since 1970.",
    )
    schedule: EpochMilliseconds | None = Field(
        default=None,
        description="Zoom's event_ts of the newest event about when it is planned, in milliseconds since 1970.",
    )
    apps: list[AppTimes] | None = Field(
        default=None,
        max_length=MAX_APPS,
        description="The same for each Zoom app: the events of two apps about one meeting differ a little in time.",
        json_schema_extra=extension(list_type="map", list_key="name"),
    )


class MappingStatus(Model):
    """What was found out about the meeting."""

    credentials: list[FoundCredential] = Field(
        default_factory=list,
        max_length=MAX_FOUND_CREDENTIALS,
        description="ZoomCredentials that were found to belong to the meeting.",
        json_schema_extra=extension(list_type="map", list_key="name"),
    )
    phase: MappingPhase | None = Field(
        default=None, description="Where the meeting stands: Scheduled, Live, Ended or Deleted."
    )
    uuid: str | None = Field(
        default=None, max_length=256, description="Zoom's id of the run of the meeting that phase is about."
    )
    start_time: Time | None = Field(default=None, description="When that run began, or when the meeting is planned.")
    end_time: Time | None = Field(default=None, description="When that run ended.")
    event_times: EventTimes = Field(
        default_factory=EventTimes,
        description="Times of the newest events by aspect; an older event of an aspect changes nothing.",
    )
    presence: list[Presence] = Field(
        default_factory=list,
        max_length=MAX_FOUND_CREDENTIALS,
        description="Which of our users are in the running meeting, as far as webhooks told; never guests.",
        json_schema_extra=extension(list_type="map", list_key="name"),
    )


class MeetingMapping(CustomResource):
    """Which ZoomCredentials may make a join token for one Zoom meeting. Its name is the meeting ID."""

    KIND: ClassVar[str] = MAPPING_KIND
    PLURAL: ClassVar[str] = MAPPING_PLURAL

    model_config = rules(
        (
            "self.metadata.name == self.spec.meetingId",
            "metadata.name and spec.meetingId must be the same: a MeetingMapping is named after its meeting",
        )
    )

    spec: MappingSpec = Field(description="What people say: the meeting's ID and the credentials to use for it.")
    status: MappingStatus = Field(
        default_factory=MappingStatus,
        description="What was found out by webhooks, syncs and look-ups. Written by the operator and the receiver.",
    )

    @property
    def live(self) -> bool:
        """Whether the mapping carries the label of a running meeting (or one whose end is not dealt with yet)."""
        return self.metadata.labels.get(LIVE_LABEL) == LIVE

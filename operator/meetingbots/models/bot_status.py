"""How far a bot is: its phases, reasons and status. Written by the operator as a join token goes its way."""

from enum import StrEnum

from pydantic import Field

from meetingbots.models.base import MAX_INTEGER, Message, Model, Time, extension
from meetingbots.models.conditions import Condition


class TokenKind(StrEnum):
    """The tokens that Zoom makes for a bot."""

    LOCAL_RECORDING = "LocalRecording"
    ON_BEHALF = "OnBehalf"
    ZAK = "ZAK"
    LIVE_STREAMING = "LiveStreaming"
    LOCAL_ARCHIVING = "LocalArchiving"


class BotPhase(StrEnum):
    """How far a bot is."""

    PENDING = "Pending"
    SCHEDULED = "Scheduled"
    STAGING = "Staging"
    JOINING = "Joining"
    RUNNING = "Running"
    WAITING_FOR_USER = "WaitingForUser"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    EXPIRED = "Expired"

    @property
    def finished(self) -> bool:
        """Whether this phase is the last: such a bot never runs again."""
        return self in {BotPhase.SUCCEEDED, BotPhase.FAILED, BotPhase.EXPIRED}


class BotReason(StrEnum):
    """Reasons of a MeetingBot's conditions when something is in its way. While all is well Ready's is the phase."""

    NO_MAPPING = "NoMapping"
    CREDENTIAL_NOT_READY = "CredentialNotReady"
    LOCAL_RECORDING_DISABLED = "LocalRecordingDisabled"
    MEETING_NOT_FOUND = "MeetingNotFound"
    NOT_THE_HOST = "NotTheHost"
    SCOPES_MISSING = "ScopesMissing"
    RATE_LIMITED = "RateLimited"
    ZOOM_UNAVAILABLE = "ZoomUnavailable"
    VANITY_LINK = "VanityLink"
    INVALID_MEETING = "InvalidMeeting"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    UNSCHEDULABLE = "Unschedulable"
    CONFIG_ERROR = "ConfigError"
    TEMPLATE_INVALID = "TemplateInvalid"
    QUOTA_EXCEEDED = "QuotaExceeded"
    START_DEADLINE_EXCEEDED = "StartDeadlineExceeded"
    MAX_DURATION_EXCEEDED = "MaxDurationExceeded"
    MEETING_ENDED = "MeetingEnded"
    BOT_FAILED = "BotFailed"
    INFRASTRUCTURE_LOST = "InfrastructureLost"
    USER_NOT_IN_MEETING = "UserNotInMeeting"
    SUSPENDED = "Suspended"


class TokenStatus(Model):
    """The tokens of the present attempt; never the tokens themselves."""

    kinds: list[TokenKind] = Field(
        default_factory=list,
        max_length=5,
        description="Kinds of the tokens that the bot got; empty when it went without.",
        json_schema_extra=extension(list_type="atomic"),
    )
    issued_time: Time | None = Field(default=None, description="When Zoom made them.")
    delivered_time: Time | None = Field(default=None, description="When they were given to the Pod.")
    reason: str | None = Field(
        default=None, max_length=256, description="Why a token is missing, in one CamelCase word; absent if none is."
    )


class Attempt(Model):
    """One Pod of the bot, after its end."""

    pod_name: str = Field(default="", max_length=253, description="Name of the attempt's Pod.")
    node: str = Field(default="", max_length=253, description="Node that it ran on, if it came that far.")
    reason: str = Field(default="", max_length=256, description="Why it ended, in one CamelCase word.")
    message: Message = Field(default="", description="Why it ended, in words: the bot's own, if it left any.")
    exit_code: int | None = Field(
        default=None, ge=-2147483648, le=2147483647, description="Exit code of container bot, if it had started."
    )
    start_time: Time | None = Field(default=None, description="When container bot started.")
    end_time: Time | None = Field(default=None, description="When it ended.")


class BotStatus(Model):
    """What the operator found and did."""

    observed_generation: int | None = Field(
        default=None,
        ge=-1,
        le=MAX_INTEGER,
        description="The metadata.generation that this status was made from; -1 before the first look.",
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        description="Ready (all is well so far), TokenIssued, SpecChangeIgnored, and Reconciling and Stalled while "
        "they are True.",
        json_schema_extra=extension(list_type="map", list_key="type"),
    )
    phase: BotPhase | None = Field(
        default=None,
        description="How far the bot is: Pending, Scheduled, Staging, Joining, Running, WaitingForUser, Succeeded, "
        "Failed or Expired.",
    )
    meeting_id: str | None = Field(
        default=None, max_length=11, description="The meeting's ID, from the link or the spec."
    )
    credential_name: str | None = Field(
        default=None, max_length=253, description="ZoomCredential that made, or is to make, the tokens."
    )
    pod_name: str | None = Field(
        default=None, max_length=253, description="Name of the present attempt's Pod; set before the Pod is created."
    )
    attempts: int = Field(
        default=0, ge=0, le=MAX_INTEGER, description="Attempts so far that count, the present one included."
    )
    infrastructure_restarts: int = Field(
        default=0,
        ge=0,
        le=MAX_INTEGER,
        description="New Pods after losses that were not the bot's fault: node lost, evicted, Pod deleted by someone.",
    )
    token: TokenStatus | None = Field(default=None, description="The tokens of the present attempt.")
    scheduled_time: Time | None = Field(default=None, description="When the bot is to join.")
    start_time: Time | None = Field(default=None, description="When container bot first started.")
    completion_time: Time | None = Field(
        default=None, description="When the bot came to its end: Succeeded, Failed or Expired."
    )
    last_attempt: Attempt | None = Field(default=None, description="The last attempt that ended, and why.")
    next_attempt_time: Time | None = Field(
        default=None, description="When the next attempt is to begin; absent while none is waited for."
    )
    waiting_since: Time | None = Field(
        default=None, description="Since when the bot waits for the person whose presence admits it."
    )
    spec_hash: str | None = Field(
        default=None,
        max_length=128,
        description="Fingerprint of the part of the spec that is fixed since the bot joined; tells a later edit.",
    )

"""A bot's status: phases, reasons, tokens, attempts, and its progress in the meeting."""

from enum import StrEnum

from pydantic import Field

from meetingbots.models.base import MAX_INTEGER, Message, Model, Time, atomic, extension
from meetingbots.models.conditions import Condition, ConditionType, find


class TokenKind(StrEnum):
    """The kinds of token that Zoom issues for a bot."""

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
        """Whether this phase is final: such a bot never runs again."""
        return self in {BotPhase.SUCCEEDED, BotPhase.FAILED, BotPhase.EXPIRED}


class BotReason(StrEnum):
    """Reasons of a MeetingBot's conditions when something blocks it. Otherwise the reason of Ready is the phase."""

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
    NOT_ADMITTED = "NotAdmitted"
    MEETING_ENDED = "MeetingEnded"
    BOT_FAILED = "BotFailed"
    INFRASTRUCTURE_LOST = "InfrastructureLost"
    USER_NOT_IN_MEETING = "UserNotInMeeting"
    SUSPENDED = "Suspended"


class InMeetingState(StrEnum):
    """How far the bot is in the meeting. The values are those of the bot's own reports (ZOOM_REPORT_URL)."""

    JOINING = "joining"
    WAITING_ROOM = "waiting_room"
    IN_MEETING = "in_meeting"
    ASKING_HOST = "asking_host"
    RECORDING = "recording"
    RECORDING_DENIED = "recording_denied"
    REMOVED = "removed"
    LEFT = "left"


class InMeetingSource(StrEnum):
    """Who observed a state in the meeting."""

    ZOOM = "Zoom"
    BOT = "Bot"


class TokenStatus(Model):
    """Facts about the tokens of the current attempt, without their values."""

    kinds: list[TokenKind] = Field(
        default_factory=list,
        max_length=5,
        description="Kinds of the tokens that the bot got; empty if it joined without a token.",
        json_schema_extra=extension(list_type="atomic"),
    )
    issued_time: Time | None = Field(default=None, description="When Zoom issued the tokens.")
    delivered_time: Time | None = Field(default=None, description="When the tokens were delivered to the Pod.")
    reason: str | None = Field(
        default=None,
        max_length=256,
        description="Why a token is missing, as one CamelCase word; absent if none is missing.",
    )


class Attempt(Model):
    """One attempt of the bot that has ended."""

    pod_name: str = Field(default="", max_length=253, description="Name of the attempt's Pod.")
    node: str = Field(default="", max_length=253, description="Node of the Pod, if it was scheduled.")
    reason: str = Field(default="", max_length=256, description="Why the attempt ended, as one CamelCase word.")
    message: Message = Field(
        default="", description="Why the attempt ended: the end of the bot's output, if there is any, else a sentence."
    )
    exit_code: int | None = Field(
        default=None, ge=-2147483648, le=2147483647, description="Exit code of container bot, if it had started."
    )
    start_time: Time | None = Field(default=None, description="When container bot started.")
    end_time: Time | None = Field(default=None, description="When the attempt ended.")


class InMeeting(Model):
    """Progress of the bot in the meeting, from Zoom's webhooks and from the bot's own reports."""

    state: InMeetingState = Field(
        description="Latest known state: joining, waiting_room, in_meeting, asking_host, recording, recording_denied, "
        "removed or left."
    )
    source: InMeetingSource = Field(description="Who observed that state: Zoom (webhook) or Bot (its report).")
    since: Time = Field(description="When that state began.")
    waiting_room_time: Time | None = Field(default=None, description="When the bot first entered the waiting room.")
    admitted_time: Time | None = Field(default=None, description="When the bot was first in the meeting.")
    recording_time: Time | None = Field(default=None, description="When the bot first recorded.")
    left_time: Time | None = Field(default=None, description="When the bot last left or was removed.")
    code: int | None = Field(
        default=None,
        ge=-2147483648,
        le=2147483647,
        description="The bot's own code for that state, such as a result code of the Meeting SDK.",
    )
    message: Message = Field(default="", description="The bot's own words for that state.")


class BotNotification(Model):
    """A notice that the namespace's webhook accepted."""

    type: str = Field(
        max_length=64,
        description="Type of the notice: bot.scheduled, bot.joining, bot.waiting, bot.admitted, bot.recording, "
        "bot.done or bot.failed.",
    )
    event_time: Time | None = Field(default=None, description="When that happened.")
    time: Time | None = Field(default=None, description="When the webhook accepted it.")


class BotStatus(Model):
    """The state of the bot as the operator observed it."""

    model_config = atomic()

    observed_generation: int | None = Field(
        default=None,
        ge=-1,
        le=MAX_INTEGER,
        description="The metadata.generation that this status was computed from; -1 before the first reconciliation.",
    )
    conditions: list[Condition] = Field(
        default_factory=list,
        max_length=16,
        description="Ready (nothing blocks the bot), TokenIssued, Admitted, Recording, SpecChangeIgnored; Reconciling "
        "and Stalled only while they are True.",
        json_schema_extra=extension(list_type="map", list_key="type"),
    )
    phase: BotPhase | None = Field(
        default=None,
        description="Progress of the bot: Pending, Scheduled, Staging, WaitingForUser, Joining, Running, Succeeded, "
        "Failed "
        "or Expired.",
    )
    meeting_id: str | None = Field(
        default=None, max_length=11, description="The meeting's ID, from the link or the spec."
    )
    credential_name: str | None = Field(
        default=None, max_length=253, description="ZoomCredential that the tokens were issued with."
    )
    pod_name: str | None = Field(
        default=None, max_length=253, description="Name of the current attempt's Pod; set before the Pod is created."
    )
    attempts: int = Field(
        default=0,
        ge=0,
        le=MAX_INTEGER,
        description="Attempts that count towards retry.limit, including the current one.",
    )
    infrastructure_restarts: int = Field(
        default=0,
        ge=0,
        le=MAX_INTEGER,
        description="Pods replaced after losses that the bot did not cause: node lost, Pod evicted or deleted.",
    )
    token: TokenStatus | None = Field(default=None, description="The tokens of the current attempt.")
    scheduled_time: Time | None = Field(default=None, description="When the bot joins.")
    start_time: Time | None = Field(default=None, description="When container bot first started.")
    completion_time: Time | None = Field(default=None, description="When the bot ended: Succeeded, Failed or Expired.")
    last_attempt: Attempt | None = Field(default=None, description="The last attempt that ended, and its cause.")
    in_meeting: InMeeting | None = Field(
        default=None, description="Progress of the bot in the meeting; absent while nothing is reported."
    )
    next_attempt_time: Time | None = Field(
        default=None, description="When the next attempt starts; absent if none is pending."
    )
    waiting_since: Time | None = Field(
        default=None, description="Since when the bot waits for the on-behalf user to join."
    )
    notifications: list[BotNotification] = Field(
        default_factory=list,
        max_length=16,
        description="The notices that the webhook in the namespace's Secret meetingbots-notify accepted, the latest of "
        "each type.",
        json_schema_extra=extension(list_type="map", list_key="type"),
    )
    spec_hash: str | None = Field(
        default=None,
        max_length=128,
        description="Fingerprint of the part of the spec that is fixed once the bot joins; detects later edits.",
    )

    @property
    def ready(self) -> Condition | None:
        """The condition Ready, if there is one."""
        return find(self.conditions, ConditionType.READY)

    @property
    def finished(self) -> bool:
        """Whether the bot has ended."""
        return self.phase is not None and self.phase.finished

    @property
    def accounted(self) -> bool:
        """Whether the attempt of `pod_name` has ended and is recorded, so that a next one may follow."""
        return self.last_attempt is not None and self.last_attempt.pod_name == self.pod_name

    @property
    def joined(self) -> bool:
        """Whether the current attempt joined; from then on the spec is fixed."""
        return self.spec_hash is not None and not self.accounted

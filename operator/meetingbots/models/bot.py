"""MeetingBot: one bot for one meeting. The spec names meeting, time, credential and Pod."""

from datetime import datetime
from typing import Any, ClassVar, Final

from pydantic import Field
from pydantic.config import JsonDict

from meetingbots.models.base import MAX_SECONDS, Model, Time, extension, rules
from meetingbots.models.bot_meeting import Meeting, MeetingKind
from meetingbots.models.bot_policies import (
    DAY_SECONDS,
    MeetingEndPolicy,
    OnBehalf,
    Retry,
    TokenDelivery,
    TokenPolicy,
)
from meetingbots.models.bot_status import (
    Attempt,
    BotNotification,
    BotPhase,
    BotReason,
    BotStatus,
    InMeeting,
    InMeetingSource,
    InMeetingState,
    TokenKind,
    TokenStatus,
)
from meetingbots.models.metadata import CustomResource, LabelSelector, NameReference
from meetingbots.models.names import BOT_KIND, BOT_PLURAL

__all__ = [
    "DEFAULT_TOKENS",
    "MAX_NAME_LENGTH",
    "Attempt",
    "BotNotification",
    "BotPhase",
    "BotReason",
    "BotSpec",
    "BotStatus",
    "InMeeting",
    "InMeetingSource",
    "InMeetingState",
    "Meeting",
    "MeetingBot",
    "MeetingEndPolicy",
    "MeetingKind",
    "OnBehalf",
    "Retry",
    "TokenDelivery",
    "TokenKind",
    "TokenPolicy",
    "TokenStatus",
]

MAX_NAME_LENGTH: Final = 48
DEFAULT_TOKENS: Final = (TokenKind.LOCAL_RECORDING,)


_TEMPLATE_SCHEMA: Final[JsonDict] = {
    "properties": {
        "metadata": {
            "type": "object",
            "description": "Labels and annotations for the Pod. The operator sets its name and namespace.",
            "properties": {
                "labels": {
                    "type": "object",
                    "description": "Labels for the Pod. The operator's labels take precedence.",
                    "maxProperties": 128,
                    "additionalProperties": {"type": "string", "maxLength": 63},
                },
                "annotations": {
                    "type": "object",
                    "description": "Annotations for the Pod.",
                    "maxProperties": 128,
                    "additionalProperties": {"type": "string", "maxLength": 262144},
                },
            },
        },
        "spec": {
            "type": "object",
            "description": "The Pod's spec, as in a Deployment. Its container bot gets the tokens as environment "
            "variables. A dry run checks it before the first Pod is created.",
            "x-kubernetes-preserve-unknown-fields": True,
        },
    },
}


class BotSpec(Model):
    """The desired bot."""

    model_config = rules(
        (
            "!has(self.ttlSecondsAfterFinished) || has(self.joinAt)",
            "ttlSecondsAfterFinished needs joinAt, so that a bot that Git re-creates does not join again",
        )
    )

    meeting: Meeting = Field(description="The meeting to join: exactly one of url, id and urlSecretKeyRef.")
    join_at: Time | None = Field(
        default=None, description="When the bot joins (RFC 3339). Default: when the MeetingBot is created."
    )
    display_name: str = Field(
        default="Notetaker",
        min_length=1,
        max_length=128,
        description="The bot's name in the meeting. Default: Notetaker.",
    )
    credential_ref: NameReference | None = Field(
        default=None, description="ZoomCredential to issue the tokens with. Default: from the meeting's MeetingMapping."
    )
    credential_selector: LabelSelector | None = Field(
        default=None, description="Use only ZoomCredentials with these labels, including those from the mapping."
    )
    sdk_secret_ref: NameReference | None = Field(
        default=None,
        description="Secret with the keys client_id and client_secret of the Meeting SDK app. The bot gets a signed "
        "JWT "
        "(ZOOM_SDK_JWT), never the secret. Default: no JWT.",
    )
    tokens: tuple[TokenKind, ...] | None = Field(
        default=None,
        max_length=5,
        description="Tokens that the bot gets: LocalRecording, OnBehalf or ZAK (not both), LiveStreaming, "
        "LocalArchiving. Can be empty. Default: LocalRecording, and OnBehalf if the meeting belongs to another account "
        "than the app, where Zoom requires it.",
        json_schema_extra=extension(
            ("!('OnBehalf' in self && 'ZAK' in self)", "the tokens OnBehalf and ZAK exclude each other"),
            list_type="set",
        ),
    )
    on_behalf: OnBehalf = Field(
        default_factory=OnBehalf,
        description="The user whose presence in the meeting admits the bot (token OnBehalf), and how long the bot "
        "waits.",
        json_schema_extra={"default": {}},
    )
    token_policy: TokenPolicy = Field(
        default=TokenPolicy.PREFERRED,
        description="What happens without a token: Preferred (the bot joins and asks the host) or Required (the bot "
        "does not join). Default: Preferred.",
    )
    token_wait_seconds: int = Field(
        default=20,
        ge=0,
        le=3600,
        description="Seconds that transient failures of Zoom are retried before the bot joins without a token (policy "
        "Preferred). Default: 20.",
    )
    bypass_waiting_room: bool = Field(
        default=True, description="Whether the join token bypasses the waiting room. Default: true."
    )
    token_delivery: TokenDelivery = Field(
        default=TokenDelivery.AT_START,
        description="When the tokens are issued: AtStart (when the Pod can start, after its image was pulled) or "
        "BeforePod (before the Pod is created, for nodes without a kubelet). Default: AtStart.",
    )
    token_endpoint: bool = Field(
        default=False,
        description="Whether the running bot can request a further recording token of its own meeting at "
        "ZOOM_TOKEN_URL, to rejoin after it was removed, and report its progress at ZOOM_REPORT_URL. It authenticates "
        "with the Pod's token in the file ZOOM_TOKEN_URL_TOKEN_FILE. Default: false.",
    )
    lead_seconds: int = Field(
        default=120,
        ge=0,
        le=DAY_SECONDS,
        description="Seconds before joinAt at which the Pod is created, to pull its image. Default: 120.",
    )
    start_deadline_seconds: int = Field(
        default=600,
        ge=1,
        le=MAX_SECONDS,
        description="Seconds after joinAt within which the bot must start; each replacement has its own deadline. "
        "Default: 600.",
    )
    admission_deadline_seconds: int = Field(
        default=1200,
        ge=1,
        le=MAX_SECONDS,
        description="Seconds after its start within which the bot must be admitted to the meeting, else it must leave. "
        "Applies only if Zoom's webhooks or the bot's reports say where the bot is. Default: 1200.",
    )
    max_duration_seconds: int = Field(
        default=14_400,
        ge=1,
        le=MAX_SECONDS,
        description="Seconds after which a running bot must leave. Default: 14400, four hours.",
    )
    meeting_end_policy: MeetingEndPolicy = Field(
        default=MeetingEndPolicy.LEAVE,
        description="What the bot does when the meeting ends: Leave (its Pod is deleted) or Stay (it runs until it "
        "exits by itself). Default: Leave.",
    )
    leave_after_meeting_end_seconds: int = Field(
        default=60,
        ge=0,
        le=DAY_SECONDS,
        description="Seconds between the meeting's end and the deletion of the Pod (policy Leave). Default: 60.",
    )
    retry: Retry = Field(
        default_factory=Retry,
        description="When a failed bot is restarted with a new Pod and new tokens.",
        json_schema_extra={"default": {}},
    )
    pod_retention_seconds: int = Field(
        default=3600,
        ge=0,
        le=MAX_SECONDS,
        description="Seconds after the bot's end at which its Pods are deleted; until then their logs are readable. "
        "Default: 3600.",
    )
    ttl_seconds_after_finished: int | None = Field(
        default=None,
        ge=0,
        le=MAX_SECONDS,
        description="Seconds after its end at which the MeetingBot is deleted. Needs joinAt, so that a bot that Git "
        "re-creates is Expired and does not join. Default: that of the operator's settings, or else never.",
    )
    suspend: bool = Field(
        default=False,
        description="Holds a bot that has not joined; makes a bot that has joined leave. Default: false.",
    )
    template: dict[str, Any] | None = Field(
        default=None,
        repr=False,
        description="The bot's Pod (PodTemplateSpec) with a container named bot. Default: a Pod with the image from "
        "the "
        "operator's settings.",
        json_schema_extra=_TEMPLATE_SCHEMA,
    )


class MeetingBot(CustomResource):
    """One bot for one Zoom meeting. It joins at its time, with a join token that is issued when its Pod starts."""

    KIND: ClassVar[str] = BOT_KIND
    PLURAL: ClassVar[str] = BOT_PLURAL

    model_config = rules(
        (
            f"self.metadata.name.size() <= {MAX_NAME_LENGTH}",
            f"the name of a MeetingBot must have at most {MAX_NAME_LENGTH} characters: its Pods' names extend it",
        )
    )

    spec: BotSpec = Field(description="The desired bot: meeting, time, credential and Pod.")
    status: BotStatus = Field(default_factory=BotStatus, description="The observed state of the bot.")

    @property
    def join_at(self) -> datetime:
        """When the bot joins: spec.joinAt, else its creation.

        Raises ValueError for an object without joinAt that the API server has not stored yet.
        """
        moment = self.spec.join_at or self.metadata.creation_timestamp
        if moment is None:
            raise ValueError("a MeetingBot without joinAt has no join time before it is created")
        return moment

    @property
    def customer_key(self) -> str:
        """The key that identifies the bot in Zoom's participant events: its UID without dashes."""
        return self.metadata.uid.replace("-", "")

    @property
    def requested_tokens(self) -> tuple[TokenKind, ...]:
        """The tokens that the spec requests; LocalRecording by default (see `tokens_defaulted`)."""
        return DEFAULT_TOKENS if self.spec.tokens is None else self.spec.tokens

    @property
    def tokens_defaulted(self) -> bool:
        """Whether the spec names no tokens, so that OnBehalf is added where Zoom requires it."""
        return self.spec.tokens is None

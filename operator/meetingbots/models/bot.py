"""MeetingBot: one bot for one meeting, where a join token's way ends.

The spec says which meeting, when, with whose credential and which Pod; the status tells how far the bot is.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field
from pydantic.config import JsonDict

from meetingbots.models.base import MAX_SECONDS, Model, Time, extension, rules
from meetingbots.models.bot_meeting import Meeting, MeetingKind
from meetingbots.models.bot_status import Attempt, BotPhase, BotReason, BotStatus, TokenKind, TokenStatus
from meetingbots.models.metadata import CustomResource, LabelSelector, NameReference
from meetingbots.models.names import BOT_KIND, BOT_PLURAL

__all__ = [
    "DEFAULT_TOKENS",
    "MAX_NAME_LENGTH",
    "Attempt",
    "BotPhase",
    "BotReason",
    "BotSpec",
    "BotStatus",
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
DAY_SECONDS: Final = 86_400
DEFAULT_TOKENS: Final = (TokenKind.LOCAL_RECORDING,)


class TokenPolicy(StrEnum):
    """Whether a bot may go without its token."""

    PREFERRED = "Preferred"
    REQUIRED = "Required"


class TokenDelivery(StrEnum):
    """When the tokens are given to the Pod."""

    AT_START = "AtStart"
    BEFORE_POD = "BeforePod"


class MeetingEndPolicy(StrEnum):
    """What a bot does when its meeting has ended."""

    LEAVE = "Leave"
    STAY = "Stay"


class OnBehalf(Model):
    """The person whose presence in the meeting admits the bot (token OnBehalf)."""

    credential_ref: NameReference | None = Field(
        default=None,
        description="ZoomCredential of the person whose presence in the meeting admits the bot. Default: the meeting's "
        "own credential.",
    )
    wait_seconds: int = Field(
        default=900,
        ge=0,
        le=DAY_SECONDS,
        description="Seconds that the bot waits for that person, and tries again when it was not let in. Default: 900.",
    )
    retry_seconds: int = Field(
        default=60,
        ge=1,
        le=DAY_SECONDS,
        description="Seconds between two tries; Zoom mails the host after each failed one. Default: 60.",
    )


class Retry(Model):
    """When a failed bot is started again, with a new Pod and new tokens."""

    limit: int = Field(
        default=2,
        ge=0,
        le=100,
        description="How often a bot that failed is started again. Losses of nodes and Pods do not count. Default: 2.",
    )
    backoff_seconds: int = Field(
        default=5,
        ge=0,
        le=3600,
        description="Seconds before the first new start; they double with each further one, up to 300 (or up to this, "
        "where it is more). Default: 5.",
    )
    never_on_exit_codes: tuple[Annotated[int, Field(ge=0, le=255)], ...] = Field(
        default=(),
        max_length=256,
        description="Exit codes of container bot after which it is not started again. Default: none.",
        json_schema_extra=extension(list_type="set"),
    )


_TEMPLATE_SCHEMA: Final[JsonDict] = {
    "properties": {
        "metadata": {
            "type": "object",
            "description": "Labels and annotations for the Pod. Its name and namespace are the operator's.",
            "properties": {
                "labels": {
                    "type": "object",
                    "description": "Labels for the Pod. Those of the operator win.",
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
            "variables. It is checked by a dry run before the first Pod is made.",
            "x-kubernetes-preserve-unknown-fields": True,
        },
    },
}


class BotSpec(Model):
    """What the author wants."""

    model_config = rules(
        (
            "!has(self.ttlSecondsAfterFinished) || has(self.joinAt)",
            "ttlSecondsAfterFinished needs joinAt, so that a bot that is created again from Git does not join again",
        )
    )

    meeting: Meeting = Field(description="The meeting to join: exactly one of url, id and urlSecretKeyRef.")
    join_at: Time | None = Field(
        default=None, description="When the bot is to join (RFC 3339). Default: when the MeetingBot is created."
    )
    display_name: str = Field(
        default="Notetaker",
        min_length=1,
        max_length=128,
        description="The name that the bot shows in the meeting. Default: Notetaker.",
    )
    credential_ref: NameReference | None = Field(
        default=None, description="ZoomCredential that makes the tokens. Default: by the meeting's MeetingMapping."
    )
    credential_selector: LabelSelector | None = Field(
        default=None, description="Only ZoomCredentials with these labels may be used, also by mapping."
    )
    tokens: tuple[TokenKind, ...] | None = Field(
        default=None,
        max_length=5,
        description="Tokens that the bot gets: LocalRecording, OnBehalf or ZAK (not both), LiveStreaming, "
        "LocalArchiving. May be empty. Default: LocalRecording, and OnBehalf where Zoom asks for it because the "
        "meeting belongs to another account than the app.",
        json_schema_extra=extension(
            ("!('OnBehalf' in self && 'ZAK' in self)", "the tokens OnBehalf and ZAK exclude each other"),
            list_type="set",
        ),
    )
    on_behalf: OnBehalf = Field(
        default_factory=OnBehalf,
        description="The person whose presence in the meeting admits the bot (token OnBehalf), and how it is waited "
        "for.",
        json_schema_extra={"default": {}},
    )
    token_policy: TokenPolicy = Field(
        default=TokenPolicy.PREFERRED,
        description="What happens when there is no token: Preferred (the bot goes without and asks the host) or "
        "Required (it does not go). Default: Preferred.",
    )
    token_wait_seconds: int = Field(
        default=20,
        ge=0,
        le=3600,
        description="Seconds that passing failures of Zoom are retried before the bot goes without a token (policy "
        "Preferred). Default: 20.",
    )
    bypass_waiting_room: bool = Field(
        default=True, description="Whether the join token lets the bot past the waiting room. Default: true."
    )
    token_delivery: TokenDelivery = Field(
        default=TokenDelivery.AT_START,
        description="When the tokens are made: AtStart (when the Pod is about to start, after its image was pulled) or "
        "BeforePod (before the Pod is created, for nodes without a kubelet). Default: AtStart.",
    )
    token_endpoint: bool = Field(
        default=False,
        description="Whether the running bot may ask the operator for a further recording token of its own meeting, to "
        "join again after it was put out: at ZOOM_TOKEN_URL, with the token of the Pod's that is in the file "
        "ZOOM_TOKEN_URL_TOKEN_FILE. Default: false.",
    )
    lead_seconds: int = Field(
        default=120,
        ge=0,
        le=DAY_SECONDS,
        description="Seconds before joinAt at which the Pod is created, so that its image is there. Default: 120.",
    )
    start_deadline_seconds: int = Field(
        default=600,
        ge=1,
        le=MAX_SECONDS,
        description="Seconds after joinAt within which the bot must have started; each replacement has its own. "
        "Default: 600.",
    )
    max_duration_seconds: int = Field(
        default=14_400,
        ge=1,
        le=MAX_SECONDS,
        description="Seconds after which a bot that still runs is told to leave. Default: 14400, four hours.",
    )
    meeting_end_policy: MeetingEndPolicy = Field(
        default=MeetingEndPolicy.LEAVE,
        description="What the bot does when the meeting has ended: Leave (its Pod is ended) or Stay (until it ends by "
        "itself). Default: Leave.",
    )
    leave_after_meeting_end_seconds: int = Field(
        default=60,
        ge=0,
        le=DAY_SECONDS,
        description="Seconds between the meeting's end and the end of the Pod (policy Leave). Default: 60.",
    )
    retry: Retry = Field(
        default_factory=Retry,
        description="When a failed bot is started again, with a new Pod and new tokens.",
        json_schema_extra={"default": {}},
    )
    ttl_seconds_after_finished: int | None = Field(
        default=None,
        ge=0,
        le=MAX_SECONDS,
        description="Seconds after its end at which the MeetingBot is deleted. It needs joinAt: one that is created "
        "again from Git is then Expired and does not join. Default: never.",
    )
    suspend: bool = Field(
        default=False,
        description="Holds a bot that has not joined, and makes one that has leave. Default: false.",
    )
    template: dict[str, Any] | None = Field(
        default=None,
        repr=False,
        description="The bot's Pod (PodTemplateSpec), with a container named bot. Default: a Pod with the image of the "
        "operator's settings.",
        json_schema_extra=_TEMPLATE_SCHEMA,
    )


class MeetingBot(CustomResource):
    """One bot for one Zoom meeting: it is sent at its time, with a join token that is made when it starts."""

    KIND: ClassVar[str] = BOT_KIND
    PLURAL: ClassVar[str] = BOT_PLURAL

    model_config = rules(
        (
            f"self.metadata.name.size() <= {MAX_NAME_LENGTH}",
            f"the name of a MeetingBot must have at most {MAX_NAME_LENGTH} characters: its Pods' names add to it",
        )
    )

    spec: BotSpec = Field(description="What is wanted: which meeting, when, with whose credential, and which Pod.")
    status: BotStatus = Field(
        default_factory=BotStatus, description="What the operator found and did: how far the bot is."
    )

    @property
    def join_at(self) -> datetime:
        """When the bot is to join: spec.joinAt, else when it was created.

        Raises ValueError for an object that the API server has not stored yet and that has no joinAt.
        """
        moment = self.spec.join_at or self.metadata.creation_timestamp
        if moment is None:
            raise ValueError("a MeetingBot without joinAt has no time to join before it is created")
        return moment

    @property
    def requested_tokens(self) -> tuple[TokenKind, ...]:
        """The tokens that the spec asks for; LocalRecording where it says nothing (see `tokens_defaulted`)."""
        return DEFAULT_TOKENS if self.spec.tokens is None else self.spec.tokens

    @property
    def tokens_defaulted(self) -> bool:
        """Whether the spec leaves the tokens open, so that OnBehalf may be added where Zoom asks for it."""
        return self.spec.tokens is None

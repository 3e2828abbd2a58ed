"""Choices in a MeetingBot's spec: token policy and delivery, the end of the meeting, the on-behalf user, retries."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from meetingbots.models.base import Model, extension, rules
from meetingbots.models.metadata import LabelSelector, NameReference

DAY_SECONDS: Final = 86_400


class TokenPolicy(StrEnum):
    """Whether a bot joins without its token."""

    PREFERRED = "Preferred"
    REQUIRED = "Required"


class TokenDelivery(StrEnum):
    """When the tokens are issued and delivered."""

    AT_START = "AtStart"
    BEFORE_POD = "BeforePod"


class MeetingEndPolicy(StrEnum):
    """What a bot does when its meeting ends."""

    LEAVE = "Leave"
    STAY = "Stay"


class OnBehalf(Model):
    """The user whose presence in the meeting admits the bot (token OnBehalf)."""

    model_config = rules(
        (
            "[has(self.credentialRef), has(self.credentialRefs), has(self.credentialSelector)]"
            ".filter(given, given).size() <= 1",
            "at most one of credentialRef, credentialRefs and credentialSelector can be set in onBehalf",
        )
    )

    credential_ref: NameReference | None = Field(
        default=None,
        description="ZoomCredential of the user whose presence in the meeting admits the bot. Default: the meeting's "
        "own credential.",
    )
    credential_refs: tuple[NameReference, ...] | None = Field(
        default=None,
        max_length=64,
        description="ZoomCredentials of several such users: that of a present user serves. Default: none.",
        json_schema_extra=extension(list_type="atomic"),
    )
    credential_selector: LabelSelector | None = Field(
        default=None,
        description="ZoomCredentials of several such users, by their labels: that of a present user serves.",
    )
    wait_seconds: int = Field(
        default=900,
        ge=0,
        le=DAY_SECONDS,
        description="Seconds that the bot waits for that user, and repeats its attempt if Zoom rejects it. Default: "
        "900.",
    )
    retry_seconds: int = Field(
        default=60,
        ge=1,
        le=DAY_SECONDS,
        description="Seconds between two attempts; Zoom emails the host after each failed one. Default: 60.",
    )


class Retry(Model):
    """When a failed bot is restarted with a new Pod and new tokens."""

    limit: int = Field(
        default=2,
        ge=0,
        le=100,
        description="How often a failed bot is restarted. Losses of nodes and Pods do not count. Default: 2.",
    )
    backoff_seconds: int = Field(
        default=5,
        ge=0,
        le=3600,
        description="Seconds before the first restart, doubled for each further one up to 300 or this value, "
        "whichever is greater. With 0, the first three restarts are immediate, and the others follow after 1, 2, 4 … "
        "seconds. Default: 5.",
    )
    never_on_exit_codes: tuple[Annotated[int, Field(ge=0, le=255)], ...] = Field(
        default=(),
        max_length=256,
        description="Exit codes of container bot after which the bot is not restarted. Default: none.",
        json_schema_extra=extension(list_type="set"),
    )

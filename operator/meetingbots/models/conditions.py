"""Conditions of credentials and bots, and pure functions on lists of them."""
# ruff: noqa: S105  (names of reasons and objects, not secrets)

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from meetingbots.models.base import MAX_INTEGER, Model, Time

MAX_MESSAGE = 32768  # as in Kubernetes' own Condition


class ConditionStatus(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class ConditionType(StrEnum):
    """The condition types in use. Reconciling and Stalled follow kstatus: they are present only while True."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    # ZoomCredential
    MEETINGS_SYNCED = "MeetingsSynced"
    WEBHOOK_RECEIVING = "WebhookReceiving"
    GRANT_REJECTED = "GrantRejected"
    # MeetingBot
    TOKEN_ISSUED = "TokenIssued"
    ADMITTED = "Admitted"
    RECORDING = "Recording"
    SPEC_CHANGE_IGNORED = "SpecChangeIgnored"


def _shorten(value: object) -> object:
    if isinstance(value, str) and len(value) > MAX_MESSAGE:
        return value[: MAX_MESSAGE - 1] + "…"
    return value


class Condition(Model):
    """One aspect of the object's state, in the standard form of Kubernetes."""

    type: str = Field(
        min_length=1,
        max_length=316,
        pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
        description="Which aspect this condition is about, for example Ready.",
    )
    status: ConditionStatus = Field(description="Whether the condition holds: True, False or Unknown.")
    reason: str = Field(
        min_length=1,
        max_length=1024,
        pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        description="The cause of the status in one CamelCase word, for programs.",
    )
    message: Annotated[str, BeforeValidator(_shorten)] = Field(
        default="",
        max_length=MAX_MESSAGE,
        description="The cause of the status, and what to do about it, in words for people.",
    )
    last_transition_time: Time = Field(description="When the status last changed from one value to another.")
    observed_generation: int | None = Field(
        default=None,
        ge=0,
        le=MAX_INTEGER,
        description="The metadata.generation that this condition was made from; a smaller one is out of date.",
    )


def find(conditions: Iterable[Condition], type: str) -> Condition | None:  # noqa: A002  (the field's name)
    """Return the condition of a type, or None."""
    return next((condition for condition in conditions if condition.type == type), None)


def remove(conditions: Iterable[Condition], type: str) -> list[Condition]:  # noqa: A002
    """Return the conditions without the one of a type."""
    return [condition for condition in conditions if condition.type != type]


def set_condition(
    conditions: Iterable[Condition],
    *,
    type: str,  # noqa: A002
    status: ConditionStatus | bool,
    reason: str,
    message: str,
    generation: int | None,
    now: datetime,
) -> list[Condition]:
    """Return the conditions with one set, in the same order.

    lastTransitionTime changes to `now` only with the status, not with reason or message.
    """
    known = list(conditions)
    if isinstance(status, bool):
        status = ConditionStatus.TRUE if status else ConditionStatus.FALSE
    old = find(known, type)
    new = Condition(
        type=str(type),
        status=status,
        reason=str(reason),
        message=message,
        last_transition_time=old.last_transition_time if old is not None and old.status is status else now,
        observed_generation=generation,
    )
    if old is None:
        return [*known, new]
    return [new if condition.type == type else condition for condition in known]

"""The actions that a MeetingBot's plan can ask for. Each changes at most one object and can be repeated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from meetingbots.models.bot import BotReason, BotStatus
from meetingbots.runtime.plan import Plan


@dataclass(frozen=True)
class Commit:
    """Write the plan's status now, if the bot has not changed since it was read, and continue from there."""


@dataclass(frozen=True)
class CheckTemplate:
    """Ask Kubernetes by a dry run whether it accepts the Pod."""


@dataclass(frozen=True)
class CreatePod:
    """Create the Pod that ``status.podName`` claims."""

    name: str


@dataclass(frozen=True)
class DeletePod:
    """Delete the Pod with this uid; the kubelet grants its grace period."""

    name: str
    uid: str


@dataclass(frozen=True)
class PrepareTokens:
    """Read ahead what the token requests need: the meeting's mapping and the access token."""

    pod_name: str


@dataclass(frozen=True)
class IssueTokens:
    """Request the tokens from Zoom and deliver them if that succeeds.

    `absent`: the on-behalf user has not come, and the bot stops waiting. `settle`: the wait for a transient failure is
    over, so that some of the tokens suffice.
    """

    pod_name: str
    absent: bool = False
    settle: bool = False


@dataclass(frozen=True)
class DeliverWithout:
    """Open the gate without a token; the bot asks the host."""

    pod_name: str
    reason: BotReason
    message: str


@dataclass(frozen=True)
class TouchPod:
    """Annotate the Pod, so that the kubelet looks at it again; `number` counts the touches since the delivery."""

    name: str
    number: int


@dataclass(frozen=True)
class DeleteSecret:
    """Delete a delivery's Secret: the container has its content."""

    pod_name: str


@dataclass(frozen=True)
class DeleteBot:
    """Delete the finished MeetingBot: its time to live is over."""


BotAction: TypeAlias = (
    Commit
    | CheckTemplate
    | CreatePod
    | DeletePod
    | PrepareTokens
    | IssueTokens
    | DeliverWithout
    | TouchPod
    | DeleteSecret
    | DeleteBot
)
BotPlan: TypeAlias = Plan[BotStatus, BotAction]

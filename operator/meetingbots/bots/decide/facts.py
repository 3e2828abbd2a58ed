"""What a MeetingBot's next step is decided from, and what the step can be."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from meetingbots.bots.decide.meeting import MeetingRef, Problem
from meetingbots.bots.decide.pod_state import PodState
from meetingbots.bots.decide.tokens import OnBehalfUser
from meetingbots.bots.manifests.join_secret import Delivery
from meetingbots.models.bot import BotReason, BotStatus, MeetingBot


@dataclass(frozen=True)
class TokenFailure:
    """The last try to get tokens ended without: why, and whether it may pass by itself."""

    reason: BotReason
    message: str
    passing: bool
    first_try_at: datetime
    next_try_at: datetime
    tried_at: datetime | None = None
    partial: bool = False
    """Some of the tokens could be had, and will do if the rest is given up."""
    settled: bool = False
    """This was the try that takes what it gets."""
    user_absent: bool = False
    """This try or an earlier one of the Pod ended with Zoom's word that the bot's user is not in the meeting."""


@dataclass(frozen=True)
class BotFacts:
    """All that is so about one bot at the moment `now`.

    `pod` is the Pod that ``status.podName`` names, if it exists and is this bot's; `previous_pod` is the Pod of the
    attempt that was accounted for last. `pod_seen`: this process has seen `pod` exist, so that its absence is a loss.
    `checked`: a dry run took the Pod as the template has it now; `doubtful`: Kubernetes refused one some time ago.
    `refused`: why Kubernetes did not take the Pod just now. `touches`: how often it was touched since the delivery,
    `touched_at`: when Kubernetes had taken the last touch.
    `secret_gone`: the Secret of the delivery was deleted again. `prepared`: what tokens are asked with was read ahead.
    `meeting_ended_at`: when the meeting that the bot is for ended, as Zoom's events tell. `person`: the user on whose
    behalf the bot comes; None if it does not come on anybody's. `absent_credentials`: ZoomCredentials that the spec
    names and that do not exist, as far as that was looked at: while the bot waits for its time. `done_before`: a bot
    of this name and joinAt was deleted by its time to live, and something (Git) has created it again.
    """

    bot: MeetingBot
    now: datetime
    meeting: MeetingRef | Problem
    pod_hash: str = ""
    pod: PodState | None = None
    pod_seen: bool = False
    previous_pod: PodState | None = None
    template: Problem | None = None
    checked: bool = True
    doubtful: bool = False
    refused: Problem | None = None
    delivery: Delivery | None = None
    shortfall: TokenFailure | None = None
    touches: int = 0
    touched_at: datetime | None = None
    secret_gone: bool = False
    prepared: bool = True
    meeting_ended_at: datetime | None = None
    person: OnBehalfUser | None = None
    absent_credentials: tuple[str, ...] = ()
    done_before: bool = False


@dataclass(frozen=True)
class Commit:
    """Write the plan's status now, if the bot is still as it was read, and go on from there."""


@dataclass(frozen=True)
class CheckTemplate:
    """Ask Kubernetes by a dry run whether it would take the Pod."""


@dataclass(frozen=True)
class CreatePod:
    """Create the Pod that ``status.podName`` claims."""

    name: str


@dataclass(frozen=True)
class DeletePod:
    """Ask this very Pod to end, with its grace period."""

    name: str
    uid: str


@dataclass(frozen=True)
class PrepareTokens:
    """Read ahead what the tokens will be asked with: the meeting's mapping, and the access token."""

    pod_name: str


@dataclass(frozen=True)
class IssueTokens:
    """Get the tokens from Zoom and, if that works, deliver them.

    `absent`: the person on whose behalf the bot comes is not there and no longer waited for; `settle`: what may pass
    was waited for long enough, so that some of the tokens will do.
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
    """Make the kubelet look at the Pod again; `number` counts the touches since the delivery."""

    name: str
    number: int


@dataclass(frozen=True)
class DeleteSecret:
    """Remove a delivery's Secret: the container has what was in it."""

    pod_name: str


@dataclass(frozen=True)
class DeleteBot:
    """Remove the finished MeetingBot: its time to live is over."""


Act: TypeAlias = (
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


@dataclass(frozen=True)
class BotPlan:
    """One step.

    With an act, the bot is looked at anew right after it; without, `status` is written (unless `hold`) and the bot
    comes again in `again` seconds (None: when something happens to it).
    """

    status: BotStatus
    act: Act | None = None
    again: float | None = None
    hold: bool = False

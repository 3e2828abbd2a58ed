"""The facts that a MeetingBot's next step is decided from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from meetingbots.bots.decide.meeting import MeetingRef, Problem
from meetingbots.bots.decide.pod_state import PodState
from meetingbots.bots.decide.tokens import OnBehalfUser
from meetingbots.models.bot import BotReason, InMeeting, MeetingBot, TokenKind
from meetingbots.models.conditions import ConditionStatus
from meetingbots.zoom.oauth import Environment


@dataclass(frozen=True)
class Delivery:
    """What was delivered to a Pod, without the tokens themselves.

    `issued_at` is None where there was no token; `spec_hash` is the fingerprint of the spec that the bot joins with.
    """

    pod_name: str
    kinds: tuple[TokenKind, ...]
    delivered_at: datetime
    issued_at: datetime | None = None
    credential: str | None = None
    reason: str = ""
    message: str = ""
    spec_hash: str = ""


@dataclass(frozen=True)
class TokenFailure:
    """The last try to get tokens gave none, or too few."""

    reason: BotReason
    message: str
    transient: bool
    first_try_at: datetime
    next_try_at: datetime
    tried_at: datetime | None = None
    partial: bool = False
    """Zoom issued some of the tokens; they suffice once the bot stops waiting for the others."""
    settled: bool = False
    """This try accepted any subset of the tokens."""
    user_absent: bool = False
    """Zoom answered this try, or an earlier one for the Pod, that the bot's user is not in the meeting."""
    environment: Environment | None = None
    """Of the credential that was tried; a bot without a token joins there."""


@dataclass(frozen=True)
class Finding:
    """What a condition says."""

    status: ConditionStatus
    reason: str
    message: str


@dataclass(frozen=True)
class BotFacts:
    """Everything known about one bot at the time `now`."""

    bot: MeetingBot
    now: datetime
    meeting: MeetingRef | Problem
    pod_hash: str
    """Fingerprint of the Pod that spec and settings ask for now."""
    pod: PodState | None
    """The Pod that ``status.podName`` names, if it exists and belongs to this bot."""
    pod_seen: bool
    """This process has seen `pod` exist, so that its absence is a loss."""
    previous_pod: PodState | None
    """The Pod of the last attempt that ``status.lastAttempt`` records."""
    kept_pods: tuple[PodState, ...]
    """The Pods of a finished bot's attempts that still exist."""
    template: Problem | None
    checked: bool
    """A dry run accepted the Pod that the template describes now."""
    doubtful: bool
    """The status reports an invalid template, or Kubernetes has refused this one before."""
    refused: Problem | None
    """Why Kubernetes refused the last create of a Pod or Secret."""
    delivery: Delivery | None
    token_failure: TokenFailure | None
    touches: int
    """How often the Pod was touched since the delivery."""
    touched_at: datetime | None
    """When Kubernetes acknowledged the last touch."""
    secret_gone: bool
    """The delivery's Secret was deleted."""
    prepared: bool
    """What the token requests need was read ahead."""
    meeting_ended_at: datetime | None
    """When the bot's meeting ended, by Zoom's events."""
    in_meeting: InMeeting | None
    """Where the bot is in the meeting: its status, merged with what Zoom's events say."""
    on_behalf_users: tuple[OnBehalfUser, ...]
    """The users on whose behalf the bot can join, the one who serves first."""
    absent_credentials: tuple[str, ...]
    """ZoomCredentials that the spec names and that do not exist; looked up only while the bot waits for its time."""
    notices_due: bool
    """A notice about the finished bot is still to be sent."""
    done_before: bool
    """A bot with this name and joinAt was deleted by its time to live, and something (Git) has created it again."""

    @property
    def on_behalf_user(self) -> OnBehalfUser | None:
        """The user on whose behalf the bot joins."""
        return self.on_behalf_users[0] if self.on_behalf_users else None

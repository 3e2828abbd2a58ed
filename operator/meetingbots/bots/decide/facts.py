"""What a MeetingBot's next step is decided from, and the actions that can follow.

Each action changes at most one object and can be repeated.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, TypeAlias

from pydantic import SecretStr

from meetingbots.bots.decide.pod_state import PodState
from meetingbots.models.bot import BotReason, BotStatus, InMeeting, MeetingBot, MeetingKind, TokenKind
from meetingbots.models.conditions import ConditionStatus
from meetingbots.runtime.plan import Plan
from meetingbots.zoom.link_text import COMMON_DOMAIN
from meetingbots.zoom.oauth import Environment


@dataclass(frozen=True)
class SdkApp:
    """The credentials of a Meeting SDK app."""

    client_id: SecretStr
    client_secret: SecretStr


@dataclass(frozen=True)
class MeetingRef:
    """A meeting that can be joined; its secret values have no repr.

    `host` is the Zoom service (zoom.us, zoomgov.com), `url` the canonical link, `sdk_app` the app of spec.sdkSecretRef.
    `host_given`: the link names the host. Otherwise `host` is a guess, and the credential of the bot's token decides.
    """

    meeting_id: str
    kind: MeetingKind = MeetingKind.MEETING
    host: str = COMMON_DOMAIN
    passcode: SecretStr | None = field(default=None, repr=False)
    registrant_token: SecretStr | None = field(default=None, repr=False)
    url: SecretStr | None = field(default=None, repr=False)
    sdk_app: SdkApp | None = field(default=None, repr=False)
    host_given: bool = True

    def at(self, environment: Environment | None) -> MeetingRef:
        """The meeting with the host of the environment that has it, where the link does not name a host."""
        if self.host_given or environment is None or environment == self.host:
            return self
        url = self.url.get_secret_value().replace(f"//{self.host}/", f"//{environment}/", 1) if self.url else None
        return replace(self, host=environment.value, url=SecretStr(url) if url is not None else None)

    @property
    def secrets(self) -> tuple[SecretStr, ...]:
        """Every secret value, for redaction."""
        app = self.sdk_app
        values = (self.passcode, self.registrant_token, self.url, app.client_secret if app else None)
        return tuple(value for value in values if value is not None)


@dataclass(frozen=True)
class Problem:
    """What blocks a bot: a reason of the contract and a sentence for people.

    `recoverable`: it can pass without an edit of the MeetingBot.
    """

    reason: BotReason
    message: str
    recoverable: bool = False


IMAGE_MISSING: Final = "is missing, and the operator has no default for it"


def is_template_error(message: str) -> bool:
    """Whether a message is a `TemplateError`'s, by its path, and no image is missing, which the operator can name."""
    return message.startswith(("template", "a key in template")) and IMAGE_MISSING not in message


def template_problem(message: str, *, by_default: bool) -> Problem:
    """A template that cannot become a Pod. `by_default`: the operator's default template alone is invalid, too."""
    if by_default:
        message = f"The operator's default template is invalid, which only the platform's team can change: {message}"
    return Problem(BotReason.TEMPLATE_INVALID, message, recoverable=by_default)


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
class OnBehalfUser:
    """The user on whose behalf the bot joins, by their ZoomCredential.

    `present` is None if no event says whether the user is in the meeting; `since` is the time of the last such event.
    """

    credential: str
    present: bool | None = None
    since: datetime | None = None


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
    default_ttl: int | None
    """Seconds after its end at which a finished bot with a joinAt is deleted, unless its spec says so itself."""
    done_before: bool
    """A bot with this name and joinAt was deleted by its time to live, and something (Git) has created it again."""

    @property
    def joinable(self) -> MeetingRef:
        """The meeting, for steps that are only decided where it is known."""
        assert isinstance(self.meeting, MeetingRef)  # noqa: S101 - no action needs an unknown meeting
        return self.meeting

    @property
    def problem(self) -> Problem | None:
        """Why the spec cannot become a Pod: its meeting or its template."""
        return self.meeting if isinstance(self.meeting, Problem) else self.template

    @property
    def on_behalf_user(self) -> OnBehalfUser | None:
        """The user on whose behalf the bot joins."""
        return self.on_behalf_users[0] if self.on_behalf_users else None


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

"""The three kinds as their CRDs describe them: names, printer columns and selectable fields."""

from dataclasses import dataclass
from typing import Any, Final

from meetingbots.models.bot import MeetingBot
from meetingbots.models.credential import ZoomCredential
from meetingbots.models.mapping import MeetingMapping
from meetingbots.models.metadata import CustomResource


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of `kubectl get`; those of priority 1 are printed with `-o wide` only.

    Times are columns of type string: future dates in a column of type date print `<invalid>`.
    """

    name: str
    path: str
    description: str
    type: str = "string"
    priority: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the column as in additionalPrinterColumns."""
        column = {"name": self.name, "type": self.type, "description": self.description, "jsonPath": self.path}
        return column | ({"priority": self.priority} if self.priority else {})


@dataclass(frozen=True, kw_only=True)
class CustomResourceKind:
    """A kind without its schema."""

    model: type[CustomResource]
    singular: str
    short_name: str
    status_subresource: bool
    columns: tuple[Column, ...]
    selectable: tuple[str, ...]


def _condition(type_: str, field: str) -> str:
    return f'.status.conditions[?(@.type=="{type_}")].{field}'


_AGE: Final = Column(
    name="Age", type="date", path=".metadata.creationTimestamp", description="Time since the creation."
)
_MESSAGE: Final = Column(
    name="Message", path=_condition("Ready", "message"), description="The reason in words.", priority=1
)

CREDENTIAL: Final = CustomResourceKind(
    model=ZoomCredential,
    singular="zoomcredential",
    short_name="zcred",
    status_subresource=True,
    columns=(
        Column(name="Ready", path=_condition("Ready", "status"), description="Whether a usable access token exists."),
        Column(name="Reason", path=_condition("Ready", "reason"), description="The reason of condition Ready."),
        Column(name="User", path=".status.email", description="The user who consented."),
        Column(name="Expires", path=".status.expiresAt", description="When the current access token expires."),
        Column(
            name="Meetings",
            type="integer",
            path=".status.meetings.count",
            description="Meetings found by the last complete sync.",
        ),
        _AGE,
        Column(name="Level", path=".spec.level", description="Whether it covers one user or an account.", priority=1),
        Column(
            name="Next Refresh",
            path=".status.nextRefreshTime",
            description="When the next refresh is planned.",
            priority=1,
        ),
        _MESSAGE,
    ),
    selectable=(".spec.appSecretRef.name", ".spec.level", ".status.userId", ".status.accountId"),
)

MAPPING: Final = CustomResourceKind(
    model=MeetingMapping,
    singular="meetingmapping",
    short_name="mmap",
    status_subresource=False,
    columns=(
        Column(
            name="Credential",
            path="..['spec.credentials','status.credentials']..name",
            description="The first credential to try: people's entry, else the one found first.",
        ),
        Column(name="Phase", path=".status.phase", description="The phase of the meeting."),
        _AGE,
        Column(
            name="Role",
            path=".status.credentials[*].role",
            description="The role, in the meeting, of the user of the credential found first.",
            priority=1,
        ),
        Column(
            name="Source",
            path=".status.credentials[*].source",
            description="How that credential was found.",
            priority=1,
        ),
        Column(
            name="Start",
            path=".status.startTime",
            description="When the meeting started or is planned to start.",
            priority=1,
        ),
    ),
    selectable=(".status.phase",),
)

BOT: Final = CustomResourceKind(
    model=MeetingBot,
    singular="meetingbot",
    short_name="mbot",
    status_subresource=True,
    columns=(
        Column(name="Phase", path=".status.phase", description="The phase of the bot."),
        Column(name="Meeting", path=".status.meetingId", description="The meeting's ID."),
        Column(
            name="Join At",
            path=".status.scheduledTime",
            description="When the bot joins.",
        ),
        Column(
            name="Token",
            path=_condition("TokenIssued", "status"),
            description="Whether the bot got its tokens; False: it joined without a token, or waits.",
        ),
        Column(
            name="In Meeting",
            path=".status.inMeeting.state",
            description="Where the bot is in the meeting, as Zoom or the bot reports it.",
        ),
        Column(name="Pod", path=".status.podName", description="Pod of the current attempt."),
        Column(name="Reason", path=_condition("Ready", "reason"), description="The reason of condition Ready."),
        _AGE,
        Column(
            name="Credential",
            path=".status.credentialName",
            description="ZoomCredential that the tokens were issued with.",
            priority=1,
        ),
        Column(name="Attempts", type="integer", path=".status.attempts", description="Counted attempts.", priority=1),
        _MESSAGE,
    ),
    selectable=(".status.phase", ".status.meetingId", ".status.credentialName"),
)

KINDS: Final = (CREDENTIAL, MAPPING, BOT)

"""What the plugin answers: a story in order, the cause, and what to do; as text or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from meetingbots.models.base import format_time
from meetingbots.models.bot import BotPhase, BotReason
from meetingbots.models.credential import CredentialReason

OF_BOTS: Final[Mapping[BotReason, str]] = {
    BotReason.NO_MAPPING: "Name a credential in spec.credentialRef, or check why the host's credential does not have "
    "the meeting: kubectl meetingbots why MEETING-ID.",
    BotReason.CREDENTIAL_NOT_READY: "Run kubectl meetingbots why CREDENTIAL for the credential that the message names.",
    BotReason.LOCAL_RECORDING_DISABLED: "Enable local recording in the host's Zoom settings.",
    BotReason.MEETING_NOT_FOUND: "Check the meeting ID, and use a credential of the host's account.",
    BotReason.NOT_THE_HOST: "Use a credential of the meeting's host or of the host's account.",
    BotReason.SCOPES_MISSING: "Add the scopes to the Zoom app, and have the user consent again.",
    BotReason.RATE_LIMITED: "Wait, or raise rateLimit.sharePercent of the account's credentials.",
    BotReason.ZOOM_UNAVAILABLE: "Wait: the operator retries. If it lasts, check proxy and network policy.",
    BotReason.VANITY_LINK: "Use the meeting ID instead of the personal link, or connect that user.",
    BotReason.INVALID_MEETING: "Correct spec.meeting.",
    BotReason.IMAGE_PULL_FAILED: "Check the image's name and its pull secret.",
    BotReason.UNSCHEDULABLE: "Change the Pod's resources, node selector or tolerations, or add a node.",
    BotReason.CONFIG_ERROR: "Create or correct what the message names.",
    BotReason.TEMPLATE_INVALID: "Correct spec.template; the message has the API server's answer.",
    BotReason.QUOTA_EXCEEDED: "Free or raise the namespace's quota.",
    BotReason.START_DEADLINE_EXCEEDED: "Remove the obstacle that the message names, and create a new MeetingBot.",
    BotReason.MAX_DURATION_EXCEEDED: "Raise spec.maxDurationSeconds for longer meetings.",
    BotReason.NOT_ADMITTED: "Admit the bot from the waiting room, or find out why it had no join token.",
    BotReason.MEETING_ENDED: "Create a new MeetingBot for the meeting's next run.",
    BotReason.BOT_FAILED: "Read the bot's output: kubectl logs POD -c bot, or status.lastAttempt.",
    BotReason.INFRASTRUCTURE_LOST: "Wait: a new Pod follows. If it repeats, check the node.",
    BotReason.USER_NOT_IN_MEETING: "The person must join the meeting; the bot then follows.",
    BotReason.SUSPENDED: "Set spec.suspend to false.",
}
OF_PHASES: Final[Mapping[BotPhase, str]] = {
    BotPhase.PENDING: "Wait a moment. If it lasts, check that the operator runs: kubectl meetingbots doctor.",
    BotPhase.SCHEDULED: "Nothing: the bot waits for its time.",
    BotPhase.STAGING: "Nothing: the Pod is being prepared.",
    BotPhase.WAITING_FOR_USER: "The person must join the meeting; the bot then follows.",
    BotPhase.JOINING: "Nothing: the container starts.",
    BotPhase.RUNNING: "Nothing: the bot runs.",
    BotPhase.SUCCEEDED: "Nothing.",
    BotPhase.FAILED: "Create a new MeetingBot.",
    BotPhase.EXPIRED: "Create a new MeetingBot with a later joinAt.",
}
"""For a bot whose Ready is True or absent."""
_NEW_CONSENT: Final = "Ask the user for a new consent: kubectl meetingbots connect CREDENTIAL, or a new grant."
OF_CREDENTIALS: Final[Mapping[CredentialReason, str]] = {
    CredentialReason.TOKEN_VALID: "Nothing.",
    CredentialReason.WAITING_FOR_CONSENT: "Send the person the link: kubectl meetingbots connect CREDENTIAL.",
    CredentialReason.APP_SECRET_MISSING: "Create the app's Secret with client_id, client_secret and "
    "webhook_secret_token.",
    CredentialReason.APP_INVALID: "Correct client_id and client_secret in the app's Secret, or the grant.",
    CredentialReason.GRANT_SECRET_MISSING: "Create the Secret that spec.grant names.",
    CredentialReason.REAUTHORIZATION_REQUIRED: _NEW_CONSENT,
    CredentialReason.ROTATION_INTERRUPTED: _NEW_CONSENT,
    CredentialReason.DEAUTHORIZED: _NEW_CONSENT,
    CredentialReason.USER_INACTIVE: "Activate the user in Zoom, or use another person's credential.",
    CredentialReason.USER_MISMATCH: "Have the right person consent, or create another ZoomCredential.",
    CredentialReason.DISABLED_BY_ADMIN: "Ask the Zoom account's administrator to allow the app.",
    CredentialReason.SCOPES_MISSING: "Add the scopes to the Zoom app, and have the user consent again.",
    CredentialReason.ZOOM_UNAVAILABLE: "Wait: the operator retries. If it lasts, check proxy and network policy.",
    CredentialReason.SECRET_CONFLICT: "Set spec.tokenSecretName to another name, or delete the other Secret.",
    CredentialReason.SUSPENDED: "Set spec.suspend to false.",
}


@dataclass(frozen=True)
class Line:
    """One sentence of the story, with its time if it has one."""

    text: str
    time: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`well` says whether nothing is wrong. `unread` names what the caller may not read.

    `namespace` is set where answers come from several.
    """

    subject: str
    story: tuple[Line, ...]
    cause: str
    remedy: str
    well: bool
    unread: tuple[str, ...] = field(default=())
    namespace: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The answer for programs."""
        return ({"namespace": self.namespace} if self.namespace else {}) | {
            "subject": self.subject,
            "story": [
                {"text": line.text} | ({"time": format_time(line.time)} if line.time is not None else {})
                for line in self.story
            ],
            "cause": self.cause,
            "remedy": self.remedy,
            "well": self.well,
            "unread": list(self.unread),
        }

    def to_text(self) -> str:
        """The answer for people."""
        lines = [f"Namespace {self.namespace}"] if self.namespace else []
        lines += [self.subject, *(f"  {_stamp(line.time)}{line.text}" for line in self.story)]
        lines += [f"  Not readable with your rights: {what}." for what in self.unread]
        return "\n".join([*lines, "", f"Cause: {self.cause}", f"Do: {self.remedy}"]) + "\n"


def _stamp(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}  " if time is not None else " " * 21


class Colour(StrEnum):
    """How a check ended. The exit code of `doctor` is 0, 1 or 2 by the worst."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True)
class Check:
    """The result of one check, with what to do unless it is green."""

    colour: Colour
    text: str
    remedy: str = ""

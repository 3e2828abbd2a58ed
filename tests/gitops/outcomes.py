"""What the three engines are to say: the few outcomes that there are, and which reason leads to which.

A reason that is missing here makes the tests fail: adding one means deciding how GitOps tools see it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from meetingbots.models.bot import BotReason
from meetingbots.models.credential import CredentialReason


@dataclass(frozen=True)
class Outcome:
    """The word of each engine: kstatus without configuration, Flux with our expressions, Argo CD with our scripts."""

    kstatus: str
    flux: str
    argo: str


WELL: Final = Outcome("Current", "Current", "Healthy")
REFRESH_BLOCKED: Final = Outcome("InProgress", "Current", "Healthy")
"""The access token is valid, but it cannot be refreshed."""
FOR_A_PERSON: Final = Outcome("InProgress", "Current", "Suspended")
"""It waits for a person, as it is meant to: nothing is wrong, and nothing else may have to wait for it."""
MAY_HEAL: Final = Outcome("InProgress", "InProgress", "Progressing")
TO_MEND: Final = Outcome("InProgress", "Failed", "Degraded")
"""A person has to repair something outside the object; kstatus calls only that stalled."""
OVER: Final = Outcome("Failed", "Failed", "Degraded")
REFUSED_CHANGE: Final = Outcome("Current", "Failed", "Degraded")
"""What worked still works, but a change was not applied."""

CREDENTIAL_REASONS: Final[Mapping[CredentialReason, Outcome]] = {
    CredentialReason.TOKEN_VALID: WELL,
    CredentialReason.WAITING_FOR_CONSENT: FOR_A_PERSON,
    CredentialReason.SUSPENDED: FOR_A_PERSON,
    CredentialReason.APP_SECRET_MISSING: MAY_HEAL,
    CredentialReason.GRANT_SECRET_MISSING: MAY_HEAL,
    CredentialReason.ZOOM_UNAVAILABLE: MAY_HEAL,
    CredentialReason.APP_INVALID: TO_MEND,
    CredentialReason.REAUTHORIZATION_REQUIRED: TO_MEND,
    CredentialReason.ROTATION_INTERRUPTED: TO_MEND,
    CredentialReason.DEAUTHORIZED: TO_MEND,
    CredentialReason.USER_INACTIVE: TO_MEND,
    CredentialReason.USER_MISMATCH: TO_MEND,
    CredentialReason.DISABLED_BY_ADMIN: TO_MEND,
    CredentialReason.SCOPES_MISSING: TO_MEND,
    CredentialReason.SECRET_CONFLICT: TO_MEND,
}

# While the bot may still come; once it has failed, every reason is OVER. Some are reported only then.
BOT_REASONS: Final[Mapping[BotReason, Outcome]] = {
    BotReason.NO_MAPPING: MAY_HEAL,
    BotReason.CREDENTIAL_NOT_READY: MAY_HEAL,
    BotReason.LOCAL_RECORDING_DISABLED: MAY_HEAL,
    BotReason.MEETING_NOT_FOUND: MAY_HEAL,
    BotReason.NOT_THE_HOST: MAY_HEAL,
    BotReason.SCOPES_MISSING: MAY_HEAL,
    BotReason.RATE_LIMITED: MAY_HEAL,
    BotReason.ZOOM_UNAVAILABLE: MAY_HEAL,
    BotReason.VANITY_LINK: MAY_HEAL,
    BotReason.INVALID_MEETING: TO_MEND,
    BotReason.IMAGE_PULL_FAILED: MAY_HEAL,
    BotReason.UNSCHEDULABLE: MAY_HEAL,
    BotReason.CONFIG_ERROR: MAY_HEAL,
    BotReason.TEMPLATE_INVALID: TO_MEND,
    BotReason.QUOTA_EXCEEDED: MAY_HEAL,
    BotReason.START_DEADLINE_EXCEEDED: OVER,
    BotReason.MAX_DURATION_EXCEEDED: OVER,
    BotReason.NOT_ADMITTED: OVER,
    BotReason.MEETING_ENDED: OVER,
    BotReason.BOT_FAILED: MAY_HEAL,
    BotReason.INFRASTRUCTURE_LOST: MAY_HEAL,
    BotReason.USER_NOT_IN_MEETING: MAY_HEAL,
    BotReason.SUSPENDED: FOR_A_PERSON,
}

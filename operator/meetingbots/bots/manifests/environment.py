"""The environment of container `bot`: the variables, and where their values come from.

Every variable is always set, and empty where there is no value. Secret values come only from the Pod's own Secret. The
Pod waits until this Secret exists; that wait is the late-token gate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import SecretStr

from meetingbots.bots.decide.in_meeting import customer_key
from meetingbots.bots.decide.meeting import MeetingRef
from meetingbots.models.bot import MeetingBot, TokenKind

MEETING_ID: Final = "ZOOM_MEETING_ID"
DISPLAY_NAME: Final = "ZOOM_DISPLAY_NAME"
HOST: Final = "ZOOM_HOST"
CUSTOMER_KEY: Final = "ZOOM_CUSTOMER_KEY"
MEETING_URL: Final = "ZOOM_MEETING_URL"
SDK_JWT: Final = "ZOOM_SDK_JWT"
PASSCODE: Final = "ZOOM_MEETING_PASSCODE"
REGISTRANT_TOKEN: Final = "ZOOM_REGISTRANT_TOKEN"  # noqa: S105 - a variable's name
TOKEN_REASON: Final = "ZOOM_TOKEN_REASON"  # noqa: S105 - a variable's name

TOKEN_URL: Final = "ZOOM_TOKEN_URL"  # noqa: S105 - a variable's name
TOKEN_URL_TOKEN_FILE: Final = "ZOOM_TOKEN_URL_TOKEN_FILE"  # noqa: S105 - a variable's name
REPORT_URL: Final = "ZOOM_REPORT_URL"

TOKEN_VARIABLES: Final[Mapping[TokenKind, str]] = {
    TokenKind.LOCAL_RECORDING: "ZOOM_JOIN_TOKEN",
    TokenKind.ON_BEHALF: "ZOOM_OBF_TOKEN",
    TokenKind.ZAK: "ZOOM_ZAK",
    TokenKind.LIVE_STREAMING: "ZOOM_LIVE_STREAMING_TOKEN",
    TokenKind.LOCAL_ARCHIVING: "ZOOM_LOCAL_ARCHIVING_TOKEN",
}

_FROM_SECRET: Final = (
    PASSCODE,
    REGISTRANT_TOKEN,
    *TOKEN_VARIABLES.values(),
    TOKEN_REASON,
    MEETING_URL,
    SDK_JWT,
)

FROM_SECRET: Final = (*_FROM_SECRET, HOST)
"""The keys of the Pod's Secret: variables of the same names. A Pod refers to HOST only where the link names no host."""

OPEN: Final = frozenset({TOKEN_REASON, HOST})
"""Keys of the Secret with values that are no secret."""

ALL: Final = frozenset({MEETING_ID, DISPLAY_NAME, HOST, CUSTOMER_KEY, *_FROM_SECRET})
"""Variables that every bot has."""

RESERVED: Final = ALL | {TOKEN_URL, TOKEN_URL_TOKEN_FILE, REPORT_URL}
"""Variables that a template must not set."""


def variables(bot: MeetingBot, meeting: MeetingRef, *, secret_name: str) -> list[dict[str, Any]]:
    """The `env` entries that the operator appends to the template's own."""
    return [
        {"name": MEETING_ID, "value": meeting.meeting_id},
        # Kubernetes expands $(…) in a value; "$$" keeps a display name as it was written.
        {"name": DISPLAY_NAME, "value": bot.spec.display_name.replace("$", "$$")},
        {"name": HOST, "value": meeting.host} if meeting.host_given else _from_secret(HOST, secret_name),
        {"name": CUSTOMER_KEY, "value": customer_key(bot.metadata.uid)},
        *(_from_secret(name, secret_name) for name in _FROM_SECRET),
    ]


def _from_secret(name: str, secret_name: str) -> dict[str, Any]:
    return {"name": name, "valueFrom": {"secretKeyRef": {"name": secret_name, "key": name}}}


def without_reserved(env: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The template's own `env` entries."""
    return [item for item in env if str(item.get("name")) not in RESERVED]


def secret_values(
    meeting: MeetingRef, *, tokens: Mapping[TokenKind, SecretStr], reason: str, sdk_jwt: SecretStr | None
) -> dict[str, SecretStr]:
    """The Secret's content: every key of `FROM_SECRET`, empty where there is no value."""
    values = dict.fromkeys(FROM_SECRET, SecretStr(""))
    found = {
        PASSCODE: meeting.passcode,
        REGISTRANT_TOKEN: meeting.registrant_token,
        MEETING_URL: meeting.url,
        SDK_JWT: sdk_jwt,
        TOKEN_REASON: SecretStr(reason),
        HOST: SecretStr(meeting.host),
    }
    values |= {key: value for key, value in found.items() if value is not None}
    for kind, token in tokens.items():
        values[TOKEN_VARIABLES[kind]] = token
    return values

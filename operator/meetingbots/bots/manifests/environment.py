"""The environment of container `bot`: which variables there are, and where each value comes from.

Every variable is always set, empty where there is nothing. What is secret comes from the Pod's own Secret only, whose
absence until the last moment is the gate that the bot waits at.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import SecretStr

from meetingbots.models.bot import TokenKind

MEETING_ID = "ZOOM_MEETING_ID"
DISPLAY_NAME = "ZOOM_DISPLAY_NAME"
PASSCODE = "ZOOM_MEETING_PASSCODE"
REGISTRANT_TOKEN = "ZOOM_REGISTRANT_TOKEN"  # noqa: S105 - a variable's name
TOKEN_REASON = "ZOOM_TOKEN_REASON"  # noqa: S105 - a variable's name

TOKEN_URL = "ZOOM_TOKEN_URL"  # noqa: S105 - a variable's name
TOKEN_URL_TOKEN_FILE = "ZOOM_TOKEN_URL_TOKEN_FILE"  # noqa: S105 - a variable's name

TOKEN_VARIABLES: Mapping[TokenKind, str] = {
    TokenKind.LOCAL_RECORDING: "ZOOM_JOIN_TOKEN",
    TokenKind.ON_BEHALF: "ZOOM_OBF_TOKEN",
    TokenKind.ZAK: "ZOOM_ZAK",
    TokenKind.LIVE_STREAMING: "ZOOM_LIVE_STREAMING_TOKEN",
    TokenKind.LOCAL_ARCHIVING: "ZOOM_LOCAL_ARCHIVING_TOKEN",
}

FROM_SECRET = (PASSCODE, REGISTRANT_TOKEN, *TOKEN_VARIABLES.values(), TOKEN_REASON)
"""Variables whose values are in the Pod's Secret, under keys of the same names."""

ALL = frozenset({MEETING_ID, DISPLAY_NAME, *FROM_SECRET})
"""Variables that every bot has."""

RESERVED = ALL | {TOKEN_URL, TOKEN_URL_TOKEN_FILE}
"""Variables that a template may not set."""


def environment(*, meeting_id: str, display_name: str, secret_name: str) -> list[dict[str, Any]]:
    """The `env` entries that the operator adds behind the template's own."""
    return [
        {"name": MEETING_ID, "value": meeting_id},
        # Kubernetes would expand $(…) in a value; a name is shown as it was written.
        {"name": DISPLAY_NAME, "value": display_name.replace("$", "$$")},
        *({"name": name, "valueFrom": {"secretKeyRef": {"name": secret_name, "key": name}}} for name in FROM_SECRET),
    ]


def secret_values(
    *,
    passcode: SecretStr | None,
    registrant_token: SecretStr | None,
    tokens: Mapping[TokenKind, SecretStr],
    reason: str,
) -> dict[str, SecretStr]:
    """The Secret's content: every key of `FROM_SECRET`, empty where there is nothing."""
    values = dict.fromkeys(FROM_SECRET, SecretStr(""))
    values[PASSCODE] = passcode or SecretStr("")
    values[REGISTRANT_TOKEN] = registrant_token or SecretStr("")
    values[TOKEN_REASON] = SecretStr(reason)
    for kind, token in tokens.items():
        values[TOKEN_VARIABLES[kind]] = token
    return values

"""A running bot's access to the token endpoint: its URL, and a token that identifies the Pod.

The kubelet issues this ServiceAccount token for this Pod only (Kubernetes, "ServiceAccount token volume projection").
Its audience is `meetingbots`, so the API server rejects it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meetingbots.bots.manifests.environment import REPORT_URL, TOKEN_URL, TOKEN_URL_TOKEN_FILE
from meetingbots.models import names

AUDIENCE: Final = "meetingbots"
PATH: Final = "/token"
REPORT_PATH: Final = "/report"
VOLUME: Final = "meetingbots-token"
MOUNT_PATH: Final = "/var/run/secrets/meetingbots.dev"
TOKEN_FILE: Final = f"{MOUNT_PATH}/token"
_LIFE_SECONDS: Final = 3600  # the kubelet renews the file after four fifths of it


def volume() -> dict[str, Any]:
    """The Pod's volume with the token."""
    source = {"audience": AUDIENCE, "expirationSeconds": _LIFE_SECONDS, "path": "token"}
    return {"name": VOLUME, "projected": {"sources": [{"serviceAccountToken": source}]}}


def volume_mount() -> dict[str, Any]:
    """The mount of `volume` in container `bot`."""
    return {"name": VOLUME, "mountPath": MOUNT_PATH, "readOnly": True}


def variables(*, token_url: str) -> list[dict[str, Any]]:
    """The `env` entries of container `bot`; `token_url` is the endpoint's base URL as Pods see it."""
    return [
        {"name": TOKEN_URL, "value": f"{token_url}{PATH}"},
        {"name": TOKEN_URL_TOKEN_FILE, "value": TOKEN_FILE},
        {"name": REPORT_URL, "value": f"{token_url}{REPORT_PATH}"},
    ]


def is_given(pod: Mapping[str, Any]) -> bool:
    """Whether this Pod was created with the access. A template cannot set these variables itself."""
    containers = pod.get("spec", {}).get("containers", ())
    found = [item for item in containers if item.get("name") == names.BOT_CONTAINER]
    return any(variable.get("name") == TOKEN_URL for item in found for variable in item.get("env") or ())

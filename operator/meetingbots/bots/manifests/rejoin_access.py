"""What lets a running bot ask the operator for a further join token: an address, and a token that names its Pod.

The token is a ServiceAccount token that the kubelet makes for this Pod and no other (Kubernetes, "ServiceAccount token
volume projection"). It is good for the audience `meetingbots` only: the API server itself does not take it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meetingbots.bots.manifests.environment import TOKEN_URL, TOKEN_URL_TOKEN_FILE
from meetingbots.models import names

AUDIENCE: Final = "meetingbots"
PATH: Final = "/token"
VOLUME: Final = "meetingbots-token"
MOUNT_PATH: Final = "/var/run/secrets/meetingbots.dev"
TOKEN_FILE: Final = f"{MOUNT_PATH}/token"
_LIFE_SECONDS: Final = 3600  # the kubelet renews the file when four fifths of it are over


def volume() -> dict[str, Any]:
    """The Pod's volume with the token."""
    source = {"audience": AUDIENCE, "expirationSeconds": _LIFE_SECONDS, "path": "token"}
    return {"name": VOLUME, "projected": {"sources": [{"serviceAccountToken": source}]}}


def volume_mount() -> dict[str, Any]:
    """Where container `bot` finds it."""
    return {"name": VOLUME, "mountPath": MOUNT_PATH, "readOnly": True}


def environment(*, token_url: str) -> list[dict[str, Any]]:
    """The `env` entries of container `bot`; `token_url` is the endpoint's base, as Pods see it."""
    return [
        {"name": TOKEN_URL, "value": f"{token_url}{PATH}"},
        {"name": TOKEN_URL_TOKEN_FILE, "value": TOKEN_FILE},
    ]


def is_given(pod: Mapping[str, Any]) -> bool:
    """Whether this Pod was made with the access: no template can set these variables itself."""
    containers = pod.get("spec", {}).get("containers", ())
    found = [item for item in containers if item.get("name") == names.BOT_CONTAINER]
    return any(variable.get("name") == TOKEN_URL for item in found for variable in item.get("env") or ())

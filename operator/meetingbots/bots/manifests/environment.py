"""What container `bot` gets: environment variables, the Secret behind them, and its access to the token endpoint.

Every variable is always set, and empty where there is no value. Secret values come only from the Pod's own Secret. The
Pod waits until this Secret exists; that wait is the late-token gate. The Secret is immutable and owned by the Pod, or
by the MeetingBot where the Pod does not exist yet. Its creation commits a delivery, and its annotations describe the
delivery to a process that finds it after a crash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import jwt
from pydantic import SecretStr

from meetingbots.bots.decide.facts import Delivery, MeetingRef, SdkApp
from meetingbots.bots.decide.pod_state import join_secret_name
from meetingbots.kube.secrets import decode_text, encode_data
from meetingbots.models import names
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

TOKEN_URL: Final = names.TOKEN_URL_VARIABLE
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


AUDIENCE: Final = "meetingbots"
TOKEN_PATH: Final = "/token"  # noqa: S105 - a path
REPORT_PATH: Final = "/report"
ENDPOINT_VOLUME: Final = "meetingbots-token"
MOUNT_PATH: Final = "/var/run/secrets/meetingbots.dev"
TOKEN_FILE: Final = f"{MOUNT_PATH}/token"
_ENDPOINT_TOKEN_SECONDS: Final = 3600  # the kubelet renews the file after four fifths of it

_ISSUED: Final = f"{names.GROUP}/issued-at"
_DELIVERED: Final = f"{names.GROUP}/delivered-at"
_KINDS: Final = f"{names.GROUP}/token-kinds"
_CREDENTIAL: Final = f"{names.GROUP}/credential"
_REASON: Final = f"{names.GROUP}/token-reason"
_MESSAGE: Final = f"{names.GROUP}/token-message"
_SPEC: Final = f"{names.GROUP}/joined-with"

_SHORTEST_SECONDS: Final = 1_800
_LONGEST_SECONDS: Final = 172_800
_CLOCK_SKEW_SECONDS: Final = 30
_START_SECONDS: Final = 600
"""The bot may start this long after the signature."""


def variables(bot: MeetingBot, meeting: MeetingRef, *, secret_name: str) -> list[dict[str, Any]]:
    """The `env` entries that the operator appends to the template's own."""
    return [
        {"name": MEETING_ID, "value": meeting.meeting_id},
        # Kubernetes expands $(…) in a value; "$$" keeps a display name as it was written.
        {"name": DISPLAY_NAME, "value": bot.spec.display_name.replace("$", "$$")},
        {"name": HOST, "value": meeting.host} if meeting.host_given else _from_secret(HOST, secret_name),
        {"name": CUSTOMER_KEY, "value": bot.customer_key},
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


def join_secret(
    *, namespace: str, bot: str, owner: Mapping[str, Any], delivery: Delivery, values: Mapping[str, SecretStr]
) -> dict[str, Any]:
    """The Secret for the Pod that `delivery` names; `owner` is an ownerReference."""
    annotations = {
        _DELIVERED: delivery.delivered_at.isoformat(),
        _KINDS: ",".join(delivery.kinds),
        _REASON: delivery.reason,
        _MESSAGE: delivery.message,
        _SPEC: delivery.spec_hash,
    }
    if delivery.issued_at is not None:
        annotations[_ISSUED] = delivery.issued_at.isoformat()
    if delivery.credential is not None:
        annotations[_CREDENTIAL] = delivery.credential
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": join_secret_name(delivery.pod_name),
            "namespace": namespace,
            "labels": {names.MANAGED_BY_LABEL: names.MANAGED_BY, names.BOT_LABEL: bot},
            "annotations": annotations,
            "ownerReferences": [dict(owner)],
        },
        "type": "Opaque",
        "immutable": True,
        "data": encode_data({key: value.get_secret_value() for key, value in values.items()}),
    }


def is_of_attempt(secret: Mapping[str, Any], bot: MeetingBot, *, pod_name: str, pod_uid: str | None) -> bool:
    """Whether a Secret belongs to this attempt: its owner is the MeetingBot or the Pod, whose uid may be unknown."""
    owners = secret["metadata"].get("ownerReferences") or ()
    return any(
        owner.get("uid") == bot.metadata.uid
        or (owner.get("kind") == "Pod" and owner.get("name") == pod_name and pod_uid in (None, owner.get("uid")))
        for owner in owners
    )


def read_values(secret: Mapping[str, Any]) -> tuple[SecretStr, ...]:
    """The secret values in a join-token Secret, for redaction."""
    data = secret.get("data") or {}
    texts = (decode_text(data.get(key)) for key in FROM_SECRET if key not in OPEN)
    return tuple(SecretStr(text) for text in texts if text)


def read_delivery(secret: Mapping[str, Any]) -> Delivery:
    """The delivery that a Secret describes. Raises ValueError for a Secret of another origin."""
    metadata = secret["metadata"]
    annotations = metadata.get("annotations") or {}
    if _DELIVERED not in annotations:
        raise ValueError("not a join-token Secret")
    issued = annotations.get(_ISSUED)
    return Delivery(
        pod_name=metadata["name"].removesuffix("-zoom"),
        kinds=tuple(TokenKind(kind) for kind in annotations.get(_KINDS, "").split(",") if kind),
        delivered_at=datetime.fromisoformat(annotations[_DELIVERED]),
        issued_at=datetime.fromisoformat(issued) if issued else None,
        credential=annotations.get(_CREDENTIAL),
        reason=annotations.get(_REASON, ""),
        message=annotations.get(_MESSAGE, ""),
        spec_hash=annotations.get(_SPEC, ""),
    )


def sdk_jwt(app: SdkApp, *, now: datetime, max_duration_seconds: int) -> SecretStr:
    """A JWT for the longest stay of a bot, within Zoom's limits of 1,800 to 172,800 s. HS256.

    `iat` lies in the past, because Zoom refuses a token from the future and clocks differ.
    """
    issued = int(now.timestamp()) - _CLOCK_SKEW_SECONDS
    wanted = max_duration_seconds + _START_SECONDS + _CLOCK_SKEW_SECONDS
    expires = issued + min(_LONGEST_SECONDS, max(_SHORTEST_SECONDS, wanted))
    client_id = app.client_id.get_secret_value()
    claims = {"appKey": client_id, "sdkKey": client_id, "iat": issued, "exp": expires, "tokenExp": expires}
    return SecretStr(jwt.encode(claims, app.client_secret.get_secret_value(), algorithm="HS256"))


def endpoint_volume() -> dict[str, Any]:
    """The Pod's volume with the token."""
    source = {"audience": AUDIENCE, "expirationSeconds": _ENDPOINT_TOKEN_SECONDS, "path": "token"}
    return {"name": ENDPOINT_VOLUME, "projected": {"sources": [{"serviceAccountToken": source}]}}


def endpoint_volume_mount() -> dict[str, Any]:
    """The mount of `endpoint_volume` in container `bot`."""
    return {"name": ENDPOINT_VOLUME, "mountPath": MOUNT_PATH, "readOnly": True}


def endpoint_url(token_url: str, *, namespace: str) -> str:
    """Replace ``{hash}`` in the endpoint's base URL by ten hex digits of the namespace's SHA-256.

    With shards, each namespace has a Service of this name, which stays when the namespace moves to another shard.
    """
    return token_url.replace("{hash}", hashlib.sha256(namespace.encode()).hexdigest()[:10])


def endpoint_variables(*, token_url: str) -> list[dict[str, Any]]:
    """The `env` entries of container `bot`; `token_url` is the endpoint's base URL as Pods see it."""
    return [
        {"name": TOKEN_URL, "value": f"{token_url}{TOKEN_PATH}"},
        {"name": TOKEN_URL_TOKEN_FILE, "value": TOKEN_FILE},
        {"name": REPORT_URL, "value": f"{token_url}{REPORT_PATH}"},
    ]


def has_endpoint(pod: Mapping[str, Any]) -> bool:
    """Whether this Pod was created with access to the token endpoint. A template cannot set these variables itself."""
    containers = pod.get("spec", {}).get("containers", ())
    found = [item for item in containers if item.get("name") == names.BOT_CONTAINER]
    return any(variable.get("name") == TOKEN_URL for item in found for variable in item.get("env") or ())

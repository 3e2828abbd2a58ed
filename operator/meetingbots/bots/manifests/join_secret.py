"""The Secret that opens the late-token gate of one Pod: join tokens and the other secret variables of the bot.

It is immutable and owned by the Pod, or by the MeetingBot where the Pod does not exist yet. Its creation commits a
delivery. Its annotations describe the delivery to a process that finds it after a crash.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from meetingbots.bots.decide.facts import Delivery
from meetingbots.bots.decide.pod_names import join_secret_name
from meetingbots.bots.manifests.environment import FROM_SECRET, OPEN
from meetingbots.kube.secrets import decode_text, encode_data
from meetingbots.models import names
from meetingbots.models.bot import MeetingBot, TokenKind

_ISSUED = f"{names.GROUP}/issued-at"
_DELIVERED = f"{names.GROUP}/delivered-at"
_KINDS = f"{names.GROUP}/token-kinds"
_CREDENTIAL = f"{names.GROUP}/credential"
_REASON = f"{names.GROUP}/token-reason"
_MESSAGE = f"{names.GROUP}/token-message"
_SPEC = f"{names.GROUP}/joined-with"


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

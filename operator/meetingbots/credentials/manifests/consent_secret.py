"""Encodes and decodes consent Secrets, in which the receiver passes authorization codes to the operator.

The name derives from the OAuth state, so that a state can be used only once. The credential owns the Secret; the
operator deletes it when the consent is concluded.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import SecretStr

from meetingbots.credentials.manifests.token_secret import credential_label
from meetingbots.kube.secrets import decode_text, encode_data
from meetingbots.models import names
from meetingbots.models.credential import ZoomCredential

_PREFIX: Final = "zoom-consent-"
_NAME: Final = re.compile(rf"{_PREFIX}[0-9a-f]{{40}}")


@dataclass(frozen=True, kw_only=True)
class ConsentSecret:
    """The content. `epoch` is that of the link that led to the consent, `uid` is the Secret's."""

    code: SecretStr = field(repr=False)
    code_verifier: SecretStr = field(repr=False)
    redirect_uri: str
    epoch: str
    uid: str = ""


def consent_name(state: str) -> str:
    """Return the Secret's name for an OAuth state; the name does not reveal the state."""
    return f"{_PREFIX}{hashlib.sha256(state.encode()).hexdigest()[:40]}"


def is_consent_name(name: str) -> bool:
    """Return whether `name` is that of a consent Secret. The operator reads and deletes no other name in a status."""
    return _NAME.fullmatch(name) is not None


def new_consent_secret(name: str, content: ConsentSecret, *, credential: ZoomCredential) -> dict[str, Any]:
    """Return the whole object for a create."""
    values = {
        "code": content.code.get_secret_value(),
        "code_verifier": content.code_verifier.get_secret_value(),
        "redirect_uri": content.redirect_uri,
        "epoch": content.epoch,
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "immutable": True,
        "metadata": {
            "name": name,
            "namespace": credential.namespace,
            "labels": {
                names.MANAGED_BY_LABEL: names.MANAGED_BY,
                names.CREDENTIAL_LABEL: credential_label(credential.name),
            },
            "ownerReferences": [credential.owner_reference().to_dict()],
        },
        "data": encode_data(values),
    }


def read_consent_secret(obj: Mapping[str, Any], *, credential: ZoomCredential) -> ConsentSecret | None:
    """Decode the object; None if it is not a consent for this credential."""
    metadata = obj["metadata"]
    labels = metadata.get("labels") or {}
    owners = {owner.get("uid") for owner in metadata.get("ownerReferences") or ()}
    ours = (
        is_consent_name(metadata["name"])
        and labels.get(names.MANAGED_BY_LABEL) == names.MANAGED_BY
        and labels.get(names.CREDENTIAL_LABEL) == credential_label(credential.name)
        and credential.metadata.uid in owners
    )
    data = {key: decode_text(value) or "" for key, value in (obj.get("data") or {}).items()}
    if not ours or not all(data.get(key) for key in ("code", "code_verifier", "redirect_uri", "epoch")):
        return None
    return ConsentSecret(
        code=SecretStr(data["code"]),
        code_verifier=SecretStr(data["code_verifier"]),
        redirect_uri=data["redirect_uri"],
        epoch=data["epoch"],
        uid=metadata.get("uid", ""),
    )

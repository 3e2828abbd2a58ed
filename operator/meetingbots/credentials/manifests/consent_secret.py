"""The Secret in which the receiver hands an authorization code to the operator: written by the one, read by the other.

Its name follows from the state of the request, so that a state can be used once only. It belongs to the credential and
goes with it; the operator deletes it as soon as the code was used.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import SecretStr

from meetingbots.credentials.manifests.token_secret import credential_label
from meetingbots.models import names
from meetingbots.models.credential import ZoomCredential

_PREFIX: Final = "zoom-consent-"
_NAME: Final = re.compile(rf"{_PREFIX}[0-9a-f]{{40}}")


@dataclass(frozen=True, kw_only=True)
class ConsentSecret:
    """What is in it. `epoch` is that of the link that led to the consent, `uid` the Secret's own."""

    code: SecretStr = field(repr=False)
    code_verifier: SecretStr = field(repr=False)
    redirect_uri: str
    epoch: str
    uid: str = ""


def consent_name(state: str) -> str:
    """The Secret's name for a state: the state itself cannot be told from it."""
    return f"{_PREFIX}{hashlib.sha256(state.encode()).hexdigest()[:40]}"


def is_consent_name(name: str) -> bool:
    """Whether it is such a name: no other Secret is read or deleted as a consent, whatever a status says."""
    return _NAME.fullmatch(name) is not None


def new_consent_secret(name: str, content: ConsentSecret, *, credential: ZoomCredential) -> dict[str, Any]:
    """The whole object, to be created."""
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
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }


def read_consent_secret(obj: Mapping[str, Any], *, credential: ZoomCredential) -> ConsentSecret | None:
    """Read the object as the API server sends it; None if it is not a consent for this very credential."""
    metadata = obj["metadata"]
    labels = metadata.get("labels") or {}
    owners = {owner.get("uid") for owner in metadata.get("ownerReferences") or ()}
    ours = (
        is_consent_name(metadata["name"])
        and labels.get(names.MANAGED_BY_LABEL) == names.MANAGED_BY
        and labels.get(names.CREDENTIAL_LABEL) == credential_label(credential.name)
        and credential.metadata.uid in owners
    )
    data = {key: _decoded(value) for key, value in (obj.get("data") or {}).items()}
    if not ours or not all(data.get(key) for key in ("code", "code_verifier", "redirect_uri", "epoch")):
        return None
    return ConsentSecret(
        code=SecretStr(data["code"]),
        code_verifier=SecretStr(data["code_verifier"]),
        redirect_uri=data["redirect_uri"],
        epoch=data["epoch"],
        uid=metadata.get("uid", ""),
    )


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""

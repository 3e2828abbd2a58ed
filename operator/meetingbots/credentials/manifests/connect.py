"""The connect link, at which an end user consents, and the consent Secret, which passes the code to the operator.

The operator signs a link and the receiver verifies it. It is valid for one credential (namespace, name and uid) and one
epoch. The operator draws an epoch when a consent is needed and drops it when a consent arrives, which ends all links of
that epoch. The name of a consent Secret derives from the OAuth state, so that a state can be used only once. The
credential owns the Secret; the operator deletes it when the consent is concluded.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from pydantic import SecretStr

from meetingbots.credentials.manifests.signing_keys import Keyring
from meetingbots.credentials.manifests.token_secret import credential_label
from meetingbots.kube.secrets import decode_text, encode_data
from meetingbots.models import names
from meetingbots.models.credential import ZoomCredential

LINK_LIFE: Final = timedelta(days=7)
RENEW_BEFORE: Final = timedelta(days=2)
"""The operator replaces a link in the status when less than this is left. The replaced link works until it expires."""
_TOKEN: Final = re.compile(
    r"(?P<expires>[0-9]{1,11})\.(?P<uid>[-A-Za-z0-9]{1,64})\.(?P<epoch>[0-9a-f]{16})\.[-_A-Za-z0-9]{43}"
)


@dataclass(frozen=True, kw_only=True)
class Link:
    """The content of a link. `expires` is in whole seconds, UTC."""

    namespace: str
    name: str
    uid: str
    epoch: str
    expires: datetime


def new_epoch() -> str:
    """Draw an epoch: 16 hexadecimal digits."""
    return secrets.token_hex(8)


def connect_url(link: Link, *, public_url: str, keyring: Keyring) -> str:
    """Sign a link with the newest key and return its address. Raises ValueError without a key."""
    if keyring.newest is None:
        raise ValueError("there is no signing key")
    value = f"{int(link.expires.timestamp())}.{link.uid}.{link.epoch}"
    token = keyring.newest.sign(value, purpose=_purpose(link.namespace, link.name))
    return f"{public_url}/connect/{link.namespace}/{link.name}?t={token}"


def read_token(token: str, *, namespace: str, name: str, keyring: Keyring) -> Link | None:
    """Verify a token; None if it is not a link of ours for this credential. Does not check whether it has expired."""
    link = _parse(token, namespace=namespace, name=name)
    return link if link is not None and keyring.verify(token, purpose=_purpose(namespace, name)) else None


def link_in(url: str | None, *, namespace: str, name: str, keyring: Keyring | None = None) -> Link | None:
    """Parse the link in a status, and verify its signature if a keyring is given."""
    if not url:
        return None
    try:
        tokens = parse_qs(urlsplit(url).query).get("t", [])
    except ValueError:
        return None
    if len(tokens) != 1:
        return None
    if keyring is not None:
        return read_token(tokens[0], namespace=namespace, name=name, keyring=keyring)
    return _parse(tokens[0], namespace=namespace, name=name)


def _purpose(namespace: str, name: str) -> str:
    return f"connect link {namespace}/{name}"


def _parse(token: str, *, namespace: str, name: str) -> Link | None:
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    expires = datetime.fromtimestamp(int(match["expires"]), UTC)
    return Link(namespace=namespace, name=name, uid=match["uid"], epoch=match["epoch"], expires=expires)


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

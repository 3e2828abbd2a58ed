"""The link at which an end user consents: the operator signs it, the receiver verifies it.

A link is valid for one credential (namespace, name and uid) and one epoch. The operator draws an epoch when a consent
is needed and drops it when a consent arrives, which ends all links of that epoch.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qs, urlsplit

from meetingbots.credentials.manifests.signing_keys import Keyring

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

"""The link at which an end user gives the consent: made by the operator, read by the receiver, in no one else's power.

A link is for one credential (by namespace, name and uid) and one epoch. The epoch is drawn when a consent is needed and
is gone with the link as soon as one was taken, so that every link of that time is dead from then on.
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
"""A link with less than this left is replaced in the status; it goes on working until its end."""
_PURPOSE: Final = "connect link"
_TOKEN: Final = re.compile(
    r"(?P<key>[A-Za-z0-9]{1,32})\.(?P<expires>[0-9]{1,11})\.(?P<uid>[-A-Za-z0-9]{1,64})\.(?P<epoch>[0-9a-f]{16})"
    r"\.(?P<mac>[-_A-Za-z0-9]{43})"
)


@dataclass(frozen=True, kw_only=True)
class Link:
    """What a link says. `expires` is in whole seconds, UTC; `key_id` names the key that signed it."""

    namespace: str
    name: str
    uid: str
    epoch: str
    expires: datetime
    key_id: str = ""


def new_epoch() -> str:
    """Draw a name for the time from now until the next consent: 16 hexadecimal digits."""
    return secrets.token_hex(8)


def connect_url(link: Link, *, public_url: str, keyring: Keyring) -> str:
    """The link as an address, signed with the newest key. ValueError without a key."""
    key = keyring.newest
    if key is None:
        raise ValueError("there is no signing key")
    expires = str(int(link.expires.timestamp()))
    mac = key.sign(_PURPOSE, link.namespace, link.name, link.uid, link.epoch, expires)
    token = f"{key.id}.{expires}.{link.uid}.{link.epoch}.{mac}"
    return f"{public_url}/connect/{link.namespace}/{link.name}?t={token}"


def read_token(token: str, *, namespace: str, name: str, keyring: Keyring) -> Link | None:
    """The link that a token stands for, None if it is not one of ours for this credential. It may have expired."""
    link, mac = _parts(token, namespace=namespace, name=name)
    key = keyring.find(link.key_id) if link is not None else None
    if link is None or key is None:
        return None
    expires = str(int(link.expires.timestamp()))
    return link if key.signed(mac, _PURPOSE, namespace, name, link.uid, link.epoch, expires) else None


def link_in(url: str | None, *, namespace: str, name: str) -> Link | None:
    """What the link in a status says, without looking at its signature: the operator itself has written it."""
    if not url:
        return None
    try:
        values = parse_qs(urlsplit(url).query).get("t", [])
    except ValueError:
        return None
    return _parts(values[0], namespace=namespace, name=name)[0] if len(values) == 1 else None


def _parts(token: str, *, namespace: str, name: str) -> tuple[Link | None, str]:
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None, ""
    expires = datetime.fromtimestamp(int(match["expires"]), UTC)
    link = Link(
        namespace=namespace,
        name=name,
        uid=match["uid"],
        epoch=match["epoch"],
        expires=expires,
        key_id=match["key"],
    )
    return link, match["mac"]

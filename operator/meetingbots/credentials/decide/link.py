"""Which connect link the status shows (grant connect)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from meetingbots.credentials.manifests.connect_link import LINK_LIFE, RENEW_BEFORE, Link, connect_url, link_in
from meetingbots.credentials.manifests.signing_keys import Keyring
from meetingbots.models.credential import ZoomCredential

_NO_PUBLIC_URL: Final = (
    "The operator cannot make a link: its public URL is not set (flag --public-url or MEETINGBOTS_PUBLIC_URL)."
)
_NO_KEYRING: Final = "The operator cannot make a link yet: it cannot read or write the receiver's Secret."


@dataclass(frozen=True, kw_only=True)
class LinkFacts:
    """What a link is made from.

    `keyring` is None while the keys cannot be read, `key_due` says that a new key must be created first. `epoch` is
    drawn at random, for a link that continues no earlier one.
    """

    public_url: str = ""
    keyring: Keyring | None = field(default=None, repr=False)
    key_due: bool = False
    epoch: str = ""


@dataclass(frozen=True, kw_only=True)
class ShownLink:
    """The link for the status. `problem` says why there is none although the user should consent."""

    url: str = ""
    problem: str = ""


def shown_link(credential: ZoomCredential, facts: LinkFacts, *, restart: bool, now: datetime) -> ShownLink:
    """Return the present link while it is good, else a new one. `restart` ends all links of the present epoch."""
    present = credential.status.connect_url or ""
    if not facts.public_url:
        return ShownLink(problem=_NO_PUBLIC_URL)
    if facts.keyring is None or facts.keyring.newest is None:
        return ShownLink(url="" if restart else present, problem="" if present else _NO_KEYRING)
    metadata = credential.metadata
    known = link_in(present, namespace=metadata.namespace, name=metadata.name, keyring=facts.keyring)
    if known is not None and known.uid != metadata.uid:
        known = None  # copied from another object
    fresh = known is not None and known.expires - now > RENEW_BEFORE
    if fresh and not restart and present.startswith(f"{facts.public_url}/connect/"):
        return ShownLink(url=present)
    link = Link(
        namespace=metadata.namespace,
        name=metadata.name,
        uid=metadata.uid,
        epoch=facts.epoch if known is None or restart else known.epoch,
        expires=(now + LINK_LIFE).replace(microsecond=0),
    )
    return ShownLink(url=connect_url(link, public_url=facts.public_url, keyring=facts.keyring))

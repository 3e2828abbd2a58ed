"""The state that goes to Zoom and comes back, and the cookie that binds it to one browser (OAuth 2.0, RFC 6749, 10.12).

Nothing is remembered between the two requests, so that any replica can take the second one: the state carries what the
receiver has to know, signed; the PKCE verifier is derived from the signing key, the state and the cookie, and is never
sent to the browser.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

import orjson
from pydantic import ConfigDict, SecretStr, TypeAdapter

from meetingbots.credentials.manifests.connect_link import Link
from meetingbots.credentials.manifests.signing_keys import Keyring, SigningKey

STATE_LIFE: Final = timedelta(minutes=10)
_STATE: Final = "connect state"
_VERIFIER: Final = "connect verifier"
_OUTCOME: Final = "connect outcome"
_BROWSER: Final = re.compile(r"[-_A-Za-z0-9]{43}")
_TICKET: Final = re.compile(
    r"(?P<key>[A-Za-z0-9]{1,32})\.(?P<consent>zoom-consent-[0-9a-f]{40})\.(?P<mac>[-_A-Za-z0-9]{43})"
)
_LONGEST: Final = 2048
_Fields: TypeAlias = tuple[str, int, str, str, str, str, int, str, str]
"""Key id, expiry, namespace, name, uid, epoch, the link's expiry, the browser's mark, and what makes it unique."""
_FIELDS: Final = TypeAdapter(_Fields, config=ConfigDict(strict=True))


class Doubt(StrEnum):
    """What is wrong with a state."""

    FORGED = "Forged"
    OTHER_BROWSER = "OtherBrowser"


@dataclass(frozen=True, kw_only=True)
class State:
    """A state of ours that came back in the browser that it was made for."""

    text: str = field(repr=False)
    link: Link
    expires: datetime
    verifier: SecretStr = field(repr=False)


def new_browser() -> str:
    """Draw a browser's secret: 43 characters."""
    return secrets.token_urlsafe(32)


def known_browser(cookie: str | None) -> str | None:
    """The browser's secret in a cookie's value, if it has the shape of one."""
    return cookie if cookie is not None and _BROWSER.fullmatch(cookie) else None


def new_state(link: Link, *, browser: str, key: SigningKey, now: datetime) -> State:
    """A state for someone who came by this link, in this browser."""
    expires = (now + STATE_LIFE).replace(microsecond=0)
    fields: _Fields = (
        key.id,
        int(expires.timestamp()),
        link.namespace,
        link.name,
        link.uid,
        link.epoch,
        int(link.expires.timestamp()),
        _mark(browser),
        secrets.token_urlsafe(16),
    )
    payload = base64.urlsafe_b64encode(orjson.dumps(fields)).rstrip(b"=").decode("ascii")
    text = f"{payload}.{key.sign(_STATE, payload)}"
    return State(text=text, link=link, expires=expires, verifier=_verifier(text, browser=browser, key=key))


def read_state(text: str, *, browser: str | None, keyring: Keyring) -> State | Doubt:
    """The state that came back; it may have expired."""
    payload, _, mac = text.partition(".")
    fields = _fields(payload) if len(text) <= _LONGEST else None
    if fields is None:
        return Doubt.FORGED
    key_id, expires, namespace, name, uid, epoch, link_expires, mark, _ = fields
    key = keyring.find(key_id)
    if key is None or not key.signed(mac, _STATE, payload):
        return Doubt.FORGED
    if browser is None or not secrets.compare_digest(_mark(browser), mark):
        return Doubt.OTHER_BROWSER
    link = Link(namespace=namespace, name=name, uid=uid, epoch=epoch, expires=datetime.fromtimestamp(link_expires, UTC))
    return State(
        text=text,
        link=link,
        expires=datetime.fromtimestamp(expires, UTC),
        verifier=_verifier(text, browser=browser, key=key),
    )


def outcome_ticket(consent: str, *, namespace: str, name: str, browser: str, keyring: Keyring) -> str:
    """What lets this browser ask what became of its consent. ValueError without a key."""
    key = keyring.newest
    if key is None:
        raise ValueError("there is no signing key")
    return f"{key.id}.{consent}.{key.sign(_OUTCOME, consent, namespace, name, _mark(browser))}"


def read_ticket(text: str, *, namespace: str, name: str, browser: str | None, keyring: Keyring) -> str | None:
    """The consent's name that a ticket is for; None if it is not ours, or not this browser's."""
    match = _TICKET.fullmatch(text)
    key = keyring.find(match["key"]) if match is not None else None
    if match is None or key is None or browser is None:
        return None
    right = key.signed(match["mac"], _OUTCOME, match["consent"], namespace, name, _mark(browser))
    return match["consent"] if right else None


def _verifier(text: str, *, browser: str, key: SigningKey) -> SecretStr:
    # 43 characters of base64url: what RFC 7636, 4.1 asks for.
    return SecretStr(key.sign(_VERIFIER, text, browser))


def _mark(browser: str) -> str:
    return hashlib.sha256(browser.encode()).hexdigest()[:32]


def _fields(payload: str) -> _Fields | None:
    try:
        raw = base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
        return _FIELDS.validate_json(raw)
    except (binascii.Error, ValueError):
        return None

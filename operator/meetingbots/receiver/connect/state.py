"""The OAuth state that travels to Zoom and back, and the cookie that binds it to one browser (RFC 6749, 10.12).

The receiver stores nothing between the two requests, so any replica can serve the second one. The signed state carries
what the receiver needs. The PKCE verifier is derived from the signing key, the state and the cookie, and never leaves
the receiver.
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

from meetingbots.credentials.manifests.connect import Link, is_consent_name
from meetingbots.credentials.manifests.signing_keys import Keyring, SigningKey

STATE_LIFE: Final = timedelta(minutes=10)
_STATE: Final = "connect state"
_VERIFIER: Final = "connect verifier"
_BROWSER: Final = re.compile(r"[-_A-Za-z0-9]{43}")
_MAX_LENGTH: Final = 2048
_Fields: TypeAlias = tuple[int, str, str, str, str, int, str, str]
"""Expiry, namespace, name, uid, epoch, the link's expiry, the browser's digest, and a nonce."""
_FIELDS: Final = TypeAdapter(_Fields, config=ConfigDict(strict=True))


class StateFault(StrEnum):
    """Why a state is not accepted."""

    FORGED = "Forged"
    OTHER_BROWSER = "OtherBrowser"


@dataclass(frozen=True, kw_only=True)
class State:
    """A verified state, in the browser that it was made for."""

    text: str = field(repr=False)
    link: Link
    expires: datetime
    verifier: SecretStr = field(repr=False)


def new_browser() -> str:
    """Draw the secret that identifies a browser: 43 characters."""
    return secrets.token_urlsafe(32)


def known_browser(cookie: str | None) -> str | None:
    """Return the browser's secret from a cookie's value, None if it has not the form of one."""
    return cookie if cookie is not None and _BROWSER.fullmatch(cookie) else None


def new_state(link: Link, *, browser: str, key: SigningKey, now: datetime) -> State:
    """Create a state for a visitor of this link in this browser."""
    expires = (now + STATE_LIFE).replace(microsecond=0)
    fields: _Fields = (
        int(expires.timestamp()),
        link.namespace,
        link.name,
        link.uid,
        link.epoch,
        int(link.expires.timestamp()),
        _digest(browser),
        secrets.token_urlsafe(16),
    )
    payload = base64.urlsafe_b64encode(orjson.dumps(fields)).rstrip(b"=").decode("ascii")
    text = key.sign(payload, purpose=_STATE)
    return State(text=text, link=link, expires=expires, verifier=_verifier(text, browser=browser, key=key))


def read_state(text: str, *, browser: str | None, keyring: Keyring) -> State | StateFault:
    """Verify the state of a returning visitor. Does not check whether it has expired."""
    key = keyring.verify(text, purpose=_STATE) if len(text) <= _MAX_LENGTH and text.isascii() else None
    fields = _parse(text.partition(".")[0])
    if key is None or fields is None:
        return StateFault.FORGED
    expires, namespace, name, uid, epoch, link_expires, digest, _ = fields
    if browser is None or not secrets.compare_digest(_digest(browser), digest):
        return StateFault.OTHER_BROWSER
    return State(
        text=text,
        link=Link(
            namespace=namespace, name=name, uid=uid, epoch=epoch, expires=datetime.fromtimestamp(link_expires, UTC)
        ),
        expires=datetime.fromtimestamp(expires, UTC),
        verifier=_verifier(text, browser=browser, key=key),
    )


def outcome_ticket(consent: str, *, credential: str, browser: str, keyring: Keyring) -> str:
    """Sign the right of this browser to read the outcome of its consent. Raises ValueError without a key.

    `credential` is the credential, as ``NAMESPACE/NAME``.
    """
    if keyring.newest is None:
        raise ValueError("there is no signing key")
    return keyring.newest.sign(consent, purpose=_ticket_purpose(credential, browser))


def read_ticket(text: str, *, credential: str, browser: str | None, keyring: Keyring) -> str | None:
    """Return the consent's name from a ticket; None if the ticket is not ours or not for this browser."""
    consent = text.partition(".")[0]
    if browser is None or not is_consent_name(consent):
        return None
    return consent if keyring.verify(text, purpose=_ticket_purpose(credential, browser)) else None


def _ticket_purpose(credential: str, browser: str) -> str:
    return f"connect outcome {credential} {_digest(browser)}"


def _verifier(text: str, *, browser: str, key: SigningKey) -> SecretStr:
    # 43 characters of base64url, as RFC 7636, 4.1 requires.
    return SecretStr(key.signature(f"{text}.{browser}", purpose=_VERIFIER))


def _digest(browser: str) -> str:
    return hashlib.sha256(browser.encode()).hexdigest()[:32]


def _parse(payload: str) -> _Fields | None:
    try:
        return _FIELDS.validate_json(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError):
        return None

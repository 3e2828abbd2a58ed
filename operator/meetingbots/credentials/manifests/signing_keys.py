"""The keys that sign connect links and OAuth states: how they are stored, rotated and used.

The operator creates them and stores them in the receiver's Secret. All replicas of the receiver read them there, so one
replica accepts what another has signed. A signature for one purpose is not valid for another.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import orjson
from itsdangerous import Signer
from pydantic import SecretStr

from meetingbots.models.base import format_time
from meetingbots.zoom.resources import iso_moment

KEY_LIFE: Final = timedelta(days=30)
"""How long a key signs before a new one replaces it."""
KEY_KEPT: Final = timedelta(days=8)
"""How long a replaced key still verifies: one day longer than the longest life of what it signed."""
_SHORTEST_SECRET: Final = 32


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """One key; `id` distinguishes the stored keys."""

    id: str
    secret: SecretStr = field(repr=False)
    created: datetime

    def sign(self, value: str, *, purpose: str) -> str:
        """Return ``VALUE.SIGNATURE``."""
        return f"{value}.{self.signature(value, purpose=purpose)}"

    def signature(self, value: str, *, purpose: str) -> str:
        """HMAC-SHA256 under a key derived for the purpose: 43 characters of base64url."""
        signer = Signer(
            self.secret.get_secret_value(), salt=purpose, key_derivation="hmac", digest_method=hashlib.sha256
        )
        return signer.get_signature(value).decode()


@dataclass(frozen=True)
class Keyring:
    """The keys, newest first: the newest signs, all of them verify."""

    keys: tuple[SigningKey, ...] = ()

    @property
    def newest(self) -> SigningKey | None:
        """The key to sign with; None: there is none yet."""
        return self.keys[0] if self.keys else None

    def verify(self, signed: str, *, purpose: str) -> SigningKey | None:
        """Return the key that signed ``VALUE.SIGNATURE``, None if no key did.

        Compares the text of the signature, not its bytes: base64 has several texts for the same bytes, and a token must
        have only one form to be used only once.
        """
        value, _, signature = signed.rpartition(".")
        given = signature.encode("utf-8", "replace")
        for key in self.keys:
            if hmac.compare_digest(key.signature(value, purpose=purpose).encode(), given):
                return key
        return None


def renewal_due(keyring: Keyring, *, now: datetime) -> bool:
    """Whether a new key is due."""
    return keyring.newest is None or now - keyring.newest.created >= KEY_LIFE


def renewed(keyring: Keyring, *, key_id: str, secret: SecretStr, now: datetime) -> Keyring:
    """Add a key to sign with, and drop those that were replaced more than `KEY_KEPT` ago."""
    keys = (SigningKey(id=key_id, secret=secret, created=now), *keyring.keys)
    kept = (key for key, successor in zip(keys[1:], keys, strict=False) if now - successor.created < KEY_KEPT)
    return Keyring((keys[0], *kept))


def keyring_text(keyring: Keyring) -> str:
    """Serialize the keys for the Secret."""
    return orjson.dumps(
        [
            {"id": key.id, "key": key.secret.get_secret_value(), "created": format_time(key.created)}
            for key in keyring.keys
        ]
    ).decode()


def parse_keyring(text: str) -> Keyring:
    """Parse the text of `keyring_text`; skip entries that are malformed or too short to be safe."""
    try:
        entries = orjson.loads(text) if text else []
    except orjson.JSONDecodeError:
        return Keyring()
    found = sorted(_keys(entries), key=lambda key: key.created, reverse=True)
    return Keyring(tuple(found))


def _keys(entries: object) -> Iterator[SigningKey]:
    for entry in entries if isinstance(entries, list) else ():
        fields = entry if isinstance(entry, dict) else {}
        key_id, secret, created = fields.get("id"), fields.get("key"), iso_moment(fields.get("created"))
        if not isinstance(key_id, str) or not isinstance(secret, str) or created is None:
            continue
        if key_id.isalnum() and len(secret) >= _SHORTEST_SECRET:
            yield SigningKey(id=key_id, secret=SecretStr(secret), created=created)

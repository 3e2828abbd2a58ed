"""The keys that connect links and the answers to them are signed with: how they are kept, renewed, and used.

The operator makes them and keeps them in the receiver's Secret; all replicas of the receiver read them there, so that
one replica accepts what another has handed out. Every signature names its purpose, so that none counts as another.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import orjson
from pydantic import SecretStr

from meetingbots.models.base import format_time
from meetingbots.zoom.timestamps import iso_moment

KEY_LIFE: Final = timedelta(days=30)
"""How long a key signs before the next one does."""
KEY_KEPT: Final = timedelta(days=8)
"""How long a key is accepted after that: a day more than the longest life of what it has signed."""
_SHORTEST_SECRET: Final = 32


@dataclass(frozen=True, kw_only=True)
class SigningKey:
    """One key. `id` is shown in what it signs."""

    id: str
    secret: SecretStr = field(repr=False)
    created: datetime

    def sign(self, purpose: str, *parts: str) -> str:
        """HMAC-SHA256 of the parts for a purpose: 43 characters of base64url."""
        return base64.urlsafe_b64encode(self._digest(purpose, parts)).rstrip(b"=").decode("ascii")

    def signed(self, signature: str, purpose: str, *parts: str) -> bool:
        """Whether `signature` is this key's of these parts for this purpose; compared in constant time."""
        return hmac.compare_digest(self.sign(purpose, *parts).encode(), signature.encode("utf-8", "replace"))

    def _digest(self, purpose: str, parts: tuple[str, ...]) -> bytes:
        # With their lengths, so that no two lists of parts are the same bytes.
        message = b"".join(b"%d:%s" % (len(part), part) for part in map(str.encode, (purpose, *parts)))
        return hmac.new(self.secret.get_secret_value().encode(), message, hashlib.sha256).digest()


@dataclass(frozen=True)
class Keyring:
    """The keys, newest first: the first signs, all are accepted."""

    keys: tuple[SigningKey, ...] = ()

    @property
    def newest(self) -> SigningKey | None:
        """The key to sign with; None: there is none yet."""
        return self.keys[0] if self.keys else None

    def find(self, key_id: str) -> SigningKey | None:
        """The key of that id, if it is (still) accepted."""
        return next((key for key in self.keys if key.id == key_id), None)


def renewal_due(keyring: Keyring, *, now: datetime) -> bool:
    """Whether there is to be a new key."""
    return keyring.newest is None or now - keyring.newest.created >= KEY_LIFE


def renewed(keyring: Keyring, *, key_id: str, secret: SecretStr, now: datetime) -> Keyring:
    """The keys with a new one to sign with; those that have been replaced for long enough are dropped."""
    keys = (SigningKey(id=key_id, secret=secret, created=now), *keyring.keys)
    kept = (key for key, successor in zip(keys[1:], keys, strict=False) if now - successor.created < KEY_KEPT)
    return Keyring((keys[0], *kept))


def keyring_text(keyring: Keyring) -> str:
    """The keys as the text that is kept in the Secret."""
    return orjson.dumps(
        [
            {"id": key.id, "key": key.secret.get_secret_value(), "created": format_time(key.created)}
            for key in keyring.keys
        ]
    ).decode()


def parse_keyring(text: str) -> Keyring:
    """Read that text; what is not a key (or a weak one, by someone's edit) is left out."""
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

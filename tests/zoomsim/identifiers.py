"""Ids and secrets in Zoom's shapes; everything secret is random at run time."""

import base64
import hashlib
import hmac
import json
import secrets
import string
from collections.abc import Mapping

_USER_ID_ALPHABET = string.ascii_letters + string.digits + "_-"


def new_user_id() -> str:
    """Make a user id: 22 characters of `[A-Za-z0-9_-]`, case matters."""
    return "".join(secrets.choice(_USER_ID_ALPHABET) for _ in range(22))


def new_account_id() -> str:
    """Make an account id in the shape of a user id."""
    return new_user_id()


def new_meeting_id() -> int:
    """Make a meeting id of 11 digits (Zoom: 9 to 11)."""
    return 80_000_000_000 + secrets.randbelow(10_000_000_000)


def new_pmi() -> int:
    """Make a personal meeting id of 10 digits."""
    return 2_000_000_000 + secrets.randbelow(7_000_000_000)


def new_uuid() -> str:
    """Make the uuid of one run of a meeting: base64, may contain `/` and `+`."""
    return base64.b64encode(secrets.token_bytes(16)).decode()


def new_secret(length: int = 32) -> str:
    """Make a random secret, too long to occur in a log by chance."""
    return secrets.token_urlsafe(length)[:length]


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class TokenForge:
    """Makes tokens that look like Zoom's: JWTs, signed with a key that only this object has."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(64)

    def forge(self, claims: Mapping[str, object]) -> str:
        """Sign the claims; a random `jti` makes every token different from every other."""
        header = _b64(json.dumps({"sv": "000002", "alg": "HS512", "v": "2.0", "kid": secrets.token_hex(16)}).encode())
        payload = _b64(json.dumps({**claims, "jti": secrets.token_hex(16)}).encode())
        signature = hmac.new(self._key, f"{header}.{payload}".encode(), hashlib.sha512).digest()
        return f"{header}.{payload}.{_b64(signature)}"

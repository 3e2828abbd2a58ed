"""Reads the account that an access token claims: a hint for rate limits before Zoom was asked.

Zoom's access tokens are JWTs. The claim is not verified, and nothing but the choice of a rate limit depends on it.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

import orjson
from pydantic import SecretStr

_JWT: Final = re.compile(r"[-_A-Za-z0-9]{1,4096}\.([-_A-Za-z0-9]{1,16384})\.[-_A-Za-z0-9]{1,4096}")
_ACCOUNT_CLAIMS: Final = ("accountId", "aid")
_ID: Final = re.compile(r"[-_A-Za-z0-9]{1,128}")


def claimed_account(token: SecretStr) -> str:
    """Return the account that a token claims; empty when it is not a JWT or claims none. Never raises."""
    parts = _JWT.fullmatch(token.get_secret_value().strip())
    if parts is None:
        return ""
    payload = parts.group(1)
    try:
        claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (binascii.Error, ValueError):
        return ""
    if not isinstance(claims, dict):
        return ""
    named = (claims.get(claim) for claim in _ACCOUNT_CLAIMS)
    return next((one for one in named if isinstance(one, str) and _ID.fullmatch(one)), "")

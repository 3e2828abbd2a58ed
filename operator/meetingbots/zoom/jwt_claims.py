"""Which account an access token speaks for, before Zoom was asked: a hint for sharing out rate limits, and no more.

Zoom's access tokens are JWTs. Nothing is verified and nothing decided by what one claims: whose a token is, Zoom says.
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
    """The account that a token names; empty where it is no JWT or names none. Never raises."""
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

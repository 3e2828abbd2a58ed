"""The way into a consent: the address on zoom.us that asks the person, with state and PKCE (RFC 7636)."""

from __future__ import annotations

import base64
import hashlib
import secrets
from urllib.parse import urlencode

from pydantic import SecretStr


def new_code_verifier() -> SecretStr:
    """Draw a PKCE verifier: 64 characters that nobody can guess."""
    return SecretStr(secrets.token_urlsafe(48))


def pkce_challenge(verifier: SecretStr) -> str:
    """Derive the S256 challenge that may be shown to the browser from a verifier (RFC 7636, 4.2)."""
    digest = hashlib.sha256(verifier.get_secret_value().encode("utf-8")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def authorize_url(*, oauth_url: str, client_id: str, redirect_uri: str, state: str, code_challenge: str = "") -> str:
    """Make the address that asks a person for the consent (Zoom, OAuth, Get user authorization).

    Args:
        oauth_url: base, as in ``https://zoom.us/oauth``.
        client_id: of the app.
        redirect_uri: exactly as configured in the app; Zoom compares every character.
        state: comes back with the code; bind it to the browser.
        code_challenge: from :func:`pkce_challenge`; without it no PKCE is used.

    """
    query = {
        "response_type": "code",
        "client_id": client_id.strip(),
        "redirect_uri": redirect_uri,
        "state": state,
    }
    if code_challenge:
        query |= {"code_challenge": code_challenge, "code_challenge_method": "S256"}
    return f"{oauth_url.rstrip('/')}/authorize?{urlencode(query)}"

"""The page at Zoom that asks a person for the consent, with state and PKCE (RFC 7636)."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import urlencode

from pydantic import SecretStr


def pkce_challenge(verifier: SecretStr) -> str:
    """Return the S256 challenge of a verifier; the challenge is public (RFC 7636, 4.2)."""
    digest = hashlib.sha256(verifier.get_secret_value().encode("utf-8")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def authorize_url(*, oauth_url: str, client_id: str, redirect_uri: str, state: str, code_challenge: str = "") -> str:
    """Return the address of the consent page (Zoom, OAuth, Get user authorization).

    Args:
        oauth_url: base, as in ``https://zoom.us/oauth``.
        client_id: of the app.
        redirect_uri: exactly as configured in the app; Zoom compares every character.
        state: Zoom returns it with the code; bind it to the browser.
        code_challenge: from :func:`pkce_challenge`; empty: no PKCE.

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

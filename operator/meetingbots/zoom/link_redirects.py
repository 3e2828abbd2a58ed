"""Unwraps the redirects that mail and chat services put around links, without any request.

Sources: Proofpoint's URL decoder (v1, v2, v3); the query parameters that Google, Outlook Safe Links, Barracuda,
Facebook and Slack use, and the path of Cisco Secure Email.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final
from urllib.parse import unquote, urlsplit

_MAX_LAYERS: Final = 5
_PARAMETERS: Final = (
    (re.compile(r"(?:www\.)?google\.(?:com?\.)?[a-z]{2,3}"), "/url", ("q", "url")),
    (re.compile(r"(?:[a-z0-9-]+\.)*safelinks\.protection\.outlook\.com"), "", ("url",)),
    (re.compile(r"statics\.teams\.cdn\.office\.net"), "/evergreen-assets/safelinks/", ("url",)),
    (re.compile(r"urldefense\.proofpoint\.com"), "/v1/url", ("u",)),
    (re.compile(r"linkprotect\.cudasvc\.com"), "/url", ("a",)),
    (re.compile(r"lm?\.facebook\.com"), "/l.php", ("u",)),
    (re.compile(r"slack-redir\.net"), "/link", ("url",)),
)
"""Host, beginning of the path, and the parameters that may hold the address."""
_V3: Final = re.compile(r"/v3/__(?P<url>.+?)__;(?P<replaced>[A-Za-z0-9+/=_-]*)!", re.IGNORECASE)
_V3_HOST: Final = re.compile(r"urldefense\.(?:proofpoint\.)?(?:com|us)")
_V3_RUNS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_V3_SHORTEST_RUN: Final = 2
_V3_PLACE: Final = re.compile(r"\*(?:\*(?P<run>.))?")
_ONE_SLASH: Final = re.compile(r"(https?:/)(?=[^/])", re.IGNORECASE)


def unwrapped(url: str) -> str:
    """Return the address behind known redirects, at most `_MAX_LAYERS` deep; any other address unchanged."""
    for _ in range(_MAX_LAYERS):
        target = _target(url)
        if target is None:
            break
        url = target
    return url


def _target(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
    except ValueError:
        return None
    if parts.scheme.lower() not in ("http", "https"):
        return None
    if _V3_HOST.fullmatch(host) and "/v3/__" in parts.path:
        return _proofpoint_v3(url)
    if host == "urldefense.proofpoint.com" and parts.path.startswith("/v2/url"):
        encoded = _parameter(parts.query, "u")
        return unquote(encoded.replace("-", "%").replace("_", "/")) if encoded else None
    if host == "secure-web.cisco.com":
        last = parts.path.rpartition("/")[2]
        return unquote(last) if "%3a%2f%2f" in last.lower() else None
    for pattern, path, names in _PARAMETERS:
        if pattern.fullmatch(host) and parts.path.startswith(path):
            return next((unquote(value) for name in names if (value := _parameter(parts.query, name))), None)
    return None


def _parameter(query: str, name: str) -> str:
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        if key == name:
            return value
    return ""


def _proofpoint_v3(url: str) -> str | None:
    """Decode ``…/v3/__ADDRESS__;REPLACED!!…$``: ``*`` stands for the next replaced character, ``**X`` for several."""
    found = _V3.search(url)
    if found is None:
        return None
    encoded = found["replaced"]
    try:
        replaced = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    used = 0

    def character(place: re.Match[str]) -> str:
        nonlocal used
        run = place["run"]
        length = _V3_RUNS.find(run) + _V3_SHORTEST_RUN if run else 1
        used += length
        return replaced[used - length : used]

    address = _ONE_SLASH.sub(r"\1/", _V3_PLACE.sub(character, found["url"]))
    return address if used == len(replaced) else None

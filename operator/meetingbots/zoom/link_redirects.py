"""Unwraps the redirects that mail and chat services put around links, without any request.

Sources: Proofpoint's URL decoder (v1, v2, v3); the query parameters of `_PARAMETERS`; the other places
of `_PLACES`. Services that keep the address on their servers cannot be unwrapped.
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
    (re.compile(r"(?:[a-z0-9-]+\.)*safelinks\.protection\.(?:outlook\.com|office365\.us)"), "", ("url",)),
    (
        re.compile(r"statics\.teams\.(?:cdn\.office\.net|microsoft\.com)|teams\.public\.onecdn\.static\.microsoft"),
        "/evergreen-assets/safelinks/",
        ("url",),
    ),
    (re.compile(r"urldefense\.(?:proofpoint\.)?(?:com|us)"), "/v1/url", ("u",)),
    (re.compile(r"protect2\.fireeye\.com"), "", ("u",)),
    (re.compile(r"antiphishing\.(?:vadesecure\.com|cetsi\.fr)"), "", ("u",)),
    (re.compile(r"urlsand\.esvalabs\.com"), "/", ("u",)),
    (re.compile(r"linklock\.titanhq\.com"), "/analyse", ("url",)),
    (re.compile(r"link\.zixcentral\.com"), "/u/", ("u",)),
    (re.compile(r"scanmail\.trustwave\.com"), "/", ("u",)),
    (re.compile(r"checklink\.mail\.ru"), "/proxy", ("url",)),
    (re.compile(r"mail\.qq\.com"), "/cgi-bin/readtemplate", ("gourl",)),
    (re.compile(r"c\.pc\.qq\.com"), "/", ("pfurl", "url")),
    (re.compile(r"link\.(?:zhihu\.com|juejin\.cn|csdn\.net)"), "/", ("target",)),
    (re.compile(r"out\.reddit\.com"), "/", ("url",)),
    (re.compile(r"steamcommunity\.com"), "/linkfilter/", ("u", "url")),
    (re.compile(r"t\.me"), "/iv", ("url",)),
    (re.compile(r"l\.wl\.co"), "/l", ("u",)),
    (re.compile(r"l\.threads\.(?:com|net)"), "/", ("u",)),
    (re.compile(r"(?:www\.)?facebook\.com"), "/flx/warn/", ("u",)),
    (re.compile(r"(?:www\.)?medium\.com"), "/r/", ("url",)),
    (re.compile(r"(?:www\.)?calendly\.com"), "/url", ("q",)),
    (re.compile(r"plus\.url\.google\.com"), "/url", ("q", "url")),
    (re.compile(r"linkprotect\.cudasvc\.com"), "/url", ("a",)),
    (re.compile(r"lm?\.(?:facebook|messenger|workplace)\.com"), "/l.php", ("u",)),
    (re.compile(r"l\.instagram\.com"), "/", ("u",)),
    (re.compile(r"slack-redir\.net"), "/link", ("url",)),
    (re.compile(r"(?:www\.)?linkedin\.com"), "/safety/go", ("url",)),
    (re.compile(r"(?:www\.)?linkedin\.com"), "/redir/", ("url",)),
    (re.compile(r"meet\.google\.com"), "/linkredirect", ("dest",)),
    (re.compile(r"(?:[a-z0-9-]+\.)*[a-z0-9-]+-ctp\.trendmicro\.com"), "/wis/clicktime/", ("url",)),
    (re.compile(r"clicktime\.symantec\.com"), "/", ("u",)),
    (re.compile(r"clicktime\.cloud\.postoffice\.net"), "/clicktime.php", ("u",)),
    (re.compile(r"(?:www\.)?youtube\.com"), "/redirect", ("q",)),
    (re.compile(r"(?:www\.)?vk\.com"), "/away.php", ("to",)),
    (re.compile(r"(?:www\.)?duckduckgo\.com"), "/l/", ("uddg",)),
    (re.compile(r"deref-(?:gmx|web|mail|1und1)\.(?:net|com|de)"), "", ("redirecturl",)),
    (re.compile(r".+"), "/owa/redir.aspx", ("url",)),  # Exchange, on the customer's host
    (re.compile(r".+"), "/fmlurlsvc/", ("url",)),  # FortiMail, on the customer's host
)
"""Host, beginning of the path, and the parameters (in lower case) that may hold the address."""
_V3: Final = re.compile(r"/v3/__(?P<url>.+?)__;(?P<replaced>[A-Za-z0-9+/=_-]*)!", re.IGNORECASE)
_PROOFPOINT_HOST: Final = re.compile(r"urldefense\.(?:proofpoint\.)?(?:com|us)")
_V3_RUNS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_V3_SHORTEST_RUN: Final = 2
_V3_PLACE: Final = re.compile(r"\*(?:\*(?P<run>.))?")
_ONE_SLASH: Final = re.compile(r"(https?:/)(?=[^/])", re.IGNORECASE)

_QUOTED_SCHEME: Final = re.compile(r"^(https?)%3a(?:/|%2f){1,2}", re.IGNORECASE)


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
    if _PROOFPOINT_HOST.fullmatch(host) and "/v3/__" in parts.path:
        return _proofpoint_v3(url)
    if _PROOFPOINT_HOST.fullmatch(host) and parts.path.startswith("/v2/url"):
        encoded = _parameter(parts.query, "u")
        return unquote(encoded.replace("-", "%").replace("_", "/")) if encoded else None
    for pattern, place, decode in _PLACES:
        if pattern.fullmatch(host):
            found = place.search(url)
            return decode(found[1]) if found else None
    for pattern, path, names in _PARAMETERS:
        if pattern.fullmatch(host) and parts.path.startswith(path):
            return next((unquote(value) for name in names if (value := _parameter(parts.query, name))), None)
    return None


def _parameter(query: str, name: str) -> str:
    for pair in query.split("&"):
        key, _, value = pair.partition("=")
        if key.lower() == name:
            return value
    return ""


def _base64_text(encoded: str) -> str | None:
    """Decode Base64 of either alphabet, percent-encoded, with or without padding; None for anything else."""
    encoded = unquote(encoded)
    try:
        return base64.urlsafe_b64decode(
            encoded.replace("+", "-").replace("/", "_") + "=" * (-len(encoded) % 4)
        ).decode()
    except (binascii.Error, ValueError):
        return None


_PLACES: Final = (
    (re.compile(r"secure-web\.cisco\.com"), re.compile(r"/(https?%3a%2f%2f[^/?]+)$", re.IGNORECASE), unquote),
    (
        re.compile(r"[a-z0-9.-]+\.awstrack\.me"),
        re.compile(r"/L0/(https?(?::|%3a)%2f%2f[^/?]+)", re.IGNORECASE),
        unquote,
    ),
    (re.compile(r"r\.search\.yahoo\.com"), re.compile(r"/RU=(https?%3a%2f%2f[^/?]+)", re.IGNORECASE), unquote),
    (re.compile(r"(?:[a-z0-9-]+\.)*protection\.sophos\.com"), re.compile(r"[?&]u=([^&#]+)"), _base64_text),
    (re.compile(r"(?:www\.)?bing\.com"), re.compile(r"/ck/a\?(?:[^#]*&)?u=a1([^&#]+)"), _base64_text),
    (re.compile(r"lsems\.gravityzone\.bitdefender\.com"), re.compile(r"/scan/([^/?]+)"), _base64_text),
    (re.compile(r"linkscan\.io"), re.compile(r"/scan/(?:ux/)?([^/?]+)"), _base64_text),
    (
        re.compile(r"url\.avanan\.click|(?:[a-z0-9-]+\.)*protect\.checkpoint\.com"),
        re.compile(r"/v2/___(.+?)___\."),
        str,
    ),
)
"""Host, the place of the address in the link, and how to decode it."""


def _proofpoint_v3(url: str) -> str | None:
    """Decode ``…/v3/__ADDRESS__;REPLACED!!…$``: ``*`` stands for the next replaced character, ``**X`` for several."""
    found = _V3.search(url)
    if found is None:
        return None
    replaced = _base64_text(found["replaced"])
    if replaced is None:
        return None
    used = 0

    def character(place: re.Match[str]) -> str:
        nonlocal used
        run = place["run"]
        length = _V3_RUNS.find(run) + _V3_SHORTEST_RUN if run else 1
        used += length
        return replaced[used - length : used]

    address = _ONE_SLASH.sub(r"\1/", _V3_PLACE.sub(character, found["url"]))
    return _QUOTED_SCHEME.sub(r"\1://", address) if used == len(replaced) else None

"""Finds links, meeting IDs and passcodes in text that people paste: mails, chats, HTML, Markdown.

Knows Zoom's domains and host names (Zoom, Network settings; Zoom X in Germany, Zoom in China, Zoom for Government).
"""

from __future__ import annotations

import html
import re
import string
from typing import Final
from urllib.parse import unquote

COMMON_DOMAIN: Final = "zoom.us"
DOMAINS: Final = (COMMON_DOMAIN, "zoom.com", "zoomgov.com", "zoom-x.de", "zoom.com.cn")
_SUBDOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.){0,4}")
_SHARED: Final = re.compile(r"(?:www\.|app\.|[a-z]{2}[0-9]{2}web\.)?")
_INVISIBLE: Final = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_FULL_WIDTH: Final = {ord(one) + 0xFEE0: one for one in string.ascii_letters + string.digits}
_CALENDAR: Final = re.compile(r"^(?:BEGIN|LOCATION|DESCRIPTION|URL|X-[A-Z-]+)[;:]\S", re.MULTILINE)
_FOLD: Final = re.compile(r"\r?\n[ \t]")
_CALENDAR_ESCAPE: Final = re.compile(r"\\([nN,;\\])")
_CALENDAR_MEANING: Final = {"n": "\n", "N": "\n"}
"""iCalendar (RFC 5545) folds long lines and escapes line ends, commas and semicolons."""
_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_QUOTED_LINK: Final = re.compile(
    r"(?<![^\s(<\[\"'])(?:https?|zoommtg|zoomus)%(?:25){0,4}3a%(?:25){0,4}2f%(?:25){0,4}2f[^\s<>\"']*", re.IGNORECASE
)
"""Encoded up to five times: each time costs a pass over the text, and a tenant writes it."""
_END: Final = r"\s<>\"'`|^{}\[\]()\u00ab\u00bb\u2000-\u206f\u3000-\u303f\uff01-\uff0f\uff1a-\uff20"
"""Blanks, brackets and quotes, also typographic and full-width ones: none of them is part of a link."""
_REST: Final = rf"[^?{_END}]*(?:\?(?:(?![{_END}])[!-~])*)?"
_SPACED_PATH: Final = r"/(?:[jsw]|wc/join)/[0-9]{1,8}(?:[ \u00a0-][0-9]{1,8})+(?![0-9])"
_DOMAINS: Final = "|".join(map(re.escape, DOMAINS))
_ADDRESS: Final = re.compile(
    rf"[a-z][a-z0-9+.-]{{0,15}}://(?:[^/{_END}]+{_SPACED_PATH})?{_REST}"
    rf"|(?<![\w@./-])(?:[a-z0-9-]+\.)*(?:{_DOMAINS})(?::[0-9]+)?(?:{_SPACED_PATH}|/){_REST}",
    re.IGNORECASE,
)
_PUNCTUATION: Final = ".,;:!?"
_SEPARATORS: Final = "\\s\u2010-\u2015-"
_ID: Final = rf"[0-9](?:[{_SEPARATORS}]?[0-9]){{8,10}}"
_ID_WORDS: Final = (
    r"(?<![a-z])ID(?![a-z])|meeting (?:number|no\.?|#)"
    r"|identyfikator|toplant\u0131 kimli\u011fi"
    r"|\u0438\u0434\u0435\u043d\u0442\u0438\u0444\u0438\u043a\u0430\u0442\u043e\u0440"
    r"|\u0627\u0644\u0627\u062c\u062a\u0645\u0627\u0639"
    r"|\u4f1a\u8bae\u53f7|\u6703\u8b70\u865f"
)
"""Words of invitations before the ID; beside "ID" those of Polish, Turkish, Russian, Arabic and Chinese."""
_LONE_ID: Final = re.compile(
    rf"(?:[^0-9\n]*?(?:{_ID_WORDS})[^0-9\n+.,;]{{0,40}}|sip:|(?:tel:)?\+[0-9 ()-]{{6,20}},{{1,4}}|[(#])?"
    rf"({_ID})(?![0-9])(?:[^0-9A-Za-z].*)?",
    re.IGNORECASE | re.DOTALL,
)
"""Also the ID of a SIP address and of a number for one tap on a phone: ``+1…,,81234567890#``."""
_PASSCODE_WORDS: Final = (
    r"\b(?:pass(?:code|word|wort)|pw|kenncode|kennwort|code d['\u2019]acc\u00e8s|code secret|mot de passe"
    r"|c\u00f3digo de acceso|contrase\u00f1a|senha(?: de acesso)?|codice d['\u2019]accesso"
    r"|toegangscode|kod dost\u0119pu|l\u00f6senord"
    r"|\u043a\u043e\u0434 \u0434\u043e\u0441\u0442\u0443\u043f\u0430|\u043f\u0430\u0440\u043e\u043b\u044c)\b"
    r"|\u5bc6[\u7801\u78bc]|\u30d1\u30b9(?:\u30b3\u30fc\u30c9|\u30ef\u30fc\u30c9)|\uc554\ud638"
)
"""Words of invitations in English, German, French, Spanish, Portuguese, Italian, Dutch, Polish, Swedish, Russian,
Chinese, Japanese and Korean."""
_MARKUP: Final = r"(?:[*_]+(?=[\s:\uff1a]))?(?:<[^<>]{0,99}>|[\s`\"'])*"
_PASSCODE: Final = re.compile(
    rf"(?:{_PASSCODE_WORDS}){_MARKUP}(?:[:=\uff1a]{_MARKUP}|(?:(?:is|ist|est|es)\s)?(?=[^{_END}]*[0-9]))"
    rf"(?![a-z]+://)([^{_END}]{{1,64}})",
    re.IGNORECASE,
)
"""Without a colon, only a value with a digit is a passcode: "the passcode follows" names none."""


def zoom_domain(host: str) -> str | None:
    """Return the domain of Zoom's that a host name (lower case) belongs to; None for any other host."""
    for domain in DOMAINS:
        if host.endswith(domain) and _SUBDOMAIN.fullmatch(host.removesuffix(domain)):
            return domain
    return None


def serve_same_users(first: str, second: str) -> bool:
    """Return whether two hosts may show the same user's personal link.

    Customers have hosts of their own (``acme.zoom.us``). Hosts such as ``zoom.us``, ``www``, ``app`` and ``us02web``
    are Zoom's own and serve the users of all customers of that domain.
    """
    first_domain, second_domain = _service(first), _service(second)
    if first_domain is None or first_domain != second_domain:
        return False
    return first == second or _is_shared(first) or _is_shared(second)


def _service(host: str) -> str | None:
    domain = zoom_domain(host)
    return COMMON_DOMAIN if domain == "zoom.com" else domain


def _is_shared(host: str) -> bool:
    domain = zoom_domain(host)
    return domain is not None and _SHARED.fullmatch(host.removesuffix(domain)) is not None


def clean(text: str) -> str:
    """Return plain text: the escapes of HTML, JSON, iCalendar and of a link that is encoded as a whole are removed.

    Invisible characters are removed, and full-width letters and digits become ASCII.
    """
    text = text.translate(_INVISIBLE | _FULL_WIDTH)
    if _CALENDAR.search(text):
        text = _CALENDAR_ESCAPE.sub(lambda found: _CALENDAR_MEANING.get(found[1], found[1]), _FOLD.sub("", text))
    text = text.replace(r"\u0026", "&").replace(r"\/", "/")  # JSON
    for _ in range(3):  # text may be escaped several times
        text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    return _QUOTED_LINK.sub(lambda link: _decoded(link[0]), text).strip()


def _decoded(link: str) -> str:
    while "://" not in link:
        link = unquote(link)
    return link


def addresses(text: str) -> list[str]:
    """Return the links of cleaned text, without the punctuation, brackets and words around them."""
    return list(dict.fromkeys(_trimmed(found) for found in _ADDRESS.finditer(text)))


def _trimmed(found: re.Match[str]) -> str:
    """Return the link without trailing punctuation; ``*`` and ``_`` belong to it unless they precede it."""
    before = found.string[: found.start()][-1:]
    return found[0].rstrip(_PUNCTUATION + before if before in ("*", "_") else _PUNCTUATION)


def lone_id(text: str) -> str | None:
    """Return the meeting ID of cleaned text without a link, as written: "812 3456 7890, passcode …"."""
    found = _LONE_ID.fullmatch(text)
    return found[1] if found else None


def written_passcode(text: str) -> str | None:
    """Return the passcode that cleaned text names in words: "Passcode: 123456"."""
    found = _PASSCODE.search(text)
    return (found[1].rstrip(_PUNCTUATION) or None) if found else None

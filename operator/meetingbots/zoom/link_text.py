"""Finds links, meeting IDs and passcodes in text that people paste: mails, chats, HTML, Markdown."""

from __future__ import annotations

import html
import re
from typing import Final
from urllib.parse import unquote

from meetingbots.zoom.hosts import DOMAINS

_INVISIBLE: Final = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
_ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_QUOTED_LINK: Final = re.compile(r"(?<![^\s(<\[\"'])(?:https?|zoommtg|zoomus)%3a%2f%2f[^\s<>\"']*", re.IGNORECASE)
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
_LONE_ID: Final = re.compile(
    rf"(?:[^0-9\n]*\bID\s*:?\s*)?({_ID})(?![0-9])(?:[^0-9A-Za-z].*)?", re.IGNORECASE | re.DOTALL
)
_PASSCODE_WORDS: Final = (
    r"\bpass(?:code|word|wort)|\bkenncode|\bcode d'acc\u00e8s|\bc\u00f3digo de acceso"
    r"|\u5bc6\u7801|\u30d1\u30b9\u30b3\u30fc\u30c9"
)
"""Words of Zoom's invitations: English, German, French, Spanish, Chinese, Japanese."""
_PASSCODE: Final = re.compile(rf"(?:{_PASSCODE_WORDS})\s*[:=\uff1a]?\s*([^{_END}]{{1,64}})", re.IGNORECASE)


def clean(text: str) -> str:
    """Remove invisible characters, HTML entities and a percent-encoding of the whole link."""
    text = text.translate(_INVISIBLE)
    for _ in range(3):  # text may be escaped several times
        text = _ENTITY.sub(lambda entity: html.unescape(entity[0]), text)
    return _QUOTED_LINK.sub(lambda link: unquote(link[0]), text).strip()


def addresses(text: str) -> list[str]:
    """Return the links of cleaned text, without the punctuation, brackets and words around them."""
    return list(dict.fromkeys(_trimmed(found) for found in _ADDRESS.finditer(text)))


def _trimmed(found: re.Match[str]) -> str:
    """Return the link without trailing punctuation; asterisks are part of a passcode unless they precede the link."""
    is_bold = found.string[: found.start()].endswith("*")
    return found[0].rstrip(f"{_PUNCTUATION}*" if is_bold else _PUNCTUATION)


def lone_id(text: str) -> str | None:
    """Return the meeting ID of cleaned text without a link, as written: "812 3456 7890, passcode …"."""
    found = _LONE_ID.fullmatch(text)
    return found[1] if found else None


def written_passcode(text: str) -> str | None:
    """Return the passcode that cleaned text names in words: "Passcode: 123456"."""
    found = _PASSCODE.search(text)
    return (found[1].rstrip(_PUNCTUATION) or None) if found else None

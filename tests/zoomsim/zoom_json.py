"""JSON as Zoom writes it: compact, in UTF-8."""

import json
from collections.abc import Mapping

from aiohttp import web


def compact(content: object) -> bytes:
    """Write JSON without blanks and with no escapes but those that JSON needs; a lone surrogate is escaped."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return "".join(f"\\u{ord(c):04x}" if 0xD800 <= ord(c) <= 0xDFFF else c for c in text).encode()


def answer(content: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Make an answer of OAuth or REST."""
    body = compact(content)
    return web.Response(body=body, status=status, headers=headers, content_type="application/json", charset="utf-8")

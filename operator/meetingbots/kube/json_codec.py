"""JSON of the API server, of any depth.

The API server stores objects with thousands of nested levels in free-form fields. Parsers and Python code that recurse
fail on them: `json.loads` of Python 3.11 below 1,000 levels, orjson at 1,024. One such object must not end a list or a
watch, so values below `MAX_DEPTH` levels are replaced by a text before anything parses them.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

MAX_DEPTH: Final = 100
"""Kept levels, counted from the top of a response. Kubernetes' own types have less than 20."""
PLACEHOLDER: Final = "(nested too deeply)"

_ORJSON_DEPTH: Final = 254
"""`orjson.dumps` fails on more levels (orjson, "serialize")."""
_TOKENS: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[{\[]+|[}\]]+', re.DOTALL)


def decode(raw: bytes) -> Any:
    """Parse JSON with `PLACEHOLDER` in place of each value below `MAX_DEPTH` levels.

    Raises `orjson.JSONDecodeError`, which is a ValueError.
    """
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError:  # malformed, or deeper than orjson parses
        return orjson.loads(_cut(raw))
    return orjson.loads(_cut(raw)) if _is_deep(value) else value


def limit_depth(raw: bytes) -> bytes:
    """The JSON of `decode(raw)`; the same bytes unless they are too deep."""
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return raw
    try:
        return _cut(raw) if _is_deep(orjson.loads(raw)) else raw
    except orjson.JSONDecodeError:
        return _cut(raw)


def _is_deep(value: Any) -> bool:
    """Whether a value has more than `MAX_DEPTH` levels, found without Python code that recurses or visits each node."""
    for _ in range(_ORJSON_DEPTH - MAX_DEPTH):
        value = [value]
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return True
    return False


def _cut(raw: bytes) -> bytes:
    kept: list[bytes] = []
    depth = start = 0
    for token in _TOKENS.finditer(raw):
        text = token.group()
        if text[0] in b"{[":
            if depth <= MAX_DEPTH < depth + len(text):
                kept += (raw[start : token.start() + MAX_DEPTH - depth], orjson.dumps(PLACEHOLDER))
            depth += len(text)
        elif text[0] in b"}]":
            if depth - len(text) <= MAX_DEPTH < depth:
                start = token.start() + depth - MAX_DEPTH
            depth -= len(text)
    if depth <= MAX_DEPTH:
        kept.append(raw[start:])
    return b"".join(kept)

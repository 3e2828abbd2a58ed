"""JSON of the API server, of any depth.

The API server stores objects with thousands of nested levels in free-form fields. Parsers and Python code that recurse
fail on them: `json.loads` of Python 3.11 below 1,000 levels, orjson at 1,024. One such object must not end a list or a
watch, so values below `MAX_DEPTH` levels are replaced by a text before anything parses them.

kopf parses with `json.loads`, and ends the process on a watch error other than 410 and on a line that is not JSON;
`BoundedResponse` hides both from it.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import orjson

MAX_DEPTH: Final = 100
"""Kept levels, counted from the top of a response. Kubernetes' own types have less than 20."""
PLACEHOLDER: Final = "(nested too deeply)"

_ROUNDS: Final = MAX_DEPTH // 4
"""Enough for 25 levels in any order of brackets, and few enough for megabytes of brackets."""
_NEITHER_BRACKET_NOR_QUOTE: Final = bytes(set(range(256)) - set(b'{}[]"'))
_TOKENS: Final = re.compile(rb'"(?:[^"\\]+|\\.)*+(?:"|\\?\Z)|[{\[]+|[}\]]+', re.DOTALL)
"""Strings and runs of brackets. A string without an end is one token too, so that the time stays linear."""
_ERROR: Final = b'{"type":"ERROR"'
_EXPIRED: Final = b'"code":410'
_PAUSE_SECONDS: Final = 1.0
"""Before kopf tries again, which it does at once."""
_log = logging.getLogger(__name__)


def decode(raw: bytes) -> Any:
    """Parse JSON with `PLACEHOLDER` in place of each value below `MAX_DEPTH` levels.

    Raises `orjson.JSONDecodeError`, which is a ValueError.
    """
    return orjson.loads(limit_depth(raw))


def limit_depth(raw: bytes) -> bytes:
    """The JSON of `decode(raw)`; the same bytes unless they are too deep."""
    return raw if _is_shallow(raw) else _cut(raw)


def _is_shallow(raw: bytes) -> bool:
    """Whether JSON surely has at most `MAX_DEPTH` levels, found without parsing it.

    Only brackets and the quotes around strings are kept, and then empty pairs of them are removed, round after round. A
    round removes at most two levels: one of maps, one of lists. A bracket within a string never pairs with one outside:
    an odd number of quotes lies between them, and quotes are removed by two. Brackets of strings that are no pair
    remain, and the answer is False.
    """
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return True
    if b"\\" in raw:
        raw = raw.replace(rb"\\", b"").replace(rb"\"", b"")
    left = raw.translate(None, _NEITHER_BRACKET_NOR_QUOTE)
    for _ in range(_ROUNDS):
        before, left = len(left), left.replace(b'""', b"").replace(b"{}", b"").replace(b"[]", b"")
        if len(left) == before:
            break
    return not left


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


class BoundedResponse(aiohttp.ClientResponse):
    """A response in which `json` and the lines of a watch are cut by `limit_depth`."""

    content: Any  # aiohttp assigns a StreamReader

    async def start(self, connection: Any) -> BoundedResponse:
        """Read the headers; the body comes through `BoundedLines`."""
        await super().start(connection)
        self.content = BoundedLines(self.content)
        return self

    async def json(self, **options: Any) -> Any:
        """Parse the body. Raises ClientPayloadError, which kopf retries, for a success that is not JSON."""
        try:
            return await super().json(**{**options, "loads": lambda text: decode(text.encode())})
        except (ValueError, aiohttp.ContentTypeError) as error:
            if not self.ok:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
            raise aiohttp.ClientPayloadError("the response is not JSON") from error


class BoundedLines:
    """A StreamReader in which `iter_chunked` yields the whole lines of a watch, of bounded depth."""

    def __init__(self, stream: aiohttp.StreamReader) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Complete lines with their ends. The connection has cut off an unfinished last line, so it is dropped.

        An error other than 410, or a line that is not JSON, ends the stream; the next watch goes on after the last
        event.
        """
        async for line in lines(self._stream, chunk_size=size):
            broken = not (line.startswith(b"{") and line.endswith(b"}"))
            if broken or (line.startswith(_ERROR) and _EXPIRED not in line):
                _log.warning(
                    "the watch ends: %s", "not an API server" if broken else line[:500].decode(errors="replace")
                )
                await asyncio.sleep(_PAUSE_SECONDS)
                return
            yield limit_depth(_utf8(line)) + b"\n"


async def lines(stream: aiohttp.StreamReader, *, chunk_size: int = 1 << 20) -> AsyncIterator[bytes]:
    """The complete lines of a stream, of any length (aiohttp's own limit is below the size of an object)."""
    rest: list[bytes] = []
    async for chunk in stream.iter_chunked(chunk_size):
        *complete, last = chunk.split(b"\n")
        for line in complete:
            whole = b"".join((*rest, line))
            rest.clear()
            if whole:
                yield whole
        rest.append(last)


def _utf8(line: bytes) -> bytes:
    try:
        line.decode()
    except UnicodeDecodeError:
        return line.decode(errors="replace").encode()
    return line

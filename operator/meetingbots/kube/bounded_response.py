"""Responses that kopf survives: bounded JSON, and no line that ends the operator.

kopf parses with `json.loads`, which recurses, and ends the process on a watch error other than 410 and on a line that
is not JSON.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp

from meetingbots.kube.json_codec import decode, limit_depth

_ERROR: Final = b'{"type":"ERROR"'
_EXPIRED: Final = b'"code":410'
_PAUSE_SECONDS: Final = 1.0
"""Before kopf tries again, which it does at once."""

_log = logging.getLogger(__name__)


class BoundedResponse(aiohttp.ClientResponse):
    """A response in which `json` and the lines of a watch are cut by `json_codec.limit_depth`."""

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

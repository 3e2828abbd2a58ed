"""Responses whose JSON has bounded depth, for kopf, which parses them with `json.loads`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from meetingbots.kube.json_codec import decode, limit_depth


class BoundedResponse(aiohttp.ClientResponse):
    """A response in which `json` and the lines of a watch are cut by `json_codec.limit_depth`."""

    content: Any  # aiohttp assigns a StreamReader

    async def start(self, connection: Any) -> BoundedResponse:
        """Read the headers; the body comes through `BoundedLines`."""
        await super().start(connection)
        self.content = BoundedLines(self.content)
        return self

    async def json(self, **options: Any) -> Any:
        """Parse the body. Raises as aiohttp does; `orjson.JSONDecodeError` is a `json.JSONDecodeError`."""
        return await super().json(**{**options, "loads": lambda text: decode(text.encode())})


class BoundedLines:
    """A StreamReader in which `iter_chunked` yields whole lines of bounded depth."""

    def __init__(self, stream: aiohttp.StreamReader) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Complete lines with their ends. The connection has cut off an unfinished last line, so it is dropped."""
        async for line in lines(self._stream, chunk_size=size):
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

"""An API server on the loopback that answers as a test says, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson
from aiohttp import web
from aiohttp.test_utils import TestServer


@dataclass(frozen=True)
class Reply:
    """One answer: a JSON object, or bytes as they are."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Stream:
    """A chunked answer in these pieces; at its end it is closed, cut off, or stays open."""

    pieces: Sequence[bytes] = ()
    end: str = "close"  # close | abort | hang


@dataclass(frozen=True)
class Reset:
    """The connection is cut off instead of an answer."""


Answer: TypeAlias = Reply | Stream | Reset


@dataclass(frozen=True)
class Asked:
    """A request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any
    """The JSON body; None where there was none."""


class ScriptedServer:
    """Gives its answers in turn, the last one for ever."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._answers: list[Answer] = [Reply({})]
        self.last = asyncio.Event()
        """Set once the last answer is being given."""
        self._released = asyncio.Event()
        self._server: TestServer | None = None

    def says(self, *answers: Answer) -> None:
        """Give these answers from now on."""
        self._answers = list(answers)

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        return str(self._server.make_url("")).rstrip("/")

    async def handle(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        body = orjson.loads(raw) if raw else None
        self.asked.append(Asked(request.method, request.path, dict(request.query), request.headers.copy(), body))
        answer = self._answers[0]
        if len(self._answers) > 1:
            self._answers.pop(0)
        else:
            self.last.set()
        match answer:
            case Reset():
                return _cut(request)
            case Reply(body=bytes() as raw):
                return web.Response(status=answer.status, body=raw, headers=answer.headers)
            case Reply():
                return web.Response(status=answer.status, body=orjson.dumps(answer.body), headers=answer.headers)
            case Stream():
                return await self._stream(request, answer)

    async def _stream(self, request: web.Request, stream: Stream) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in stream.pieces:
            await response.write(piece)
            await asyncio.sleep(0)
        if stream.end == "hang":
            await self._released.wait()
        if stream.end == "abort":
            return _cut(request, response)
        return response

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ScriptedServer]:
        """Serve on a free port of 127.0.0.1 while the context lasts."""
        application = web.Application(client_max_size=4 * 1024 * 1024)
        application.router.add_route("*", "/{path:.*}", self.handle)
        self._server = TestServer(application, host="127.0.0.1")
        await self._server.start_server()
        try:
            yield self
        finally:
            self._released.set()
            await self._server.close()


def _cut(request: web.Request, response: web.StreamResponse | None = None) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return response or web.Response()


def lines(*changes: Any) -> bytes:
    """Watch events as the API server writes them."""
    return b"".join(orjson.dumps(change) + b"\n" for change in changes)


def refusal(status: int, reason: str = "", message: str = "") -> Reply:
    """An answer with a Status object."""
    return Reply(
        {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": status}, status=status
    )

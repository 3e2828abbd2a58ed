"""A Zoom that answers as a test says, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import httpx
import pytest
from meetingbots.zoom.http.exchange import new_http_client

Reply = httpx.Response | Exception


@dataclass
class ScriptedZoom:
    """Gives its replies in turn, the last one for ever."""

    replies: list[Reply] = field(default_factory=list)
    asked: list[httpx.Request] = field(default_factory=list)

    def says(self, *replies: Reply) -> None:
        self.replies = list(replies)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return reply


@dataclass
class Observed:
    """Keeps what the metrics hook received."""

    calls: list[tuple[str, str]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __call__(self, *, call: str, code: str, seconds: float) -> None:
        self.calls.append((call, code))
        self.seconds.append(seconds)


@pytest.fixture
def zoom() -> ScriptedZoom:
    return ScriptedZoom()


@pytest.fixture
def observed() -> Observed:
    return Observed()


@pytest.fixture
async def http(zoom: Callable[[httpx.Request], httpx.Response]) -> AsyncIterator[httpx.AsyncClient]:
    async with new_http_client(timeout=5, user_agent="tests", transport=httpx.MockTransport(zoom)) as client:
        yield client

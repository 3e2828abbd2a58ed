from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import aiohttp
import pytest
from meetingbots.kube import bounded_response
from meetingbots.kube.bounded_response import BoundedResponse
from meetingbots.kube.json_codec import MAX_DEPTH

from tests.unit.kube.scripted_server import Answer, Reply, ScriptedServer, Stream

DEEP = b'{"object":' + b"[" * 5_000 + b"]" * 5_000 + b"}"


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(response_class=BoundedResponse) as opened:
        yield opened


@asynccontextmanager
async def response_to(session: aiohttp.ClientSession, answer: Answer) -> AsyncIterator[aiohttp.ClientResponse]:
    server = ScriptedServer()
    server.says(answer)
    async with server.running(), session.get(server.url) as response:
        yield response


async def lines_of(session: aiohttp.ClientSession, *pieces: bytes, size: int = 1 << 20) -> list[bytes]:
    async with response_to(session, Stream(pieces=pieces)) as response:
        return [chunk async for chunk in response.content.iter_chunked(size)]


@pytest.mark.parametrize(
    "pieces",
    [[b'{"a":1}\n{"b":2}\n'], [b'{"a"', b":1}", b'\n{"b":2', b"}\n"], [b'\n\n{"a":1}\n\n', b'{"b":2}\n{"cut o']],
)
@pytest.mark.parametrize("size", [3, 1 << 20])
async def test_a_watch_comes_in_whole_lines(session: aiohttp.ClientSession, pieces: Sequence[bytes], size: int) -> None:
    assert await lines_of(session, *pieces, size=size) == [b'{"a":1}\n', b'{"b":2}\n']


async def test_a_deep_line_is_cut_and_the_next_one_is_kept(session: aiohttp.ClientSession) -> None:
    [cut, kept] = await lines_of(session, DEEP + b"\n", b'{"a":1}\n')
    assert cut.count(b"[") == MAX_DEPTH - 1
    assert kept == b'{"a":1}\n'


async def test_bytes_that_are_not_utf8_are_replaced(session: aiohttp.ClientSession) -> None:
    [line] = await lines_of(session, b'{"a":"\xff"}\n')
    assert line.decode() == '{"a":"�"}\n'


async def test_a_deep_list_is_cut(session: aiohttp.ClientSession) -> None:
    async with response_to(session, Reply(DEEP)) as response:
        found = await response.json(content_type=None)
    levels = 0
    while isinstance(found, dict | list) and found:
        found = next(iter(found.values() if isinstance(found, dict) else found))
        levels += 1
    assert levels == MAX_DEPTH


async def test_other_ways_to_read_give_the_bytes_as_they_are(session: aiohttp.ClientSession) -> None:
    async with response_to(session, Reply(DEEP)) as response:
        assert await response.read() == DEEP


EVENT = b'{"type":"ADDED","object":{}}\n'
INTERNAL_ERROR = b'{"type":"ERROR","object":{"kind":"Status","code":500,"message":"cannot decode an object"}}\n'


@pytest.mark.parametrize("end", [INTERNAL_ERROR, b"<html>a proxy</html>\n", b"upstream connect error\n"])
async def test_an_error_ends_the_watch_and_not_the_process(
    session: aiohttp.ClientSession, end: bytes, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_response, "_PAUSE_SECONDS", 0.0)
    assert await lines_of(session, EVENT, end, EVENT) == [EVENT]
    assert "the watch ends" in caplog.text


async def test_an_expired_version_reaches_kopf(session: aiohttp.ClientSession) -> None:
    expired = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n'
    assert await lines_of(session, EVENT, expired) == [EVENT, expired]


async def test_a_list_that_is_not_json_is_retried(
    session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_response, "_PAUSE_SECONDS", 0.0)
    async with response_to(session, Reply(b"<html>", headers={"Content-Type": "text/html"})) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.json()


async def test_an_error_page_is_left_to_kopf(session: aiohttp.ClientSession) -> None:
    async with response_to(session, Reply(b"<html>", status=502, headers={"Content-Type": "text/html"})) as response:
        with pytest.raises(aiohttp.ContentTypeError):
            await response.json()

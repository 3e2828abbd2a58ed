"""The exchange over real sockets of the loopback: what broke, and whether Zoom may have done it."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp
import httpx
import pytest
from meetingbots.zoom.errors import Cause, TransientError, ZoomError
from meetingbots.zoom.http import calls
from meetingbots.zoom.http.calls import Category, Priority, RateReport
from meetingbots.zoom.http.exchange import MAX_ANSWER_BYTES, Exchange, new_http_client

from tests.unit.zoom.conftest import Observed, ScriptedZoom

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Peer:
    """A server on the loopback that does with each connection what a test says."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self.url = ""
        self.released = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def serve(self, talk: Talk) -> None:
        async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while head := await self._head(reader):
                    self.heads.append(head)
                    await talk(reader, writer)
                    await writer.drain()
            except ConnectionError:
                pass
            finally:
                writer.close()

        self._server = await asyncio.start_server(meet, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"

    @staticmethod
    async def _head(reader: asyncio.StreamReader) -> bytes:
        try:
            return await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""

    async def stop(self) -> None:
        self.released.set()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    peer = Peer()
    yield peer
    await peer.stop()


@pytest.fixture
async def real_http() -> AsyncIterator[httpx.AsyncClient]:
    async with new_http_client(timeout=5, user_agent="tests") as client:
        yield client


def reply(body: bytes, *headers: str, length: int | None = None) -> bytes:
    head = ["HTTP/1.1 200 OK", f"content-length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


async def failure(
    http: httpx.AsyncClient, url: str, *, deadline: float = 5, observed: Observed | None = None
) -> ZoomError:
    request = http.build_request("POST", url, data={"refresh_token": "r-secret"})
    with pytest.raises(ZoomError) as caught:
        await Exchange(http, deadline=deadline, on_call=observed).ask(request, call=calls.REFRESH)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert caught.value.kind is Cause.UNAVAILABLE
    assert isinstance(caught.value, TransientError)
    return caught.value


async def test_nobody_listens(real_http: httpx.AsyncClient, observed: Observed) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = await failure(real_http, f"http://127.0.0.1:{unused.getsockname()[1]}/", observed=observed)
    assert not error.maybe_done
    assert observed.calls == [("oauth_refresh", "unreachable")]


async def test_a_host_without_an_address(real_http: httpx.AsyncClient) -> None:
    assert not (await failure(real_http, "http://nowhere.invalid/")).maybe_done


async def test_closed_after_it_took_the_request(real_http: httpx.AsyncClient, peer: Peer, observed: Observed) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    await peer.serve(hang_up)
    error = await failure(real_http, peer.url, observed=observed)
    assert error.maybe_done
    assert observed.calls == [("oauth_refresh", "broken")]
    assert len(peer.heads) == 1


async def test_closed_in_the_middle_of_the_answer(real_http: httpx.AsyncClient, peer: Peer) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(b'{"access_token": "a', length=500))
        await writer.drain()
        writer.close()

    await peer.serve(half)
    assert (await failure(real_http, peer.url)).maybe_done


async def test_not_http(real_http: httpx.AsyncClient, peer: Peer) -> None:
    async def noise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x00\x01 nonsense\r\n\r\n")
        writer.close()

    await peer.serve(noise)
    assert (await failure(real_http, peer.url)).maybe_done


async def test_no_answer_in_time(real_http: httpx.AsyncClient, peer: Peer, observed: Observed) -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.released.wait()

    await peer.serve(silence)
    error = await failure(real_http, peer.url, deadline=0.05, observed=observed)
    assert error.maybe_done
    assert observed.calls == [("oauth_refresh", "timeout")]


async def test_the_sockets_own_time_out(peer: Peer) -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await peer.released.wait()

    await peer.serve(silence)
    async with new_http_client(timeout=0.05, user_agent="tests") as http:
        # On a busy machine the connection itself may time out; then nothing was sent.
        while not (await failure(http, peer.url)).maybe_done:
            pass


async def test_an_endless_answer_is_cut_off(real_http: httpx.AsyncClient, peer: Peer) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(b"", length=MAX_ANSWER_BYTES * 4))
        while not peer.released.is_set():
            writer.write(b" " * 65_536)
            await writer.drain()

    await peer.serve(flood)
    error = await failure(real_http, peer.url)
    assert "too large" in str(error)


async def test_a_compressed_bomb_is_cut_off(real_http: httpx.AsyncClient, peer: Peer) -> None:
    async def bomb(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(gzip.compress(b" " * (MAX_ANSWER_BYTES + 1)), "content-encoding: gzip"))

    await peer.serve(bomb)
    assert "too large" in str(await failure(real_http, peer.url))


async def test_broken_compression(real_http: httpx.AsyncClient, peer: Peer) -> None:
    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(b"not gzip at all", "content-encoding: gzip"))

    await peer.serve(broken)
    assert (await failure(real_http, peer.url)).maybe_done


async def test_a_good_answer_and_no_cookies_kept(real_http: httpx.AsyncClient, peer: Peer, observed: Observed) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(reply(gzip.compress(b'{"ok": 1}'), "content-encoding: gzip", "set-cookie: who=alice; path=/"))

    await peer.serve(answer)
    exchange = Exchange(real_http, deadline=5, on_call=observed)
    for _ in range(2):
        fields, _ = await exchange.ask(real_http.build_request("GET", peer.url), call=calls.USER)
        assert fields == {"ok": 1}
    assert not list(real_http.cookies.jar)
    assert all(b"cookie" not in head.lower() for head in peer.heads)
    assert all(b"user-agent: tests" in head.lower() for head in peer.heads)
    assert observed.calls == [("user", "200")] * 2
    assert all(seconds > 0 for seconds in observed.seconds)


async def test_redirects_are_not_followed(real_http: httpx.AsyncClient, peer: Peer) -> None:
    async def away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 302 Found\r\nlocation: {peer.url}else\r\ncontent-length: 0\r\n\r\n".encode())

    await peer.serve(away)
    error = await failure(real_http, peer.url)
    assert error.http_status == 302
    assert len(peer.heads) == 1


@pytest.mark.parametrize(
    ("broken", "maybe_done"),
    [
        (httpx.ConnectError("x"), False),
        (httpx.ConnectTimeout("x"), False),
        (httpx.PoolTimeout("x"), False),
        (httpx.ReadTimeout("x"), True),
        (httpx.WriteError("x"), True),
        (httpx.RemoteProtocolError("x"), True),
        (aiohttp.ClientPayloadError("x"), True),
        (aiohttp.ServerDisconnectedError("x"), True),
        (ConnectionResetError("x"), True),
    ],
)
async def test_what_may_have_been_done(
    http: httpx.AsyncClient, zoom: ScriptedZoom, broken: Exception, maybe_done: bool
) -> None:
    zoom.says(broken)
    error = await failure(http, "https://zoom.us/oauth/token")
    assert error.maybe_done is maybe_done
    assert type(broken).__name__ in str(error)


async def test_cancellation_goes_through(http: httpx.AsyncClient, observed: Observed) -> None:
    async def never(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with new_http_client(timeout=5, user_agent="tests", transport=httpx.MockTransport(never)) as client:
        exchange = Exchange(client, deadline=60, on_call=observed)
        task = asyncio.create_task(exchange.ask(client.build_request("GET", "https://zoom.us"), call=calls.USER))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert observed.calls == [("user", "cancelled")]


@dataclass
class RecordingLimiter:
    acquired: list[tuple[str, Category, Priority]] = field(default_factory=list)
    reported: list[RateReport | None] = field(default_factory=list)

    async def acquire(self, *, account: str, category: Category, priority: Priority) -> RecordingPermit:
        self.acquired.append((account, category, priority))
        return RecordingPermit(self.reported)


@dataclass
class RecordingPermit:
    reported: list[RateReport | None]

    def end(self, rate: RateReport | None) -> None:
        self.reported.append(rate)


async def test_the_limiter_admits_each_call_and_gets_its_report(http: httpx.AsyncClient, zoom: ScriptedZoom) -> None:
    limiter = RecordingLimiter()
    exchange = Exchange(http, deadline=5, account="acme", limiter=limiter)
    headers = {"X-RateLimit-Category": "Heavy", "X-RateLimit-Limit": "30", "X-RateLimit-Remaining": "29"}
    zoom.says(httpx.Response(200, json={}, headers=headers), httpx.Response(429, headers={"Retry-After": "1"}))
    await exchange.ask(http.build_request("GET", "https://api.zoom.us/v2"), call=calls.RECORDING_TOKEN)
    with pytest.raises(TransientError):
        await exchange.ask(http.build_request("GET", "https://api.zoom.us/v2"), call=calls.MEETINGS)
    refresh = http.build_request("POST", "https://zoom.us/oauth/token")
    zoom.says(httpx.Response(200, content=json.dumps({})))
    await exchange.ask(refresh, call=calls.REFRESH)
    assert limiter.acquired == [
        ("acme", Category.LIGHT, Priority.BOT),
        ("acme", Category.MEDIUM, Priority.SYNC),
    ]
    assert limiter.reported == [
        RateReport(category=Category.HEAVY, limit=30, remaining=29),
        RateReport(category=Category.MEDIUM, limited=True, retry_after=1.0),
    ]


async def test_a_permit_ends_without_an_answer(http: httpx.AsyncClient, zoom: ScriptedZoom) -> None:
    limiter = RecordingLimiter()
    exchange = Exchange(http, deadline=5, account="acme", limiter=limiter)
    zoom.says(httpx.ConnectError("no route"))
    with pytest.raises(TransientError):
        await exchange.ask(http.build_request("GET", "https://api.zoom.us/v2"), call=calls.USER)
    assert limiter.reported == [None]


async def test_a_report_about_the_daily_limit_is_recognised(http: httpx.AsyncClient, zoom: ScriptedZoom) -> None:
    limiter = RecordingLimiter()
    exchange = Exchange(http, deadline=5, account="acme", limiter=limiter)
    headers = {"X-RateLimit-Type": "Daily-limit", "X-RateLimit-Limit": "6000", "X-RateLimit-Remaining": "5999"}
    zoom.says(httpx.Response(200, json={}, headers=headers))
    await exchange.ask(http.build_request("GET", "https://api.zoom.us/v2"), call=calls.USER)
    assert limiter.reported == [RateReport(category=Category.LIGHT, daily=True, limit=6000, remaining=5999)]

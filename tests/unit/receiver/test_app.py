from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web
from meetingbots.receiver.app import application, serve

HOST = "127.0.0.1"


@dataclass
class Webhook:
    """A handler that can be held up."""

    came: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        self.came.set()
        await self.go.wait()
        return web.Response(status=204)


@pytest.fixture
def webhook() -> Webhook:
    return Webhook()


@pytest.fixture
def ready() -> list[bool]:
    return [True]


@pytest.fixture
def app(webhook: Webhook, ready: list[bool]) -> web.Application:
    return application(webhook=webhook.answer, healthy=lambda: True, ready=lambda: ready[0])


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_probes(app: web.Application, ready: list[bool], session: aiohttp.ClientSession) -> None:
    async with serve(app, host=HOST, port=0) as port:
        base = f"http://{HOST}:{port}"
        assert (await session.get(f"{base}/healthz")).status == 200
        assert (await session.get(f"{base}/readyz")).status == 200
        ready[0] = False
        assert (await session.get(f"{base}/healthz")).status == 200
        assert (await session.get(f"{base}/readyz")).status == 503
        assert (await session.get(f"{base}/webhooks/x")).status == 405
        assert (await session.get(f"{base}/metrics")).status == 404


async def test_requests_under_way_are_finished_at_the_end(
    app: web.Application, webhook: Webhook, session: aiohttp.ClientSession
) -> None:
    end = asyncio.Event()
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def life() -> None:
        async with serve(app, host=HOST, port=0) as port:
            started.set_result(port)
            await end.wait()

    server = asyncio.create_task(life())
    url = f"http://{HOST}:{await started}/webhooks/x"
    asked = asyncio.create_task(session.post(url, data=b"{}"))
    await webhook.came.wait()
    end.set()
    await asyncio.sleep(0)
    assert not server.done()
    webhook.go.set()
    assert (await asked).status == 204
    await server


async def test_the_log_has_no_query_no_header_and_no_broken_request(
    app: web.Application, webhook: Webhook, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    webhook.go.set()
    async with serve(app, host=HOST, port=0) as port:
        headers = {"x-zm-request-id": "request-1", "authorization": "confidential"}
        await session.post(f"http://{HOST}:{port}/webhooks/x?t=confidential", data=b"confidential", headers=headers)
        answer = await _raw(port, b"GET /?confidential HTTP/9.confidential\r\n\r\n")
        assert answer.split(b" ")[1] == b"400"
    assert "POST /webhooks/x 204" in caplog.text
    assert "request-1" in caplog.text
    assert "confidential" not in caplog.text


async def test_a_request_id_that_is_none_is_not_logged(
    app: web.Application, webhook: Webhook, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    webhook.go.set()
    async with serve(app, host=HOST, port=0) as port:
        await session.post(f"http://{HOST}:{port}/webhooks/x", headers={"x-zm-request-id": "a forged line"})
    assert "forged" not in caplog.text


@pytest.mark.parametrize(
    "request_head",
    [
        pytest.param(b"POST /webhooks/x HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 9000 + b"\r\n\r\n", id="a long header"),
        pytest.param(
            b"POST /webhooks/x HTTP/1.1\r\n" + b"".join(b"A%d: b\r\n" % n for n in range(200)) + b"\r\n",
            id="many headers",
        ),
        pytest.param(b"POST /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", id="a long path"),
        pytest.param(
            b"POST /webhooks/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
            id="two lengths",
        ),
        pytest.param(
            b"POST /webhooks/x HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
            id="length and chunks",
        ),
    ],
)
async def test_requests_beyond_the_limits(app: web.Application, webhook: Webhook, request_head: bytes) -> None:
    webhook.go.set()
    async with serve(app, host=HOST, port=0) as port:
        assert (await _raw(port, request_head)).split(b" ")[1] == b"400"
    assert not webhook.came.is_set()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_it_listens_on_all_address_families(
    app: web.Application, session: aiohttp.ClientSession, host: str
) -> None:
    async with serve(app, host="", port=0) as port:
        assert (await session.get(f"http://{host}:{port}/healthz")).status == 200


async def test_it_listens_on_an_ipv6_address(app: web.Application, session: aiohttp.ClientSession) -> None:
    async with serve(app, host="::1", port=0) as port:
        assert (await session.get(f"http://[::1]:{port}/healthz")).status == 200


async def test_where_ipv6_is_missing_it_listens_on_ipv4(
    app: web.Application, session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    async with serve(app, host="", port=0) as port:
        assert (await session.get(f"http://127.0.0.1:{port}/healthz")).status == 200


async def test_successful_probes_are_not_logged_at_info(
    app: web.Application, ready: list[bool], session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with serve(app, host=HOST, port=0) as port:
        await session.get(f"http://{HOST}:{port}/healthz")
        await session.get(f"http://{HOST}:{port}/readyz")
        assert "GET" not in caplog.text
        ready[0] = False
        await session.get(f"http://{HOST}:{port}/readyz")
        assert "GET /readyz 503" in caplog.text


async def test_answers_name_no_server_version(app: web.Application, session: aiohttp.ClientSession) -> None:
    async with serve(app, host=HOST, port=0) as port:
        answer = await session.get(f"http://{HOST}:{port}/healthz")
        assert "aiohttp" not in str(answer.headers)


async def _raw(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(HOST, port)
    writer.write(data)
    await writer.drain()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer

"""No socket outlives its event loop."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator

import aiohttp
import pytest
import trustme

from tests.zoomsim.event_loop import run

_SMALL = 4096
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"


@contextlib.contextmanager
def server(tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A server on this port that begins one answer and does nothing afterwards."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(10)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL)

        def serve() -> None:
            taken, _ = listening.accept()
            with tls.wrap_socket(taken, server_side=True) if tls else taken as connection:
                connection.recv(100)
                connection.sendall(_HEAD)
                done.wait(timeout=60)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            done.set()
            thread.join()


async def cancelled_request(url: str, *, tls: ssl.SSLContext | bool = True, body: bytes = b"") -> list[socket.socket]:
    """Cancel a request whose answer has begun; return the sockets."""
    opened: list[socket.socket] = []

    def open_socket(address: aiohttp.AddrInfoType) -> socket.socket:
        opened.append(socket.socket(address[0], address[1], address[2]))
        opened[-1].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SMALL)
        return opened[-1]

    connector = aiohttp.TCPConnector(ssl=tls, socket_factory=open_socket)
    async with aiohttp.ClientSession(connector=connector) as session:
        begun = asyncio.Event()

        async def request() -> None:
            try:
                async with session.post(url, data=body) as answer:
                    begun.set()
                    await answer.read()
            finally:
                begun.set()

        task = asyncio.create_task(request())
        await begun.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    return opened


def test_tls_connection_that_the_peer_does_not_close() -> None:
    authority = trustme.CA()
    of_server, of_client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(of_server)
    authority.configure_trust(of_client)
    with server(of_server) as port:
        [opened] = run(cancelled_request(f"https://127.0.0.1:{port}/", tls=of_client))
    assert opened.fileno() == -1


def test_connection_with_data_that_the_peer_does_not_read() -> None:
    with server() as port:
        [opened] = run(cancelled_request(f"http://127.0.0.1:{port}/", body=bytes(1_000_000)))
    assert opened.fileno() == -1


def test_result_and_error_of_the_work() -> None:
    async def fail() -> None:
        raise ValueError("work")

    assert run(asyncio.sleep(0, result=5)) == 5
    with pytest.raises(ValueError, match="work"):
        run(fail())

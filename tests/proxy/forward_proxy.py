"""A forward proxy: tunnels of HTTP's CONNECT, to the addresses that a test gives for host names, and to no others."""

import asyncio
import contextlib
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_HEAD_BYTES = 16 * 1024


@dataclass(kw_only=True)
class ForwardProxy:
    """A running proxy. `routes` maps `host:port` of a request to a port on this machine; `login` is `user:password`."""

    routes: Mapping[str, int]
    login: str = ""
    port: int = 0
    tunnels: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    _handlers: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Value of HTTPS_PROXY."""
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection: one CONNECT request, then bytes in both directions."""
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
            if self.login and not self._logged_in(head):
                await self._refuse(writer, f"{method} {target} without login", "407 Proxy Authentication Required")
                return
            if method != "CONNECT" or target not in self.routes:
                await self._refuse(writer, f"{method} {target}", "403 Forbidden")
                return
            self.tunnels.append(target)
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.routes[target])
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # a client that goes away or sends no request ends its own connection only
        except asyncio.CancelledError:
            writer.transport.abort()  # by `end`
        finally:
            self._handlers.discard(task)
            await _close(writer)

    async def end(self) -> None:
        """Close the connections that are open."""
        for task in self._handlers:
            task.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    def _logged_in(self, head: bytes) -> bool:
        lines = [line.partition(b":") for line in head.split(b"\r\n")]
        given = [value.strip() for name, _, value in lines if name.lower() == b"proxy-authorization"]
        return given == [b"Basic " + b64encode(self.login.encode())]

    async def _refuse(self, writer: asyncio.StreamWriter, what: str, status: str) -> None:
        self.refused.append(what)
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()


@asynccontextmanager
async def running_proxy(routes: Mapping[str, int], *, login: str = "") -> AsyncIterator[ForwardProxy]:
    """Run a proxy on a free port."""
    proxy = ForwardProxy(routes=routes, login=login)
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0, limit=_HEAD_BYTES)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with contextlib.suppress(OSError):
            while data := await reader.read(_HEAD_BYTES):
                writer.write(data)
                await writer.drain()
    except asyncio.CancelledError:
        writer.transport.abort()
        raise
    await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()

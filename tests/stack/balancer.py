"""A Service in small: one address before several replicas, each connection to the next one that takes it.

As with a real one, connections to a replica that dies break, and nothing is tried again here.
"""

import asyncio
import contextlib
import itertools
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

from tests.zoomsim.event_loop import ClosingLoop

_PIECE = 65536


@contextmanager
def balancing(ports: Sequence[int]) -> Iterator[int]:
    """Forward to these ports of the loopback interface, in a thread of its own; gives the port to connect to."""
    loop, stop, started = ClosingLoop(), asyncio.Event(), Future[int]()

    async def serve() -> None:
        balancer = _Balancer(ports)
        server = await asyncio.start_server(balancer.take, "127.0.0.1", 0)
        started.set_result(server.sockets[0].getsockname()[1])
        await stop.wait()
        server.close()
        await balancer.end()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="balancer", daemon=True)
    thread.start()
    try:
        yield started.result(timeout=10)
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=10)
        loop.close()


class _Balancer:
    def __init__(self, ports: Sequence[int]) -> None:
        self._turn = itertools.cycle(range(len(ports)))
        self._ports = ports
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = False

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._forward(reader, writer)
        finally:
            self._tasks.discard(task)
            _close(writer, at_once=self._ending)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await self._connect()
        if there is None:
            return
        behind, forth = there
        ways = [asyncio.create_task(_copy(reader, forth)), asyncio.create_task(_copy(behind, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            _close(forth, at_once=self._ending)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        first = next(self._turn)
        for place in range(len(self._ports)):
            with contextlib.suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", self._ports[(first + place) % len(self._ports)])
        return None

    async def end(self) -> None:
        """Close the connections that are open, also those with unsent bytes."""
        self._ending = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _close(writer: asyncio.StreamWriter, *, at_once: bool) -> None:
    if at_once:
        writer.transport.abort()
    else:
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()

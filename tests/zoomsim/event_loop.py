"""An event loop that closes its sockets before itself.

A cancelled TLS request leaves a socket that waits for the peer's close_notify, and a plain one flushes its buffer
first. asyncio closes the loop meanwhile. The garbage collector then finds the open socket in some later test, which
fails by its ResourceWarning.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class ClosingLoop(asyncio.SelectorEventLoop):
    """asyncio's loop; `close` aborts the connections that are still open."""

    def close(self) -> None:
        if not self.is_closed() and self._connections():
            self.run_until_complete(self._abort())
        super().close()

    async def _abort(self) -> None:
        for connection in self._connections():
            connection.abort()
        # An aborted connection closes its socket in a later iteration.
        while self._connections():  # noqa: ASYNC110 - nothing signals it
            await asyncio.sleep(0)

    def _connections(self) -> list[asyncio.WriteTransport]:
        every = list(self._transports.values())  # type: ignore[attr-defined]  # asyncio has no public list
        return [one for one in every if one.get_extra_info("socket").fileno() >= 0]


def run(work: Coroutine[Any, Any, T]) -> T:
    """Like `asyncio.run`, in such a loop."""
    with asyncio.Runner(loop_factory=ClosingLoop) as runner:
        return runner.run(work)

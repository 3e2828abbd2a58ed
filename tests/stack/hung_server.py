"""A server that accepts connections and never answers, and counts them."""

from __future__ import annotations

import socketserver
import threading
from types import TracebackType
from typing import Self


class HungServer:
    """Listens on the loopback; use as a context manager. `most`: most connections that were open at the same time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.open = self.most = self.accepted = 0
        counter = self

        class Hang(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                counter._note(1)
                try:
                    while self.request.recv(65536):
                        pass
                except OSError:
                    pass
                finally:
                    counter._note(-1)

        class Server(socketserver.ThreadingTCPServer):
            allow_reuse_address = daemon_threads = True
            block_on_close = False
            request_queue_size = 1024

        self._server = Server(("127.0.0.1", 0), Hang)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def port(self) -> int:
        """The port."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=60)

    def _note(self, change: int) -> None:
        with self._lock:
            self.open += change
            self.most = max(self.most, self.open)
            self.accepted += max(change, 0)

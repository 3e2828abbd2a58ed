"""A customer's own https server on the loopback interface: returns access tokens, and accepts notices."""

from __future__ import annotations

import ssl
import subprocess
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class CustomerSite:
    """Runs while entered. `token` gives the token that /token answers with.

    `notices` has what /notify accepted. It refuses with HTTP 500 while `accepts` is False; `refused` has those.
    """

    def __init__(self, *, folder: Path, key: str, token: Callable[[], str]) -> None:
        self.certificate = folder / "site.pem"
        self.notices: list[tuple[dict[str, str], bytes]] = []
        self.refused: list[bytes] = []
        self.accepts = True
        self.asked: list[str] = []
        self._key = key
        self._token = token
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._make_certificate(folder)

    @property
    def base_url(self) -> str:
        """Where it is, by a name that the certificate is for."""
        return f"https://localhost:{self._server.server_port}"

    def __enter__(self) -> Self:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _make_certificate(self, folder: Path) -> None:
        key = folder / "site.key"
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        subject = ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        files = ["-keyout", str(key), "-out", str(self.certificate)]
        subprocess.run([*command, *subject, *files], check=True, capture_output=True)
        self.certificate.write_text(self.certificate.read_text() + key.read_text())

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                if self.headers.get("authorization") != site._key:
                    self._answer(401, b"no")
                else:
                    self._answer(200, site._token().encode())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                if not site.accepts:
                    site.refused.append(body)
                    self._answer(500, b"")
                    return
                site.notices.append(({key.lower(): value for key, value in self.headers.items()}, body))
                self._answer(204, b"")

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                return

        return Handler

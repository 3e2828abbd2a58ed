"""A customer's own server on the loopback interface, with TLS, for names that only the tests know."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from aiohttp import web
from aiohttp.test_utils import unused_port

NAME = "tokens.customer.test"
Answer: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


def make_certificate(folder: Path, *names: str) -> Path:
    """A key and a certificate for these names, that is its own authority; gives the file with both."""
    key, file = folder / "key.pem", folder / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    subject = ["-subj", f"/CN={names[0]}", "-addext", "subjectAltName=" + ",".join(f"DNS:{name}" for name in names)]
    subprocess.run(
        [*command, "-days", "2", *subject, "-keyout", str(key), "-out", str(file)], check=True, capture_output=True
    )
    file.write_text(file.read_text() + key.read_text())
    return file


@dataclass
class Customer:
    """What the server answers, and what it was asked. `addresses` is what a look-up of its name gives."""

    port: int
    certificate: Path
    answer: Answer
    asked: list[web.Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    addresses: Iterator[list[str]] | list[str] = field(default_factory=lambda: ["127.0.0.1"])
    lookups: list[tuple[str, int]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"https://{NAME}:{self.port}/token"

    def trust(self) -> ssl.SSLContext:
        """TLS settings that trust its certificate and no other."""
        return ssl.create_default_context(cafile=str(self.certificate))

    async def resolve(self, host: str, port: int) -> list[str]:
        """Look a name up, here."""
        self.lookups.append((host, port))
        return self.addresses if isinstance(self.addresses, list) else next(self.addresses)


def plain(text: str, *, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    """Always the same answer."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text=text, status=status, headers=headers)

    return answer


@asynccontextmanager
async def serving(certificate: Path, answer: Answer) -> AsyncIterator[Customer]:
    """Run the server."""
    customer = Customer(port=unused_port(), certificate=certificate, answer=answer)

    async def handle(request: web.Request) -> web.StreamResponse:
        customer.asked.append(request)
        customer.bodies.append(await request.read())
        return await customer.answer(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    await web.TCPSite(runner, "127.0.0.1", customer.port, ssl_context=context).start()
    try:
        yield customer
    finally:
        await runner.cleanup()
        await asyncio.sleep(0)

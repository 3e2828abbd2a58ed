"""Serves containers' logs where the API server asks a kubelet for them, so that `kubectl logs` works."""

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from tests.cluster.kubelet.container import Container
from tests.cluster.kubelet.status import ADDRESS

# (namespace, Pod, container) to the container; LookupError if there is none.
Find = Callable[[str, str, str], Container]
FOLLOW_SECONDS = 0.2


@asynccontextmanager
async def log_server(find: Find, *, folder: Path, address: str = ADDRESS) -> AsyncIterator[int | None]:
    """Serve on a free loopback port, which is the value; None, and no logs by kubectl, where there is no openssl.

    Anybody on this machine may ask: the API server here has no certificate to show itself by.
    """
    context = await _context(folder)
    if context is None:
        yield None
        return
    application = web.Application()

    async def answer(request: web.Request) -> web.StreamResponse:
        return await _answer(request, find)

    application.router.add_get("/containerLogs/{namespace}/{pod}/{container}", answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, address, 0, ssl_context=context)
    await site.start()
    try:
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def _answer(request: web.Request, find: Find) -> web.StreamResponse:
    parts = request.match_info
    try:
        container = find(parts["namespace"], parts["pod"], parts["container"])
    except LookupError as error:
        raise web.HTTPNotFound(text=str(error)) from error
    if not container.log.is_file():
        raise web.HTTPBadRequest(text=f'container "{container.name}" is waiting to start: {container.waiting_reason}')
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    await response.prepare(request)
    with container.log.open("rb") as log:
        await response.write(_tail(log.read(), request.query.get("tailLines", "")))
        while request.query.get("follow") == "true":
            # Asked before reading: what is printed in between is read in the last round.
            over = not container.running
            await response.write(log.read())
            if over:
                break
            await asyncio.sleep(FOLLOW_SECONDS)
    return response


def _tail(text: bytes, lines: str) -> bytes:
    if not lines.isdigit():
        return text
    count = int(lines)
    return b"".join(text.splitlines(keepends=True)[-count:]) if count else b""


async def _context(folder: Path) -> ssl.SSLContext | None:
    openssl = shutil.which("openssl")
    if openssl is None:
        return None
    key, certificate = folder / "kubelet.key", folder / "kubelet.crt"
    process = await asyncio.create_subprocess_exec(
        openssl,
        *("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj", "/CN=kubelet-double"),
        *("-keyout", str(key), "-out", str(certificate)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    if await process.wait() != 0:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context

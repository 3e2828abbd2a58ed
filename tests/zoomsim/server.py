"""The simulator's HTTP server, in the caller's event loop or in its own thread for tests without one."""

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager

from aiohttp import web
from yarl import URL

from .admin import Admin
from .admin_bots import BotAdmin
from .api import Api
from .client import SimClient
from .event_loop import ClosingLoop
from .oauth import OAuth
from .sim import ZoomSim
from .traffic import traffic


def build_app(sim: ZoomSim) -> web.Application:
    """Make the application with all routes: /oauth, /v2, /sim, /healthz."""

    async def healthy(_: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application(middlewares=[traffic(sim)], client_max_size=64 * 1024 * 1024)
    for part in (OAuth(sim), Api(sim), Admin(sim), BotAdmin(sim)):
        app.add_routes(part.routes())
    app.add_routes([web.get("/healthz", healthy)])
    return app


@asynccontextmanager
async def serving(
    sim: ZoomSim | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    url: str = "",
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[ZoomSim]:
    """Run the simulator in this event loop, at `sim.base_url` (port 0: any free one).

    `url` is the address for others, if it is not the simulator's own. With `tls` the simulator also listens on
    `sim.tls_port`, with this certificate.
    """
    sim = sim or ZoomSim()
    # Cancellation ends the answer of a client that went away.
    runner = web.AppRunner(build_app(sim), handler_cancellation=True, shutdown_timeout=0.1, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        # An IPv6 address stands in brackets.
        sim.base_url = url or str(URL.build(scheme="http", host=host, port=runner.addresses[0][1]))
        if tls is not None:
            await web.TCPSite(runner, host, 0, ssl_context=tls).start()
            sim.tls_port = runner.addresses[1][1]
        await sim.webhooks.start()
        try:
            yield sim
        finally:
            await sim.webhooks.stop()
    finally:
        await runner.cleanup()


async def _settle() -> None:
    """End the tasks that are left in the loop."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


@contextmanager
def serving_in_thread(sim: ZoomSim | None = None, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[SimClient]:
    """Run the simulator in a background thread; drive it only through the client that this yields."""
    sim = sim or ZoomSim()
    started: Future[str] = Future()
    loop = ClosingLoop()
    stop = asyncio.Event()

    async def run() -> None:
        try:
            async with serving(sim, host=host, port=port) as running:
                started.set_result(running.base_url)
                await stop.wait()
        except OSError as error:
            started.set_exception(error)

    def main() -> None:
        try:
            loop.run_until_complete(run())
        finally:
            loop.run_until_complete(_settle())
            loop.close()

    thread = threading.Thread(target=main, name="zoomsim", daemon=True)
    thread.start()
    try:
        with SimClient(started.result(timeout=30)) as client:
            yield client
    finally:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=10)

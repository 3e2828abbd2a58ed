"""HTTP ports for machines: /metrics for Prometheus, /healthz and /readyz for the kubelet."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from meetingbots.runtime.metrics import Metrics

PROBE_PATHS: Final = ("/healthz", "/readyz")


@asynccontextmanager
async def serve_metrics(*, metrics: Metrics, port: int) -> AsyncIterator[None]:
    """Serve /metrics on `port` while the context lasts; port 0 serves nothing."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    application = web.Application()
    application.router.add_get("/metrics", answer)
    async with _listen(application, port):
        yield


@asynccontextmanager
async def serve_health(*, healthy: Callable[[], bool], ready: Callable[[], bool], port: int) -> AsyncIterator[None]:
    """Serve /healthz and /readyz on `port` while the context lasts; port 0 serves nothing."""
    application = web.Application()
    application.add_routes(probe_routes(healthy=healthy, ready=ready))
    async with _listen(application, port):
        yield


def probe_routes(*, healthy: Callable[[], bool], ready: Callable[[], bool]) -> list[web.RouteDef]:
    """/healthz and /readyz: 200 while the condition holds, else 503."""
    healthz, readyz = PROBE_PATHS
    return [web.get(healthz, _probe(healthy)), web.get(readyz, _probe(ready))]


def _probe(holds: Callable[[], bool]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="ok\n") if holds() else web.Response(status=503, text="not now\n")

    return answer


@asynccontextmanager
async def _listen(application: web.Application, port: int) -> AsyncIterator[None]:
    if port == 0:
        yield
        return
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, port=port).start()
        yield
    finally:
        await runner.cleanup()

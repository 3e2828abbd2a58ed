"""0002: our Kubernetes client beside the official one (kubernetes.aio), on a server with one answer."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import aiohttp
import orjson
from kubernetes.aio.client import ApiClient, Configuration, CoreV1Api
from meetingbots.kube.client import Kube
from meetingbots.kube.resources import PODS

from tests.bench.decisions.objects import pod

_CALLS: Final = 2000
_SERVER: Final = """
import sys
from aiohttp import web
body = sys.stdin.buffer.read()
async def answer(_): return web.Response(body=body, content_type="application/json")
async def serve():
    app = web.Application(); app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app); await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0); await site.start()
    print(runner.addresses[0][1], flush=True)
    import asyncio; await asyncio.Event().wait()
import asyncio; asyncio.run(serve())
"""


def figures() -> Iterator[str]:
    """CPU time of one GET with each client."""
    with _serving() as server:
        ours = asyncio.run(_ours(server))
        official = asyncio.run(_official(server))
    size = len(orjson.dumps(pod())) / 1000
    yield f"GET of a Pod of {size:.1f} kB: {ours:.2f} ms of CPU, kubernetes.aio {official:.2f} ms"


@contextlib.contextmanager
def _serving() -> Iterator[str]:
    with subprocess.Popen([sys.executable, "-c", _SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(orjson.dumps(pod()))
        process.stdin.close()
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


async def _ours(server: str) -> float:
    async with aiohttp.ClientSession() as session:
        kube = Kube(session=session, server=server)
        return await _measured(lambda: kube.get(PODS, namespace="acme", name="bot"))


async def _official(server: str) -> float:
    async with ApiClient(Configuration(host=server)) as api_client:
        api = CoreV1Api(api_client)
        return await _measured(lambda: api.read_namespaced_pod("bot", "acme"))


async def _measured(call: Callable[[], Awaitable[object]]) -> float:
    """Milliseconds of CPU for one call."""
    for _ in range(50):
        await call()
    began = time.process_time()
    for _ in range(_CALLS):
        await call()
    return (time.process_time() - began) / _CALLS * 1000

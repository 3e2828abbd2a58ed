"""The child process: the product's own reconciler and clients, wrapped so that SIGKILL comes at the n-th call.

Between two calls to Kubernetes or Zoom nothing leaves the process, so that the points before and after each call are
all the points that can make a difference to anybody else.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from uuid import uuid4

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.connection import find_cluster
from meetingbots.kube.recorder import Recorder
from meetingbots.kube.resources import CREDENTIALS, Resource
from meetingbots.metrics import Metrics
from meetingbots.reconcile.access_tokens import AccessTokens
from meetingbots.reconcile.cache import Key
from meetingbots.reconcile.credential import CredentialReconciler
from meetingbots.reconcile.queue import DelayQueue
from meetingbots.reconcile.services import Caches, Queues, Services
from meetingbots.settings import OperatorSettings
from meetingbots.zoom.api import ZoomAPI
from meetingbots.zoom.oauth import OAuthClient
from meetingbots.zoom.transport import new_http_client

Moment = Literal["before", "after"]
_MOST_LOOKS = 8


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the process is to do, and at which call (from 1; 0: never) it dies. It notes its calls in `trace`."""

    kubeconfig: Path
    zoom_url: str
    namespace: str
    name: str
    trace: Path
    call: int = 0
    moment: Moment = "before"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How it ended (-9: killed) and the calls that it began, in words."""

    exit_code: int | None
    calls: tuple[str, ...]


def run(order: Order) -> Outcome:
    """Run the process to its end. It is forked from a server that has everything loaded, so this takes no second."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    order.trace.unlink(missing_ok=True)
    process = context.Process(target=_main, args=(order,), daemon=True)
    process.start()
    process.join(60)
    calls = order.trace.read_text().splitlines() if order.trace.is_file() else []
    outcome = Outcome(exit_code=process.exitcode, calls=tuple(calls))
    if process.is_alive():
        process.kill()
        process.join()
    return outcome


class _Killer:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._count = 0

    def begin(self, what: str) -> int:
        self._count += 1
        with self._order.trace.open("a") as file:
            file.write(f"{what}\n")
        self._strike(self._count, "before")
        return self._count

    def end(self, number: int) -> None:
        self._strike(number, "after")

    def _strike(self, number: int, moment: Moment) -> None:
        if (number, moment) == (self._order.call, self._order.moment):
            os.kill(os.getpid(), signal.SIGKILL)


class _DyingKube(Kube):
    def __init__(self, *, session: aiohttp.ClientSession, server: str, killer: _Killer) -> None:
        super().__init__(session=session, server=server)
        self._killer = killer

    async def _call(
        self,
        verb: str,
        resource: Resource,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        media: str | None = None,
    ) -> Object:
        kind = "status" if path.endswith("/status") else resource.kind
        number = self._killer.begin(f"{verb} {kind}")
        try:
            return await super()._call(verb, resource, method, path, query=query, body=body, media=media)
        finally:
            self._killer.end(number)


class _DyingTransport(AiohttpTransport):
    def __init__(self, *, client: aiohttp.ClientSession, killer: _Killer) -> None:
        super().__init__(client=client)
        self._killer = killer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        number = self._killer.begin(f"Zoom {request.method} {request.url.path}")
        answer = await super().handle_async_request(request)
        await answer.aread()
        self._killer.end(number)
        return answer


def _main(order: Order) -> None:
    asyncio.run(_work(order))


async def _work(order: Order) -> None:
    connection, killer = await find_cluster(kubeconfig=str(order.kubeconfig)), _Killer(order)
    async with connection.session() as session, aiohttp.ClientSession() as zoom_session:
        transport = _DyingTransport(client=zoom_session, killer=killer)
        async with new_http_client(timeout=20, user_agent="meetingbots", transport=transport) as http:
            kube = _DyingKube(session=session, server=connection.server, killer=killer)
            services = _services(order, kube=kube, http=http)
            reconciler = CredentialReconciler(services=services, access_tokens=AccessTokens(services=services))
            watch = Kube(session=session, server=connection.server)
            for _ in range(_MOST_LOOKS):
                # What the watch would have told.
                item = await watch.get(CREDENTIALS, namespace=order.namespace, name=order.name)
                services.caches.credentials.put(item)
                after = await reconciler.reconcile(Key(order.namespace, order.name))
                if after is None or after > 5:
                    return
                await asyncio.sleep(min(after, 0.2))


def _services(order: Order, *, kube: Kube, http: httpx.AsyncClient) -> Services:
    settings = OperatorSettings(
        zoom_api_url=f"{order.zoom_url}/v2", zoom_oauth_url=f"{order.zoom_url}/oauth", system_namespace="default"
    )
    instance = f"dying-{uuid4().hex[:8]}"

    def api_at(url: str) -> ZoomAPI:
        return ZoomAPI(http, api_url=url)

    def clock() -> datetime:
        return datetime.now(UTC)

    monotonic = asyncio.get_running_loop().time
    return Services(
        kube=kube,
        oauth=OAuthClient(http, oauth_url=settings.zoom_oauth_url),
        api=api_at(settings.zoom_api_url),
        api_at=api_at,
        settings=settings,
        clock=clock,
        recorder=Recorder(kube=kube, clock=clock, instance=instance),
        metrics=Metrics(),
        instance=instance,
        queues=Queues(**{one.name: DelayQueue(clock=monotonic) for one in fields(Queues)}),
        caches=Caches(),
    )

"""The child process of a credential: the product's own reconciler, on clients that die at the n-th call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import aiohttp
import httpx
from meetingbots.credentials.assembly import ProcessPorts, access_tokens, credential_reconciler
from meetingbots.credentials.reconcile.memory import CredentialMemories, SyncedPersonalIds
from meetingbots.kube.client import Kube
from meetingbots.kube.connection import find_cluster
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.kube.resources import CREDENTIALS
from meetingbots.runtime.context import ObjectCaches, OperatorContext, Queues
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.object_cache import Key
from meetingbots.runtime.settings import OperatorSettings
from meetingbots.runtime.work_queue import WorkQueue
from meetingbots.zoom.api import ZoomAPI
from meetingbots.zoom.http.exchange import new_http_client
from meetingbots.zoom.oauth import OAuthClient

from tests.integration.killpoints.dying import DyingKube, DyingTransport, Killer, Moment
from tests.integration.killpoints.forked import Forked, Outcome
from tests.unit.mappings.reconcile.mapping_harness import sync_of

_MOST_LOOKS = 8


@dataclass(frozen=True, kw_only=True)
class Order:
    """What the process does, and at which call (from 1; 0: never) it dies. It writes its calls to `trace`.

    `ahead` is by how many seconds its clock is fast.
    """

    kubeconfig: Path
    zoom_url: str
    namespace: str
    name: str
    trace: Path
    call: int = 0
    moment: Moment = "before"
    ahead: float = 0.0


def run(order: Order) -> Outcome:
    """Run the process to its end."""
    return Forked(_main, order, trace=order.trace).wait(seconds=60)


def _main(order: Order) -> None:
    asyncio.run(_work(order))


async def _work(order: Order) -> None:
    connection, killer = (
        await find_cluster(kubeconfig=str(order.kubeconfig)),
        Killer(trace=order.trace, call=order.call, moment=order.moment),
    )
    async with connection.session() as session, aiohttp.ClientSession() as zoom_session:
        transport = DyingTransport(client=zoom_session, killer=killer)
        async with new_http_client(timeout=20, user_agent="meetingbots", transport=transport) as http:
            kube = DyingKube(session=session, server=connection.server, killer=killer)
            services = _services(order, kube=kube, http=http)
            tokens, memories = access_tokens(services), CredentialMemories()
            ports = ProcessPorts(monotonic=asyncio.get_running_loop().time)
            reconciler = credential_reconciler(services, tokens=tokens, memories=memories, ports=ports)
            personal_ids = SyncedPersonalIds(credentials=services.caches.credentials, memories=memories)
            sync = sync_of(services, tokens=tokens, personal_ids=personal_ids)
            watch = Kube(session=session, server=connection.server)
            for _ in range(_MOST_LOOKS):
                # What the watch would have reported.
                item = await watch.get(CREDENTIALS, namespace=order.namespace, name=order.name)
                services.caches.credentials.put(item)
                key = Key(order.namespace, order.name)
                after, next_sync = await reconciler.reconcile(key), await sync.reconcile(key)
                after = min((seconds for seconds in (after, next_sync) if seconds is not None), default=None)
                if after is None or after > 5:
                    return
                await asyncio.sleep(min(after, 0.2))


def _services(order: Order, *, kube: Kube, http: httpx.AsyncClient) -> OperatorContext:
    settings = OperatorSettings(
        zoom_api_url=f"{order.zoom_url}/v2", zoom_oauth_url=f"{order.zoom_url}/oauth", system_namespace="default"
    )
    instance = f"dying-{uuid4().hex[:8]}"

    def api_at(url: str) -> ZoomAPI:
        return ZoomAPI(http, api_url=url)

    def clock() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=order.ahead)

    monotonic = asyncio.get_running_loop().time
    return OperatorContext(
        kube=kube,
        oauth=OAuthClient(http, oauth_url=settings.zoom_oauth_url),
        api=api_at(settings.zoom_api_url),
        api_at=api_at,
        settings=settings,
        clock=clock,
        recorder=EventRecorder(kube=kube, clock=clock, instance=instance),
        metrics=Metrics(),
        instance=instance,
        queues=Queues(**{one.name: WorkQueue(clock=monotonic) for one in fields(Queues)}),
        caches=ObjectCaches(),
    )

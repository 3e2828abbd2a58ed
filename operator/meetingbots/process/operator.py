"""One operator process: kopf watches, workers reconcile, probes answer; and all of it ends in the right order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import kopf

from meetingbots.bots.reconcile.live_label import LiveLabelReconciler
from meetingbots.bots.reconcile.reconciler import BotReconciler
from meetingbots.bots.rejoin.endpoint import serve_tokens
from meetingbots.bots.rejoin.service import RejoinService
from meetingbots.credentials.reconcile.notifier import Notifier
from meetingbots.credentials.reconcile.receiver_projection import ReceiverProjection
from meetingbots.credentials.reconcile.reconciler import CredentialReconciler
from meetingbots.credentials.sessions.access_tokens import AccessTokens
from meetingbots.kube.client import Kube
from meetingbots.kube.connection import Connection, find_cluster
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.kube.resources import Resource
from meetingbots.mappings.reconcile.manual_entries import ManualEntries
from meetingbots.mappings.reconcile.sweeper import MappingSweeper, first_sweeps
from meetingbots.process import handlers
from meetingbots.process.dispatcher import Dispatcher
from meetingbots.process.leader import LeaderElection
from meetingbots.process.preflight import tell_if_missing
from meetingbots.runtime import gc_tuning as garbage_collection
from meetingbots.runtime.context import ObjectCaches, OperatorContext, Queues
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.object_cache import Key
from meetingbots.runtime.probes import serve_health, serve_metrics
from meetingbots.runtime.rate_budgets import RateBudgets
from meetingbots.runtime.settings import OperatorSettings
from meetingbots.runtime.work_queue import WorkQueue
from meetingbots.runtime.worker_slots import lent
from meetingbots.runtime.workers import Workers
from meetingbots.zoom.api import ZoomAPI
from meetingbots.zoom.http.transport import new_http_client
from meetingbots.zoom.limits.limiter import AccountLimiter
from meetingbots.zoom.oauth import OAuthClient

_log = logging.getLogger(__name__)
_ZOOM_TIMEOUT = 20.0
_LAST_EVENTS_SECONDS = 2.0
_FIRST_SWEEP_SECONDS = 20.0


async def run_operator(settings: OperatorSettings) -> int:
    """Run until SIGTERM or SIGINT (exit code 0), or until a watch dies or the Lease is lost (1: Kubernetes restarts).

    Raises `ClusterAccessError` when no cluster can be found.
    """
    garbage_collection.settle()
    connection = await find_cluster()
    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(_services(settings, connection))
        process = _Process(services=services, connection=connection, settings=settings)
        await stack.enter_async_context(serve_metrics(metrics=services.metrics, port=settings.metrics_port))
        await stack.enter_async_context(
            serve_health(healthy=process.healthy, ready=process.ready, port=settings.health_port)
        )
        if settings.token_port:
            await stack.enter_async_context(serve_tokens(rejoins=process.rejoins, port=settings.token_port))
        return await process.run()


class _Process:
    """The tasks of a running operator."""

    def __init__(self, *, services: OperatorContext, connection: Connection, settings: OperatorSettings) -> None:
        self._services = services
        self._connection = connection
        self._settings = settings
        self._stop = asyncio.Event()
        self._stop_kopf = asyncio.Event()
        self._started = asyncio.Event()
        self._kopf: asyncio.Task[None] | None = None
        self._rejoins: RejoinService | None = None
        self._election = _election(services) if settings.leader_elect else None
        services.metrics.leading.set_function(self.leads)

    def leads(self) -> bool:
        """Whether this process works: the Lease is its own, or there is no election."""
        return self._election is None or self._election.leading.is_set()

    def healthy(self) -> bool:
        """Whether the watches still run (that this answers at all shows that the loop does)."""
        return self._kopf is None or not self._kopf.done()

    def rejoins(self) -> RejoinService | None:
        """What gives running bots further tokens; None while this process stands by or ends."""
        return self._rejoins if self.leads() and self._started.is_set() and not self._stop.is_set() else None

    def ready(self) -> bool:
        """Whether the watches have been started, or this process stands by and knows who leads."""
        if self._election is not None and not self.leads():
            return self._election.answered.is_set()
        return self._started.is_set() and self.healthy()

    async def run(self) -> int:
        """Wait for the turn to work, work, and end; the Lease is kept until all that was begun is done."""
        self._catch_signals()
        home = tell_if_missing(self._services.kube, namespace=self._settings.system_namespace)
        told = asyncio.create_task(home, name="system namespace")
        try:
            return await self._take_turn()
        finally:
            told.cancel()

    async def _take_turn(self) -> int:
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        if self._election is None:
            return await self._lead(stop)
        _log.info("standing by as %s", self._services.instance)
        lost = asyncio.create_task(self._election.run(), name="election")
        leading = asyncio.create_task(self._election.leading.wait(), name="leading")
        try:
            await asyncio.wait({lost, leading, stop}, return_when=asyncio.FIRST_COMPLETED)
            code = await self._lead(stop, lost) if self.leads() else int(lost.done())
        finally:
            for task in (lost, leading, stop):
                task.cancel()
            for ended in await asyncio.gather(lost, leading, stop, return_exceptions=True):
                if isinstance(ended, Exception):
                    _log.error("the election died: %s: %s", type(ended).__name__, ended)
        await self._election.release()
        return code

    async def _lead(self, *reasons_to_end: asyncio.Task[Any]) -> int:
        """Start everything, wait for the end, and end it: first the workers with what they have begun, then kopf."""
        # The workers exist before kopf does: at its end kopf cancels the tasks that came after it.
        workers = asyncio.create_task(self._work(), name="workers")
        events = asyncio.create_task(self._services.recorder.run(), name="events")
        self._kopf = asyncio.create_task(self._watch(), name="kopf")
        signals = asyncio.create_task(self._catch_signals_again(), name="signals")
        try:
            await asyncio.wait({workers, self._kopf, *reasons_to_end}, return_when=asyncio.FIRST_COMPLETED)
            died = not self._stop.is_set()
        finally:
            for queue in vars(self._services.queues).values():
                queue.close()
            ended: list[BaseException | None] = []
            ended += await asyncio.gather(workers, return_exceptions=True)
            self._stop_kopf.set()
            ended += await asyncio.gather(self._kopf, return_exceptions=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_EVENTS_SECONDS):
                    await self._services.recorder.flush()
            for task in (events, signals):
                task.cancel()
        for failure in ended:
            if failure is not None:
                _log.error("the operator ends: %s: %s", type(failure).__name__, failure)
                died = True
        return 1 if died else 0

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)

    async def _catch_signals_again(self) -> None:
        # kopf sets its own handlers while it starts; ours come after them, for workers have to finish before kopf ends.
        await self._started.wait()
        self._catch_signals()
        _log.info("serving %s as %s", ", ".join(self._settings.namespace) or "all namespaces", self._services.instance)

    async def _watch(self) -> None:
        intake = Dispatcher(caches=self._services.caches, queues=self._services.queues)
        await kopf.operator(
            registry=handlers.registry(connection=self._connection, intake=intake),
            settings=handlers.settings(),
            clusterwide=not self._settings.namespace,
            namespaces=list(self._settings.namespace),
            standalone=True,
            stop_flag=self._stop_kopf,
            ready_flag=self._started,
        )

    async def _work(self) -> None:
        services = self._services
        tokens = AccessTokens(services=services)
        credentials = CredentialReconciler(services=services, access_tokens=tokens, syncs=services.queues.syncs)
        bots = BotReconciler(services=services, access_tokens=tokens)
        self._rejoins = RejoinService(
            services=services, access_tokens=tokens, monotonic=asyncio.get_running_loop().time
        )
        receiver = ReceiverProjection(services=services)
        tidying = MappingSweeper(services=services, access_tokens=tokens)
        for place in first_sweeps(self._settings.namespaces):
            services.queues.tidying.add(place, after=_FIRST_SWEEP_SECONDS)
        # What takes long and can be broken off anywhere does not hold up the end.
        breakable = [
            asyncio.create_task(self._workers(kind, queue, reconcile, count).run(), name=f"workers of {kind}")
            for kind, queue, reconcile, count in (
                ("MeetingSync", services.queues.syncs, credentials.meeting_sync.reconcile, 4),
                ("Tidying", services.queues.tidying, tidying.reconcile, 2),
                ("Notice", services.queues.notices, Notifier(services=services).reconcile, 4),
            )
        ]
        breakable += [
            asyncio.create_task(ManualEntries(services=services, namespace=namespace).run(), name="people's entries")
            for namespace in self._settings.namespaces
        ]
        try:
            await self._until_closed(credentials, bots, receiver)
        finally:
            for task in breakable:
                task.cancel()
            await asyncio.gather(*breakable, return_exceptions=True)
        # What Zoom gave and Kubernetes has refused so far exists here only: a last try, as long as the Pod may take.
        await credentials.finish()

    async def _until_closed(
        self, credentials: CredentialReconciler, bots: BotReconciler, receiver: ReceiverProjection
    ) -> None:
        """Do the work whose steps are short; once the queues are closed, what has begun is finished."""
        services = self._services
        async with asyncio.TaskGroup() as group:
            for kind, queue, reconcile, count in (
                ("ZoomCredential", services.queues.credentials, credentials.reconcile, 16),
                ("MeetingBot", services.queues.bots, bots.reconcile, 64),
                ("MeetingMapping", services.queues.meetings, LiveLabelReconciler(services=services).reconcile, 4),
                ("Receiver", services.queues.receiver, receiver.reconcile, 1),
            ):
                workers = self._workers(kind, queue, reconcile, count)
                group.create_task(workers.run(), name=f"workers of {kind}")

    def _workers(
        self,
        kind: str,
        queue: WorkQueue[Key],
        reconcile: Callable[[Key], Awaitable[float | None]],
        count: int,
    ) -> Workers[Key]:
        return Workers(kind=kind, queue=queue, reconcile=reconcile, count=count, metrics=self._services.metrics)


def _election(services: OperatorContext) -> LeaderElection:
    return LeaderElection(
        kube=services.kube,
        namespace=services.settings.system_namespace,
        name=services.settings.lease_name,
        identity=services.instance,
        clock=services.clock,
        monotonic=asyncio.get_running_loop().time,
    )


@asynccontextmanager
async def _services(settings: OperatorSettings, connection: Connection) -> AsyncIterator[OperatorContext]:
    metrics = Metrics()

    def count(verb: str, resource: Resource, status: int) -> None:
        metrics.kube_requests.labels(verb, resource.plural, str(status or "error")).inc()

    def clock() -> datetime:
        return datetime.now(UTC)

    instance = f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"
    monotonic = asyncio.get_running_loop().time
    async with (
        connection.session() as session,
        new_http_client(timeout=_ZOOM_TIMEOUT, user_agent="meetingbots") as http,
    ):
        kube = Kube(session=session, server=connection.server, on_call=count)
        queues = Queues(**{one.name: WorkQueue(clock=monotonic) for one in fields(Queues)})
        caches = ObjectCaches()
        rates = RateBudgets(credentials=caches.credentials)
        limiter = AccountLimiter(
            allowance=rates.allowance, clock=monotonic, utc=clock, on_wait=metrics.on_rate_limit_wait, waiting=lent
        )

        def api_at(api_url: str) -> ZoomAPI:
            on_call = metrics.on_zoom_call
            return ZoomAPI(http, api_url=api_url, deadline=_ZOOM_TIMEOUT, on_call=on_call, limiter=limiter)

        yield OperatorContext(
            kube=kube,
            oauth=OAuthClient(http, oauth_url=settings.zoom_oauth_url, on_call=metrics.on_zoom_call),
            api=api_at(settings.zoom_api_url),
            api_at=api_at,
            settings=settings,
            clock=clock,
            recorder=EventRecorder(kube=kube, clock=clock, instance=instance, busy=lambda: queues.bots.ready > 0),
            metrics=metrics,
            instance=instance,
            queues=queues,
            caches=caches,
            rates=rates,
        )

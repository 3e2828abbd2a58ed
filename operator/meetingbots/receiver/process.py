"""The receiver's process: two watches fill the caches, a web server answers Zoom and people."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Final

from meetingbots.credentials.status_writer import CredentialStatusWriter
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.connection import find_cluster
from meetingbots.kube.informer import Informer, OnChange
from meetingbots.kube.resources import CREDENTIALS, SECRETS, Resource
from meetingbots.mappings.store import MappingWriter
from meetingbots.models.names import RECEIVER_SECRET
from meetingbots.receiver.app import application, serve
from meetingbots.receiver.app_directory import AppDirectory
from meetingbots.receiver.connect.consent_writer import ConsentWriter
from meetingbots.receiver.connect.directory import ConnectDirectory
from meetingbots.receiver.connect.routes import ConnectRoutes, ConnectSettings
from meetingbots.receiver.credential_lookup import LiveLookup
from meetingbots.receiver.event_writer import EventWriter
from meetingbots.receiver.revocations import RevocationWriter
from meetingbots.receiver.status_reporters import RejectionReporter, WebhookReporter
from meetingbots.receiver.webhook import DEADLINE_SECONDS, WebhookHandler
from meetingbots.runtime.metrics import Metrics, serve_metrics
from meetingbots.runtime.process_setup import tune_garbage_collection
from meetingbots.runtime.settings import ReceiverSettings
from meetingbots.runtime.workers import Supervisor

_log = logging.getLogger(__name__)
_MAX_SILENCE: Final = 90.0
"""Seconds without a watch event; the API server sends a bookmark about every minute."""


async def run_receiver(settings: ReceiverSettings) -> int:
    """Run until SIGTERM or SIGINT (exit code 0), or until a background task dies of a defect (1).

    Raises `ClusterAccessError` when no cluster is found, `OSError` when the port is in use.
    """
    tune_garbage_collection()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    connection = await find_cluster()
    metrics = Metrics()

    def count(verb: str, resource: Resource, status: int) -> None:
        metrics.kube_requests.labels(verb, resource.plural, str(status or "error")).inc()

    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(connection.session())
        kube = Kube(session=session, server=connection.server, on_call=count)
        process = ReceiverProcess(settings=settings, kube=kube, metrics=metrics, stop=stop)
        await stack.enter_async_context(serve_metrics(metrics=metrics, port=settings.metrics_port))
        return await process.run()


class ReceiverProcess:
    """The parts of a running receiver."""

    def __init__(self, *, settings: ReceiverSettings, kube: Kube, metrics: Metrics, stop: asyncio.Event) -> None:
        self._settings = settings
        self._kube = kube
        self._metrics = metrics
        self._stop = stop
        self._monotonic = asyncio.get_running_loop().time
        self._statuses = CredentialStatusWriter(kube=kube)
        self._apps = AppDirectory(namespaces=settings.namespace)
        self._connect = ConnectDirectory(
            kube=kube,
            system_namespace=settings.system_namespace,
            namespaces=settings.namespace,
            clock=self._monotonic,
        )
        self._credential_watches = [
            Informer(
                kube=kube,
                resource=CREDENTIALS,
                namespace=namespace,
                on_change=_both(self._apps.on_credential, self._connect.on_credential),
            )
            for namespace in settings.namespaces
        ]
        self._projection_watch = Informer(
            kube=kube,
            resource=SECRETS,
            namespace=settings.system_namespace,
            field_selector=f"metadata.name={RECEIVER_SECRET}",
            on_change=_both(self._apps.on_projection, self._connect.on_projection),
        )
        self._watches = [*self._credential_watches, self._projection_watch]
        self._reporter = WebhookReporter(statuses=self._statuses, directory=self._apps, clock=_now)
        self._rejections = RejectionReporter(statuses=self._statuses, directory=self._apps, clock=_now)
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> int:
        """Serve until `stop` is set or a background task dies; return the exit code."""
        self._tasks = [asyncio.create_task(watch.run(), name="watch") for watch in self._watches]
        supervisor = Supervisor(metrics=self._metrics, ending=self._stop.is_set)
        for name, run in (("webhook-reporter", self._reporter.run), ("rejection-reporter", self._rejections.run)):
            self._tasks.append(asyncio.create_task(supervisor.keep(name, run), name=name))
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        app = application(
            webhook=self._webhook_handler().handle,
            healthy=self._healthy,
            ready=self._ready,
            pages=self._connect_routes().routes(),
        )
        try:
            async with serve(app, host=self._settings.host, port=self._settings.port) as port:
                _log.info("listening on port %d for %s", port, ", ".join(self._settings.namespace) or "all namespaces")
                await asyncio.wait({stop, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
                died = not self._stop.is_set()
                self._stop.set()
        finally:
            await self._end(stop)
        return 1 if died else 0

    def _webhook_handler(self) -> WebhookHandler:
        events = EventWriter(
            directory=self._apps,
            lookup=LiveLookup(kube=self._kube, everywhere=not self._settings.namespace),
            mappings=MappingWriter(kube=self._kube, clock=self._monotonic, patience=DEADLINE_SECONDS),
            revocations=RevocationWriter(statuses=self._statuses, clock=_now),
            current=self._current,
        )
        return WebhookHandler(
            directory=self._apps,
            events=events,
            reporter=self._reporter,
            rejections=self._rejections,
            metrics=self._metrics,
            ready=self._filled,
            clock=_now,
        )

    def _connect_routes(self) -> ConnectRoutes:
        return ConnectRoutes(
            settings=ConnectSettings(
                public_url=self._settings.public_url,
                oauth_url=self._settings.zoom_oauth_url,
                return_hosts=self._settings.allowed_return_url_hosts,
            ),
            directory=self._connect,
            consents=ConsentWriter(kube=self._kube, statuses=self._statuses, directory=self._connect),
            ready=self._filled,
            clock=_now,
        )

    async def _end(self, stop: asyncio.Task[bool]) -> None:
        for task in (stop, *self._tasks):
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                try:
                    await task
                except Exception as error:
                    _log.error("task %s died of %s", task.get_name(), type(error).__name__)

    def _filled(self) -> bool:
        return all(watch.synced.is_set() for watch in self._watches)

    def _current(self) -> bool:
        """Whether the watches of credentials work. A watch that hangs does not report it."""
        return all(watch.silent_for < _MAX_SILENCE for watch in self._credential_watches)

    def _healthy(self) -> bool:
        return not any(task.done() for task in self._tasks)

    def _ready(self) -> bool:
        return self._filled() and self._healthy() and not self._stop.is_set()


def _both(first: OnChange, second: OnChange) -> OnChange:
    def on_change(namespace: str, name: str, item: Object | None) -> None:
        first(namespace, name, item)
        second(namespace, name, item)

    return on_change


def _now() -> datetime:
    return datetime.now(UTC)

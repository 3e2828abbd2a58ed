"""One receiver process: two watches fill the directory, a web server answers Zoom, and the end is an orderly one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Final

from meetingbots.kube.client import Kube, Object
from meetingbots.kube.connection import find_cluster
from meetingbots.kube.informer import Informer, OnChange
from meetingbots.kube.resources import CREDENTIALS, SECRETS, Resource
from meetingbots.mappings.writer import MappingWriter
from meetingbots.models.names import RECEIVER_SECRET
from meetingbots.receiver.app import application, serve
from meetingbots.receiver.app_directory import Directory
from meetingbots.receiver.connect.consent_writer import ConsentWriter
from meetingbots.receiver.connect.directory import ConnectDirectory
from meetingbots.receiver.connect.routes import ConnectRoutes, ConnectSettings
from meetingbots.receiver.event_writer import EventWriter
from meetingbots.receiver.live_lookup import LiveLookup
from meetingbots.receiver.revocations import RevocationWriter
from meetingbots.receiver.webhook import DEADLINE_SECONDS, WebhookReceiver
from meetingbots.receiver.webhook_reporter import WebhookReporter
from meetingbots.runtime import gc_tuning
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.probes import serve_metrics
from meetingbots.runtime.settings import ReceiverSettings

_log = logging.getLogger(__name__)
_LONGEST_SILENCE: Final = 90.0
"""Seconds; each minute there is a bookmark at least."""


async def run_receiver(settings: ReceiverSettings) -> int:
    """Run until SIGTERM or SIGINT (exit code 0), or until a watch dies of a defect (1: Kubernetes starts it again).

    Raises `ClusterAccessError` when no cluster can be found, `OSError` when the port cannot be had.
    """
    gc_tuning.tune()
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
        process = _Process(settings=settings, kube=kube, metrics=metrics, stop=stop)
        await stack.enter_async_context(serve_metrics(metrics=metrics, port=settings.metrics_port))
        return await process.run()


class _Process:
    """The parts of a running receiver."""

    def __init__(self, *, settings: ReceiverSettings, kube: Kube, metrics: Metrics, stop: asyncio.Event) -> None:
        self._settings = settings
        self._stop = stop
        monotonic = asyncio.get_running_loop().time
        directory = Directory(namespaces=settings.namespace)
        invited = ConnectDirectory(
            kube=kube, system_namespace=settings.system_namespace, namespaces=settings.namespace, clock=monotonic
        )
        on_credential = _both(directory.on_credential, invited.on_credential)
        self._credentials = [
            Informer(kube=kube, resource=CREDENTIALS, namespace=namespace, on_change=on_credential)
            for namespace in settings.namespaces
        ]
        self._informers = [
            *self._credentials,
            Informer(
                kube=kube,
                resource=SECRETS,
                namespace=settings.system_namespace,
                field_selector=f"metadata.name={RECEIVER_SECRET}",
                on_change=_both(directory.on_projection, invited.on_projection),
            ),
        ]
        self._reception = WebhookReporter(kube=kube, directory=directory, clock=_now)
        self._webhook = WebhookReceiver(
            directory=directory,
            events=EventWriter(
                directory=directory,
                lookup=LiveLookup(kube=kube, everywhere=not settings.namespace),
                consents=RevocationWriter(kube=kube),
                writer=MappingWriter(kube=kube, clock=monotonic, patience=DEADLINE_SECONDS),
                current=self._current,
            ),
            reception=self._reception,
            metrics=metrics,
            ready=self._filled,
            clock=_now,
        )
        self._connect = ConnectRoutes(
            settings=ConnectSettings(
                public_url=settings.public_url,
                oauth_url=settings.zoom_oauth_url,
                return_hosts=settings.allowed_return_url_hosts,
            ),
            directory=invited,
            consents=ConsentWriter(kube=kube, directory=invited),
            ready=self._filled,
            clock=_now,
        )
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> int:
        """Serve until told to stop, or until a background task dies."""
        self._tasks = [asyncio.create_task(one.run(), name="watch") for one in self._informers]
        self._tasks.append(asyncio.create_task(self._reception.run(), name="reception"))
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        app = application(
            webhook=self._webhook.answer, healthy=self._healthy, ready=self._ready, pages=self._connect.routes()
        )
        try:
            async with serve(app, host=self._settings.host, port=self._settings.port) as port:
                _log.info("receiving on port %d for %s", port, ", ".join(self._settings.namespace) or "all namespaces")
                await asyncio.wait({stop, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
                died = not self._stop.is_set()
                self._stop.set()
        finally:
            await self._end(stop)
        return 1 if died else 0

    async def _end(self, stop: asyncio.Task[bool]) -> None:
        for task in (stop, *self._tasks):
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                try:
                    await task
                except Exception as error:
                    _log.error("%s died: %s", task.get_name(), type(error).__name__)

    def _filled(self) -> bool:
        return all(one.synced.is_set() for one in self._informers)

    def _current(self) -> bool:
        """Whether the watches work; one that hangs tells nothing, not even that it does."""
        return all(one.silent_for < _LONGEST_SILENCE for one in self._credentials)

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

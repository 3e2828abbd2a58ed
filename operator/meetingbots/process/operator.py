"""One operator process: stand by, lead, and shut down in the right order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Final

import kopf

from meetingbots.bots.reconcile.default_template import DefaultTemplateCheck
from meetingbots.bots.rejoin.endpoint import EndpointServices, serve_tokens
from meetingbots.credentials.manifests.receiver_secret import new_projection_secret
from meetingbots.kube.client import Kube
from meetingbots.kube.connection import Connection, find_cluster
from meetingbots.kube.errors import KubeError, NotFoundError
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.kube.resources import SECRETS
from meetingbots.mappings.recently_deleted import RecentlyDeletedMappings
from meetingbots.process.assembly import assemble, open_context
from meetingbots.process.dispatcher import Dispatcher, NoMemories, kopf_handlers, kopf_settings
from meetingbots.process.leader import LeaderElection
from meetingbots.process.served import wait_until_served
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.metrics import Metrics, serve_health, serve_metrics
from meetingbots.runtime.object_cache import Key
from meetingbots.runtime.process_setup import tune_garbage_collection
from meetingbots.runtime.settings import OperatorSettings
from meetingbots.runtime.workers import Controller, Supervisor, Tasks, Workers

_log = logging.getLogger(__name__)
_LAST_EVENTS_SECONDS: Final = 2.0


async def warn_if_namespace_is_missing(kube: Kube, *, namespace: str) -> bool:
    """Log an error when the namespace does not exist, and return whether it is missing.

    A dry run of the Secret's creation shows it: the operator may create that Secret, but not read namespaces.
    """
    body = new_projection_secret(namespace=namespace, data={})
    try:
        await kube.create(SECRETS, namespace=namespace, body=body, dry_run=True)
    except NotFoundError:
        _log.error(
            "the operator's own namespace %s does not exist, so there is no place for its Lease and for the receiver's "
            "Secret: run kubectl create namespace %s, or set --system-namespace (MEETINGBOTS_SYSTEM_NAMESPACE)",
            namespace,
            namespace,
        )
        return True
    except KubeError:
        return False
    return False


class Work:
    """Runs the tasks of a leading process.

    Shutdown: `close` closes the queues. Controllers finish what they have started, interruptible ones and background
    tasks are cancelled, and then unsaved tokens are stored and the last Events posted.
    """

    def __init__(self, tasks: Tasks, *, recorder: EventRecorder, metrics: Metrics) -> None:
        self._tasks = tasks
        self._recorder = recorder
        self._metrics = metrics
        self._closed = asyncio.Event()
        self._supervisor = Supervisor(metrics=metrics, ending=self._closed.is_set)

    def close(self) -> None:
        """Hand out no more keys; `run` ends once what was started is finished."""
        self._closed.set()
        for controller in self._tasks.controllers:
            controller.queue.close()

    async def run(self) -> None:
        """Work until `close`. A task that dies is restarted."""
        events = self._keep("events", self._recorder.run)
        finishing = [self._keep_workers(one) for one in self._tasks.controllers if not one.interruptible]
        interruptible = [self._keep_workers(one) for one in self._tasks.controllers if one.interruptible]
        interruptible += [self._keep("mapping task", run) for run in self._tasks.background]
        try:
            await self._closed.wait()
            await asyncio.gather(*finishing)
        finally:
            await _cancel(*finishing, *interruptible)
            # Tokens that Zoom issued and Kubernetes has refused so far exist only here.
            await self._tasks.finish()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LAST_EVENTS_SECONDS):
                    await self._recorder.flush()
            await _cancel(events)

    def _keep_workers(self, controller: Controller[Key]) -> asyncio.Task[None]:
        return self._keep(f"workers of {controller.kind}", Workers(controller, metrics=self._metrics).run)

    def _keep(self, name: str, run: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        return asyncio.create_task(self._supervisor.keep(name, run), name=name)


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def run_operator(settings: OperatorSettings) -> int:
    """Run until SIGTERM or SIGINT (exit code 0), or until a watch dies or the Lease is lost (1: Kubernetes restarts).

    Raises `ClusterAccessError` when no cluster is found.
    """
    tune_garbage_collection()
    connection = await find_cluster()
    async with AsyncExitStack() as stack:
        context = await stack.enter_async_context(open_context(settings, connection))
        process = OperatorProcess(context=context, connection=connection)
        await stack.enter_async_context(serve_metrics(metrics=context.metrics, port=settings.metrics_port))
        await stack.enter_async_context(
            serve_health(healthy=process.healthy, ready=process.ready, port=settings.health_port)
        )
        if settings.token_port:
            await stack.enter_async_context(
                serve_tokens(services=process.endpoint, port=settings.token_port, tls=settings.token_tls_dir)
            )
        return await process.run()


class OperatorProcess:
    """The life of an operator process."""

    def __init__(self, *, context: OperatorContext, connection: Connection) -> None:
        self._context = context
        self._connection = connection
        self._recently_deleted = RecentlyDeletedMappings(clock=asyncio.get_running_loop().time)
        self._stop = asyncio.Event()
        self._stop_kopf = asyncio.Event()
        self._started = asyncio.Event()
        self._kopf: asyncio.Task[None] | None = None
        self._endpoint: EndpointServices | None = None
        self._template = _template_check(context)
        self._election = _election(context) if context.settings.leader_elect else None
        context.metrics.leading.set_function(self.leads)

    def leads(self) -> bool:
        """Whether this process works: it holds the Lease, or there is no election."""
        return self._election is None or self._election.leading.is_set()

    def healthy(self) -> bool:
        """Whether the watches run."""
        return self._kopf is None or not self._kopf.done()

    def ready(self) -> bool:
        """Whether this process works, or stands by behind a leader that works, with a default template that can."""
        if not self._template.accepted:
            return False
        if self._election is not None and not self.leads():
            return self._election.stands_by
        return self._started.is_set() and self.healthy()

    def endpoint(self) -> EndpointServices | None:
        """The services behind the token endpoint; None while this process stands by or shuts down."""
        return self._endpoint if self._started.is_set() and not self._stop.is_set() else None

    async def run(self) -> int:
        """Stand by, lead, shut down; return the exit code. The Lease is kept until all work has ended."""
        self._catch_signals()
        namespace = self._context.settings.system_namespace
        preflight = (
            asyncio.create_task(
                warn_if_namespace_is_missing(self._context.kube, namespace=namespace), name="own namespace"
            ),
            asyncio.create_task(self._template.run(), name="default template"),
        )
        try:
            return await self._run()
        finally:
            for task in preflight:
                task.cancel()

    async def _run(self) -> int:
        stop = asyncio.create_task(self._stop.wait(), name="stop")
        if self._election is None:
            return await self._lead(stop)
        _log.info("standing by as %s", self._context.instance)
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
                    _log.error("the election died of %s", type(ended).__name__)
        await self._election.release()
        return code

    async def _lead(self, *reasons_to_end: asyncio.Task[Any]) -> int:
        """Start all work, wait for a reason to end, and end it: the workers first, then kopf."""
        slices = assemble(self._context, recently_deleted=self._recently_deleted)
        self._endpoint = slices.endpoint
        work = Work(slices.tasks, recorder=self._context.recorder, metrics=self._context.metrics)
        # Created before kopf: at its end kopf cancels all tasks that were created after it.
        working = asyncio.create_task(work.run(), name="work")
        self._kopf = asyncio.create_task(self._watch(), name="kopf")
        signals = asyncio.create_task(self._catch_signals_again(), name="signals")
        try:
            await asyncio.wait({working, self._kopf, *reasons_to_end}, return_when=asyncio.FIRST_COMPLETED)
            died = not self._stop.is_set()
        finally:
            work.close()
            await asyncio.wait({working})
            self._stop_kopf.set()
            ended = await asyncio.gather(working, self._kopf, return_exceptions=True)
            signals.cancel()
        for failure in ended:
            if failure is not None:
                _log.error("the operator ends: %s", type(failure).__name__)
                died = True
        return 1 if died else 0

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)

    async def _catch_signals_again(self) -> None:
        # kopf installs its own handlers while it starts, which would end it before the workers have finished.
        await self._started.wait()
        self._catch_signals()
        served = ", ".join(self._context.settings.namespace) or "all namespaces"
        _log.info("serving %s as %s", served, self._context.instance)

    async def _watch(self) -> None:
        namespaces = self._context.settings.namespace
        dispatcher = Dispatcher(
            caches=self._context.caches,
            queues=self._context.queues,
            recently_deleted=self._recently_deleted,
            notifies=bool(self._context.settings.allowed_notify_url_hosts),
            default_ttl=self._context.settings.bot_ttl_seconds_after_finished,
        )
        if not await wait_until_served(self._context.kube, stop=self._stop_kopf):
            return
        await kopf.operator(
            registry=kopf_handlers(connection=self._connection, dispatcher=dispatcher),
            settings=kopf_settings(),
            memories=NoMemories(),
            clusterwide=not namespaces,
            namespaces=list(namespaces),
            standalone=True,
            stop_flag=self._stop_kopf,
            ready_flag=self._started,
        )


def _election(context: OperatorContext) -> LeaderElection:
    return LeaderElection(
        kube=context.kube,
        namespace=context.settings.system_namespace,
        name=context.settings.lease_name,
        identity=context.instance,
        clock=context.clock,
        monotonic=asyncio.get_running_loop().time,
    )


def _template_check(context: OperatorContext) -> DefaultTemplateCheck:
    settings = context.settings
    namespace = next(iter(settings.namespace), settings.system_namespace)
    return DefaultTemplateCheck(kube=context.kube, path=settings.bot_template_file, namespace=namespace)

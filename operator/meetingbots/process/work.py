"""What a leading process does: the controllers and background tasks of all slices."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

from meetingbots.bots import assembly as bots_assembly
from meetingbots.bots.rejoin.service import RejoinService
from meetingbots.credentials import assembly as credentials_assembly
from meetingbots.mappings import assembly as mappings_assembly
from meetingbots.mappings.recently_deleted import RecentlyDeletedMappings
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.controller import Controller
from meetingbots.runtime.object_cache import Key
from meetingbots.runtime.supervisor import Supervisor
from meetingbots.runtime.workers import Workers

_LAST_EVENTS_SECONDS: Final = 2.0


class Work:
    """Builds the slices and runs them.

    Shutdown: `close` closes the queues. Controllers finish what they have started, interruptible ones and background
    tasks are cancelled, and then unsaved tokens are stored and the last Events posted.
    """

    def __init__(self, context: OperatorContext, *, recently_deleted: RecentlyDeletedMappings) -> None:
        credentials = credentials_assembly.assemble(context)
        mappings = mappings_assembly.assemble(
            context,
            ports=mappings_assembly.CredentialPorts(
                sessions=credentials.sessions,
                personal_ids=credentials.personal_ids,
                reactivation=credentials.reactivation,
            ),
            recently_deleted=recently_deleted,
        )
        bots = bots_assembly.assemble(
            context, access_tokens=credentials.access_tokens, monotonic=asyncio.get_running_loop().time
        )
        self.rejoins: RejoinService = bots.rejoins
        self._queues = tuple(vars(context.queues).values())
        self._recorder = context.recorder
        self._metrics = context.metrics
        self._controllers = (*credentials.controllers, *mappings.controllers, *bots.controllers)
        self._background = mappings.background
        self._finish = credentials.finish
        self._closed = False
        self._supervisor = Supervisor(metrics=context.metrics, ending=lambda: self._closed)

    def close(self) -> None:
        """Hand out no more keys; `run` ends once what was started is finished."""
        self._closed = True
        for queue in self._queues:
            queue.close()

    async def run(self) -> None:
        """Work until `close`. A task that dies is restarted."""
        events = self._keep("events", self._recorder.run)
        finishing = [self._keep_workers(one) for one in self._controllers if not one.interruptible]
        interruptible = [self._keep_workers(one) for one in self._controllers if one.interruptible]
        interruptible += [self._keep("manual entries", run) for run in self._background]
        try:
            await asyncio.gather(*finishing)
        finally:
            await _cancel(*finishing, *interruptible)
            # Tokens that Zoom issued and Kubernetes has refused so far exist only here.
            await self._finish()
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

"""What a leading process runs, and the order in which it ends."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.runtime.controller import Controller
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.object_cache import Key
from meetingbots.runtime.supervisor import Supervisor
from meetingbots.runtime.workers import Workers

_LAST_EVENTS_SECONDS: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """What the slices run. `finish` stores what is still only in memory."""

    controllers: tuple[Controller[Key], ...]
    background: tuple[Callable[[], Awaitable[None]], ...]
    finish: Callable[[], Awaitable[None]]


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
        interruptible += [self._keep("manual entries", run) for run in self._tasks.background]
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

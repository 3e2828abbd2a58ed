"""Keeps tasks alive that must run for as long as the process works."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from meetingbots.runtime.backoff import Backoff
from meetingbots.runtime.metrics import Metrics

_log = logging.getLogger(__name__)
_BACKOFF: Final = Backoff(first=1.0, cap=60.0)


class Supervisor:
    """Restarts tasks that die, with growing pauses; logs and counts each death.

    `ending` says whether the process shuts down: then a task may end, and is not restarted.
    """

    def __init__(
        self,
        *,
        metrics: Metrics,
        ending: Callable[[], bool],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._restarts = metrics.task_restarts
        self._ending = ending
        self._sleep = sleep

    async def keep(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run `run` again and again until the process shuts down or this call is cancelled."""
        deaths = 0
        while True:
            try:
                await run()
                cause = "returned"
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                cause = "was cancelled"
            except Exception as error:
                # The type alone: the text of an exception can quote an object.
                cause = f"died of {type(error).__name__}"
            if self._ending():
                return
            deaths += 1
            self._restarts.labels(name).inc()
            delay = _BACKOFF.delay(deaths)
            _log.error("task %s %s, restart in %.0f s", name, cause, delay)
            await self._sleep(delay)

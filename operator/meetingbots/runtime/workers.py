"""Workers: take keys from a delay queue, reconcile each, and put it back for its next time or after a failure."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from meetingbots.kube.errors import KubeError
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.work_queue import WorkQueue
from meetingbots.runtime.worker_slots import Slots

K = TypeVar("K", bound=Hashable)

_log = logging.getLogger(__name__)
_FIRST_BACKOFF = 0.25
_LAST_BACKOFF = 30.0
_MAX_DOUBLINGS = 10
_MOST_BEGUN = 16


class Workers(Generic[K]):
    """Work on one queue: `count` keys at once, and up to 16 times as many begun that wait for a turn at Zoom.

    `reconcile(key)` answers in how many seconds it wants to see the key again (None: only when something happens).
    Whatever it raises is logged without values and tried again with growing delays: nothing is ever dropped.
    """

    def __init__(
        self,
        *,
        kind: str,
        queue: WorkQueue[K],
        reconcile: Callable[[K], Awaitable[float | None]],
        count: int,
        metrics: Metrics,
    ) -> None:
        self._kind = kind
        self._queue = queue
        self._reconcile = reconcile
        self._slots = Slots(count)
        self._begun = asyncio.Semaphore(_MOST_BEGUN * count)
        self._duration = metrics.reconcile_duration.labels(kind)
        self._failures: dict[K, int] = {}
        metrics.queue_depth.labels(kind).set_function(lambda: queue.ready)

    async def run(self) -> None:
        """Work until the queue is closed; what is under way then is finished first."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._begun.acquire()
                await self._slots.enter()
                key = await self._queue.get()
                if key is None:
                    return
                group.create_task(self._work(key), name=f"{self._kind} {key}")

    async def _work(self, key: K) -> None:
        with self._slots.held():
            with self._duration.time():
                after = await self._once(key)
            if after is not None:
                self._queue.add(key, after=after)
            self._queue.done(key)
        self._begun.release()

    async def _once(self, key: K) -> float | None:
        try:
            after = await self._reconcile(key)
        except KubeError as error:
            delay = self._backoff(key, error.retry_after)
            _log.warning("%s %s: %s; again in %.1f s", self._kind, key, error, delay)
            return delay
        except Exception as error:
            delay = self._backoff(key, None)
            # The traceback's lines, not its values: an exception text could quote an object.
            _log.error(
                "%s %s: defect %s%s; again in %.1f s", self._kind, key, type(error).__name__, _where(error), delay
            )
            return delay
        self._failures.pop(key, None)
        return after

    def _backoff(self, key: K, retry_after: float | None) -> float:
        failures = self._failures.get(key, 0)
        self._failures[key] = min(failures + 1, _MAX_DOUBLINGS)
        return max(retry_after or 0.0, min(_LAST_BACKOFF, _FIRST_BACKOFF * 2.0**failures))


def _where(error: BaseException) -> str:
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_qualname if hasattr(code, 'co_qualname') else code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " at " + " > ".join(frames[-4:])

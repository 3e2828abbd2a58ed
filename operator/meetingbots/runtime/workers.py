"""Workers take keys from a delay queue, reconcile each, and requeue it for its next time or after a failure."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Hashable
from functools import partial
from typing import Final, Generic, TypeVar

from meetingbots.kube.errors import KubeError
from meetingbots.runtime.backoff import Backoff
from meetingbots.runtime.controller import Controller
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.worker_slots import Slots

K = TypeVar("K", bound=Hashable)

_log = logging.getLogger(__name__)
_BACKOFF: Final = Backoff(first=0.25, cap=30.0)
_STARTED_PER_WORKER: Final = 16
_FRAMES: Final = 4


class Workers(Generic[K]):
    """Runs one controller.

    Besides its workers, up to 16 times as many keys may be started and wait for their account's rate limit at Zoom. A
    tenant has at most the controller's share of both. A failure is logged without values and retried with growing
    delays; no key is ever dropped.
    """

    def __init__(self, controller: Controller[K], *, metrics: Metrics) -> None:
        self._kind = controller.kind
        self._queue = controller.queue
        self._reconcile = controller.reconcile
        self._slots = Slots(controller.workers)
        self._started = asyncio.Semaphore(_STARTED_PER_WORKER * controller.workers)
        self._duration = metrics.reconcile_duration.labels(controller.kind)
        self._failures: dict[K, int] = {}
        share = controller.share or controller.workers
        self._queue.shares.limit(active=share, begun=_STARTED_PER_WORKER * share)
        metrics.queue_depth.labels(controller.kind).set_function(lambda: controller.queue.ready)

    async def run(self) -> None:
        """Work until the queue is closed, then finish what was started."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._started.acquire()
                await self._slots.enter()
                key = await self._queue.get()
                if key is None:
                    return
                group.create_task(self._work(key), name=f"{self._kind} {key}")

    async def _work(self, key: K) -> None:
        requeue_after: float | None = None
        try:
            lend, take_back = partial(self._queue.pause, key), partial(self._queue.resume, key)
            with self._slots.held(on_lend=lend, on_return=take_back), self._duration.time():
                requeue_after = await self._once(key)
        finally:
            # A task that is cancelled frees its key, too.
            if requeue_after is not None:
                self._queue.add(key, after=requeue_after)
            self._queue.done(key)
            self._started.release()

    async def _once(self, key: K) -> float | None:
        try:
            requeue_after = await self._reconcile(key)
        except KubeError as error:
            delay = self._delay(key, error.retry_after)
            _log.warning("%s %s: %s; retry in %.1f s", self._kind, key, error, delay)
            return delay
        except asyncio.CancelledError as error:
            if _cancelled_from_outside():
                raise
            return self._defect(key, error)
        except Exception as error:
            return self._defect(key, error)
        self._failures.pop(key, None)
        return requeue_after

    def _defect(self, key: K, error: BaseException) -> float:
        delay = self._delay(key, None)
        # The traceback's lines without values: the text of an exception can quote an object.
        _log.error("%s %s: defect %s%s; retry in %.1f s", self._kind, key, type(error).__name__, _where(error), delay)
        return delay

    def _delay(self, key: K, retry_after: float | None) -> float:
        self._failures[key] = failures = self._failures.get(key, 0) + 1
        return max(retry_after or 0.0, _BACKOFF.delay(failures))


def _cancelled_from_outside() -> bool:
    """Whether someone cancelled this task; awaiting another cancelled task raises CancelledError as well."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _where(error: BaseException) -> str:
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_qualname if hasattr(code, 'co_qualname') else code.co_name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " at " + " > ".join(frames[-_FRAMES:])

"""Controllers, the workers that reconcile their keys, and the supervisor that restarts tasks.

A tenant's thousand bots wait for their account's rate limit at Zoom and must not block the bots of other accounts. A
waiting task lends its slot to the next key. When its turn comes it gets a slot before all keys that are to start, and
only then calls Zoom: the token that it receives is delivered at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from traceback import walk_tb
from typing import Final, Generic, TypeVar

from meetingbots.kube.errors import KubeError
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.object_cache import Key
from meetingbots.runtime.plan import Backoff
from meetingbots.runtime.work_queue import WorkQueue

K = TypeVar("K", bound=Hashable)
_log = logging.getLogger(__name__)
_RESTART_BACKOFF: Final = Backoff(first=1.0, cap=60.0)
_RETRY_BACKOFF: Final = Backoff(first=0.25, cap=30.0)
_STARTED_PER_WORKER: Final = 16
_FRAMES: Final = 4
_HELD: ContextVar[_Slot | None] = ContextVar("meetingbots_slot", default=None)


@dataclass(frozen=True, kw_only=True)
class Controller(Generic[K]):
    """`workers` keys of `queue` are reconciled at once, of one tenant at most `share` (None: no bound).

    `reconcile(key)` returns the seconds until the next time, or None to wait for an event. It may raise anything. An
    `interruptible` controller is cancelled at shutdown: its steps may end anywhere. Any other finishes what it has
    begun, so its steps must be short.
    """

    kind: str
    queue: WorkQueue[K]
    reconcile: Callable[[K], Awaitable[float | None]]
    workers: int
    share: int | None = None
    interruptible: bool = False


@dataclass(frozen=True, kw_only=True)
class Tasks:
    """What the slices run. `finish` stores what is still only in memory."""

    controllers: tuple[Controller[Key], ...]
    background: tuple[Callable[[], Awaitable[None]], ...]
    finish: Callable[[], Awaitable[None]]


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
            delay = _RESTART_BACKOFF.delay(deaths)
            _log.error("task %s %s, restart in %.0f s", name, cause, delay)
            await self._sleep(delay)


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
            while (key := await self._next()) is not None:
                group.create_task(self._work(key), name=f"{self._kind} {key}")
                await asyncio.sleep(0)  # a task that is cancelled before it starts would not free its key

    async def _next(self) -> K | None:
        """Wait for a slot and a key that uses it; None once the queue is closed."""
        key: K | None = None
        async with AsyncExitStack() as unused:
            await self._started.acquire()
            unused.callback(self._started.release)
            await self._slots.enter()
            unused.callback(self._slots.leave)
            key = await self._queue.get()
            if key is not None:
                unused.pop_all()
        return key

    async def _work(self, key: K) -> None:
        requeue_after: float | None = 0.0  # also when it is cancelled
        try:
            lend, take_back = partial(self._queue.pause, key), partial(self._queue.resume, key)
            with self._slots.held(on_lend=lend, on_return=take_back), self._duration.time():
                requeue_after = await self._once(key)
        finally:
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
        return max(retry_after or 0.0, _RETRY_BACKOFF.delay(failures))


def _cancelled_from_outside() -> bool:
    """Whether someone cancelled this task; awaiting another cancelled task raises CancelledError as well."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def _where(error: BaseException) -> str:
    frames = [f"{frame.f_code.co_qualname}:{line}" for frame, line in walk_tb(error.__traceback__)]
    return " at " + " > ".join(frames[-_FRAMES:])


def _nothing() -> None: ...


class Slots:
    """A semaphore in which returning tasks go before starting ones."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._starting: deque[asyncio.Future[None]] = deque()
        self._returning: deque[asyncio.Future[None]] = deque()

    async def enter(self, *, returning: bool = False) -> None:
        """Wait for a slot; the work under `held` uses it."""
        if self._free > 0:
            self._free -= 1
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._returning if returning else self._starting).append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Return a slot, and wake the next waiter."""
        for queue in (self._returning, self._starting):
            while queue:
                waiter = queue.popleft()
                if not waiter.done():
                    waiter.set_result(None)
                    return
        self._free += 1

    @contextmanager
    def held(
        self, *, on_lend: Callable[[], None] = _nothing, on_return: Callable[[], None] = _nothing
    ) -> Iterator[None]:
        """The work within, and the tasks that it starts, use the entered slot; the end leaves it.

        `on_lend` and `on_return` run when the work lends the slot and when it has one again.
        """
        slot = _Slot(self, on_lend=on_lend, on_return=on_return)
        before = _HELD.set(slot)
        try:
            yield
        finally:
            _HELD.reset(before)
            slot.close()


class _Slot:
    """A slot in use, lent while any part of the work waits (tokens of several kinds are fetched in parallel)."""

    def __init__(self, slots: Slots, *, on_lend: Callable[[], None], on_return: Callable[[], None]) -> None:
        self._slots = slots
        self._on_lend = on_lend
        self._on_return = on_return
        self._waits = 0
        self._has = True
        self._open = True
        self._entering = False

    def lend(self) -> None:
        self._waits += 1
        if self._has:
            self._has = False
            self._on_lend()
            self._slots.leave()

    async def take_back(self) -> None:
        self._waits -= 1
        if self._waits or self._has or self._entering or not self._open:
            return
        self._entering = True
        try:
            await self._slots.enter(returning=True)
        finally:
            self._entering = False
        if self._open:
            self._has = True
            self._on_return()
        else:
            self._slots.leave()

    def close(self) -> None:
        """End the work; tasks that it left running use no slot."""
        self._open = False
        if self._has:
            self._has = False
            self._slots.leave()


@asynccontextmanager
async def lent() -> AsyncIterator[None]:
    """Lend the slot of the current work while it waits; does nothing outside of a slot."""
    slot = _HELD.get()
    if slot is None:
        yield
        return
    slot.lend()
    try:
        yield
    finally:
        await slot.take_back()

"""A reconciler with its queue: the unit that a slice hands to the process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from meetingbots.runtime.work_queue import WorkQueue

K = TypeVar("K", bound=Hashable)


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

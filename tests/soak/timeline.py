"""Steps that run at their times, one after another; a step that cannot run yet is tried again."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable
from typing import Final

import httpx

from tests.cluster.api import ApiError

AGAIN_SECONDS: Final = 0.3
_NOT_NOW: Final = frozenset({401, 403, 429})


class NotYet(Exception):  # noqa: N818 - nothing is wrong
    """The step waits for something that has not happened yet."""


class Timeline:
    """A queue of steps; the times are seconds since `begin`."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._steps: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def begin(self) -> None:
        """Start the time."""
        self._began = self._clock()

    @property
    def now(self) -> float:
        """Seconds since `begin`."""
        return self._clock() - self._began

    @property
    def left(self) -> int:
        """The number of steps that have not run."""
        return len(self._steps)

    def add(self, at: float, step: Callable[[], None]) -> None:
        """Run `step` at `at`."""
        heapq.heappush(self._steps, (at, next(self._numbers), step))

    def run_due(self) -> None:
        """Run what is due; while the API server is away, a step is due again later."""
        now = self.now
        while self._steps and self._steps[0][0] <= now:
            _, _, step = heapq.heappop(self._steps)
            try:
                step()
            except (NotYet, OSError, httpx.TransportError):
                self.add(self.now + AGAIN_SECONDS, step)
            except ApiError as error:
                if error.status not in _NOT_NOW and error.status < 500:
                    raise
                self.add(self.now + AGAIN_SECONDS, step)

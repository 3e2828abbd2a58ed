"""An event loop with a virtual clock: waiting for a timer moves its clock at once, so that nothing sleeps.

For code without sockets. `run(main)` runs a coroutine on such a loop; in it, `asyncio.get_running_loop().time` is the
clock to pass in, and `asyncio.sleep(seconds)` moves it.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _NoWait(selectors.DefaultSelector):
    """Instead of waiting for `timeout` seconds it moves the clock on by them."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise AssertionError("everything waits, and for nothing that could ever happen")
        self.now += max(timeout, 0.0)
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        return ready


class _VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._selector_without_wait = _NoWait()
        super().__init__(self._selector_without_wait)

    def time(self) -> float:
        return self._selector_without_wait.now


def run(main: Coroutine[Any, Any, T]) -> T:
    """The result of `main`; fails where it would wait for ever."""
    with asyncio.Runner(loop_factory=_VirtualLoop) as runner:
        return runner.run(main)


async def turns(count: int = 10) -> None:
    """Let the other tasks run until they wait for something; no time passes."""
    for _ in range(count):
        await asyncio.sleep(0)

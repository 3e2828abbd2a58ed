"""The simulator's clock, which measures every lifetime, window and retry, so that tests can move time."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime


def iso(seconds: float) -> str:
    """Write epoch seconds the way Zoom writes times: `2026-11-24T12:00:00Z`."""
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class SimClock:
    """A clock that runs at real speed times a factor and can be advanced and skewed.

    `now()` is true simulated time (epoch seconds), for lifetimes and rate limits. `shown()` adds the skew; Zoom writes
    it into signatures, event times and answers. A factor of 0 stops the clock; then only `advance` moves it. Safe to
    use from several threads.
    """

    def __init__(
        self,
        *,
        start: float | None = None,
        factor: float = 1.0,
        skew: float = 0.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        if factor < 0:
            raise ValueError("the clock's factor must not be negative")
        self._lock = threading.Lock()
        self._monotonic = monotonic
        self._base = time.time() if start is None else start
        self._since = monotonic()
        self._factor = factor
        self._skew = skew
        self._sleepers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    @property
    def factor(self) -> float:
        """Simulated seconds per real second."""
        return self._factor

    @property
    def skew(self) -> float:
        """Seconds by which the times that are shown to others are ahead of true time."""
        return self._skew

    def now(self) -> float:
        """Get the true simulated time in epoch seconds."""
        with self._lock:
            return self._base + (self._monotonic() - self._since) * self._factor

    def shown(self) -> float:
        """Get the time that Zoom's servers show, in epoch seconds."""
        return self.now() + self._skew

    def advance(self, seconds: float) -> None:
        """Move time forward at once and wake the sleepers on this clock."""
        if seconds < 0:
            raise ValueError("time goes forward only")
        with self._lock:
            self._base += seconds
        self._wake()

    def set_factor(self, factor: float) -> None:
        """Change the speed from now on; 0 stops the clock."""
        if factor < 0:
            raise ValueError("the clock's factor must not be negative")
        with self._lock:
            now = self._monotonic()
            self._base += (now - self._since) * self._factor
            self._since = now
            self._factor = factor
        self._wake()

    def set_skew(self, seconds: float) -> None:
        """Set the error of Zoom's shown times (positive: Zoom's clock is ahead)."""
        self._skew = seconds

    async def sleep_until(self, when: float) -> None:
        """Wait until the clock shows `when` (epoch seconds, true time), by running or by `advance`."""
        changed = asyncio.Event()
        sleeper = (asyncio.get_running_loop(), changed)
        with self._lock:
            self._sleepers.add(sleeper)
        try:
            # The sleeper is listed before the time is read, so an advance in between cannot be missed.
            while (left := when - self.now()) > 0:
                changed.clear()
                real = left / self._factor if self._factor > 0 else None
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(real):
                        await changed.wait()
        finally:
            with self._lock:
                self._sleepers.discard(sleeper)

    async def sleep(self, seconds: float) -> None:
        """Wait for this many simulated seconds."""
        await self.sleep_until(self.now() + seconds)

    def _wake(self) -> None:
        with self._lock:
            sleepers = list(self._sleepers)
        for loop, changed in sleepers:
            with contextlib.suppress(RuntimeError):  # its loop is closed
                loop.call_soon_threadsafe(changed.set)

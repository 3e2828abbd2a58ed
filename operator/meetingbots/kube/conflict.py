"""Optimistic concurrency: read, decide and write again when another writer was faster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from meetingbots.kube.errors import AlreadyExistsError, ConflictError

T = TypeVar("T")


async def _no_pause(_: int) -> None: ...


async def retry_on_conflict(
    attempt: Callable[[], Awaitable[T]],
    *,
    what: str,
    tries: int = 5,
    pause: Callable[[int], Awaitable[None]] = _no_pause,
) -> T:
    """Return the result of the first `attempt` that meets no conflict.

    An attempt reads the object, and creates or patches it with its resourceVersion. `pause(n)` runs after the n-th
    conflict. Raises `ConflictError`, which names `what`, after `tries` conflicts, and any other error at once.
    """
    for conflicts in range(1, tries + 1):
        try:
            return await attempt()
        except (ConflictError, AlreadyExistsError):
            if conflicts < tries:
                await pause(conflicts)
    raise ConflictError(f"{what} changed during each of {tries} tries to write it", status=409, reason="Conflict")

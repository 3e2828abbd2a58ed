"""The API server's errors, and the retry after a conflict."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class KubeError(Exception):
    """A refusal by the API server.

    `status` is the HTTP code, `reason` the machine-readable word of the Status object (Kubernetes API conventions,
    "Response Status Kind"), `retry_after` in seconds where the server names it.
    """

    def __init__(self, message: str, *, status: int = 0, reason: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.retry_after = retry_after


class NotFoundError(KubeError):
    """The object (or its namespace, or its kind) does not exist."""


class ConflictError(KubeError):
    """The object changed after it was read."""


class AlreadyExistsError(KubeError):
    """An object of that name exists; it may be in deletion."""


class ForbiddenError(KubeError):
    """Not allowed, by access rights, a quota, Pod Security, or because the namespace is in deletion."""

    @property
    def quota_exceeded(self) -> bool:
        """Whether a ResourceQuota rejected it, which changes as soon as there is room."""
        return "exceeded quota" in str(self)


class InvalidError(KubeError):
    """The object itself was refused: a validation rule or an admission webhook; asking again changes nothing."""


class ExpiredError(KubeError):
    """The watch or list position is too old (410): list again."""


class UnavailableError(KubeError):
    """No definite response: broken connection, time-out, 429 or 5xx. The request may have been carried out."""


_BY_STATUS: dict[int, type[KubeError]] = {
    400: InvalidError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: ExpiredError,
    413: InvalidError,
    422: InvalidError,
}


def from_status(*, status: int, body: dict[str, Any], retry_after: str | None = None) -> KubeError:
    """The exception for a response with this HTTP code and Status object, which may be empty."""
    reason = str(body.get("reason", ""))
    message = str(body.get("message", "")) or f"HTTP {status}"
    seconds = float(retry_after) if retry_after and retry_after.isdecimal() else None
    if status == 409 and reason == "AlreadyExists":
        kind: type[KubeError] = AlreadyExistsError
    else:
        kind = _BY_STATUS.get(status, UnavailableError if status == 429 or status >= 500 else KubeError)
    return kind(message, status=status, reason=reason, retry_after=seconds)


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

"""What can go wrong on the way to a customer's address. No text quotes an answer, a path, a query or a header."""

from __future__ import annotations


class EgressError(Exception):
    """Nothing usable came back. `retry_after` is the pause in seconds that the other side asked for, if it did."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.retry_after = retry_after


class AddressNotAllowedError(EgressError):
    """The address is one that we do not ask: nothing was sent."""

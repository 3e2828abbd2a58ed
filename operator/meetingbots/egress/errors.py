"""Failures of requests to a tenant's address. No text quotes a response, path, query or header."""

from __future__ import annotations


class EgressError(Exception):
    """There was no usable response. `retry_after` is the server's Retry-After in seconds."""

    def __init__(self, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.retry_after = retry_after


class AddressNotAllowedError(EgressError):
    """The address is not allowed; nothing was sent."""

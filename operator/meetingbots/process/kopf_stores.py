"""kopf storages that store nothing.

kopf copies each object of each event several times to find differences and progress for handlers that this operator
does not have. With these storages an event costs no deep copy.
"""

from __future__ import annotations

from typing import Any, cast

import kopf


class NoDifferences(kopf.DiffBaseStorage):
    """Every object has the same, empty essence."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Return an empty essence."""
        return cast("kopf.BodyEssence", {})

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        """Return nothing."""
        return None

    def store(self, **_: Any) -> None:
        """Store nothing."""


class NoProgress(kopf.ProgressStorage):
    """Handlers have no progress."""

    def fetch(self, **_: Any) -> None:
        """Return nothing."""

    def store(self, **_: Any) -> None:
        """Store nothing."""

    def purge(self, **_: Any) -> None:
        """Remove nothing."""

    def touch(self, **_: Any) -> None:
        """Write nothing."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """Return the essence unchanged."""
        return essence

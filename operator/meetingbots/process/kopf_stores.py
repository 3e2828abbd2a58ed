"""kopf without its memory of objects: nothing of ours asks for differences or progress, so nothing is copied for them.

kopf copies each object of each event several times to compare it with the last one, for handlers that this operator
does not have. With these stores there is nothing to compare and nothing to keep, and no event costs a deep copy.
"""

from __future__ import annotations

from typing import Any, cast

import kopf


class NoDifferences(kopf.DiffBaseStorage):
    """All objects look the same, and the same as before."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Give nothing to compare."""
        return cast("kopf.BodyEssence", {})

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        """Know nothing from before."""
        return None

    def store(self, **_: Any) -> None:
        """Keep nothing."""


class NoProgress(kopf.ProgressStorage):
    """No handler's progress is kept: ours have none."""

    def fetch(self, **_: Any) -> None:
        """Know nothing from before."""

    def store(self, **_: Any) -> None:
        """Keep nothing."""

    def purge(self, **_: Any) -> None:
        """Have nothing to remove."""

    def touch(self, **_: Any) -> None:
        """Write nothing."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """Leave it as it is: nothing of ours is in it."""
        return essence

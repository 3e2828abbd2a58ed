"""Plays a node on which every bot fails at once."""

from datetime import UTC, datetime

from tests.bench.burst.player import Player


class FailingPods(Player):
    """Reports every Pod of the namespace as failed."""

    async def _wait(self, name: str) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        state = {"exitCode": 1, "reason": "Error", "finishedAt": now, "startedAt": now}
        await self._report(name, "Failed", {"terminated": state})

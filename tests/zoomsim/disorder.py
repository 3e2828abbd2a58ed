"""Events that arrive twice, late, and so out of order, drawn from a seed."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Disorder:
    """How often an event comes twice, how often a copy is late, and by how many seconds (simulated) at most."""

    chance: random.Random
    doubled: float = 0.3
    late: float = 0.4
    most_seconds: float = 3.0

    def delays(self, copies: int) -> tuple[float, ...]:
        """Give the delay of each copy that is sent."""
        doubled = self.chance.random() < self.doubled
        return tuple(self._delay() for _ in range(copies + doubled))

    def _delay(self) -> float:
        return self.chance.uniform(0.0, self.most_seconds) if self.chance.random() < self.late else 0.0

"""Percentiles and rates from what was seen; pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """Seconds: half are below `p50`, 99 of 100 below `p99`, all up to `top`."""

    p50: float
    p99: float
    top: float

    def __str__(self) -> str:
        return f"p50 {self.p50:6.3f}  p99 {self.p99:6.3f}  max {self.top:6.3f} s"


def spread(values: Sequence[float]) -> Spread:
    """The spread of at least one value (nearest rank)."""
    if not values:
        raise ValueError("nothing was seen")
    ordered = sorted(values)

    def rank(percent: float) -> float:
        return ordered[min(len(ordered) - 1, max(0, -(-len(ordered) * percent // 100).__int__() - 1))]

    return Spread(rank(50), rank(99), ordered[-1])


def used_share(times: Sequence[float], *, limit: int) -> float:
    """How much of the allowed calls was made while there were more to make, if any second may hold `limit`.

    So many whole seconds from the first call on may hold `limit` each; in the last one begun the work runs out. Where
    all was done within a second nothing was held up.
    """
    first = min(times)
    seconds = math.floor(max(times) - first)
    if seconds == 0:
        return 1.0
    return sum(moment - first < seconds for moment in times) / (limit * seconds)


def per_bot(before: Mapping[str, float], after: Mapping[str, float], *, bots: int) -> dict[str, float]:
    """By how much each count grew, for each bot; what did not grow is left out."""
    grown = {key: (value - before.get(key, 0.0)) / bots for key, value in after.items()}
    return {key: value for key, value in sorted(grown.items()) if value > 0}

"""A bounded, fair choice among many candidates, so that no tenant uses up a common budget."""

from __future__ import annotations

from collections import defaultdict
from random import Random
from typing import Generic, TypeVar

T = TypeVar("T")


class FairSample(Generic[T]):
    """Keeps a random sample of at most `size` candidates of each group."""

    def __init__(self, *, size: int, random: Random) -> None:
        self._size = size
        self._random = random
        self._kept: defaultdict[str, list[T]] = defaultdict(list)
        self._seen: defaultdict[str, int] = defaultdict(int)

    def add(self, group: str, candidate: T) -> None:
        """Add a candidate; each of a group has the same chance to be kept (reservoir sampling)."""
        kept = self._kept[group]
        self._seen[group] += 1
        if len(kept) < self._size:
            kept.append(candidate)
            return
        place = self._random.randrange(self._seen[group])
        if place < self._size:
            kept[place] = candidate

    def choose(self, limit: int) -> list[T]:
        """Return up to `limit` candidates: one of each group in turn, groups and candidates in random order."""
        groups = list(self._kept.values())
        self._random.shuffle(groups)
        for group in groups:
            self._random.shuffle(group)
        turns = max(map(len, groups), default=0)
        return [group[turn] for turn in range(turns) for group in groups if turn < len(group)][:limit]

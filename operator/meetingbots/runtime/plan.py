"""The result of every decision: a status, at most one action, and when to decide again; and growing pauses."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

StatusT = TypeVar("StatusT")
ActionT = TypeVar("ActionT")
_MAX_EXPONENT: Final = 64
"""Larger powers change nothing below any sensible cap, and would overflow a float."""


@dataclass(frozen=True, kw_only=True)
class Plan(Generic[StatusT, ActionT]):
    """What a pure `decide(facts)` returns; `apply` carries out the action.

    An action is a small frozen dataclass named as a command, such as `CreatePod`. `requeue_after` is in seconds; None
    means that only a new event leads to the next decision.
    """

    status: StatusT
    action: ActionT | None = None
    requeue_after: float | None = None


@dataclass(frozen=True, kw_only=True)
class Backoff:
    """Exponential backoff: `first`, `first * factor`, … up to `cap` seconds, each ± the fraction `jitter`.

    Without jitter the delay depends on the count alone, so that a pure decision may use it.
    """

    first: float
    cap: float
    factor: float = 2.0
    jitter: float = 0.0

    def delay(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row; fewer than one count as one."""
        exponent = min(max(failures, 1) - 1, _MAX_EXPONENT)
        seconds = min(self.cap, self.first * self.factor**exponent)
        if not self.jitter:
            return seconds
        return seconds * random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311 - spreads load, hides nothing

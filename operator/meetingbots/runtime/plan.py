"""The result of every decision: a status to write, at most one action, and when to decide again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

StatusT = TypeVar("StatusT")
ActionT = TypeVar("ActionT")


@dataclass(frozen=True, kw_only=True)
class Plan(Generic[StatusT, ActionT]):
    """What a pure `decide(facts)` returns; `apply` carries out the action.

    An action is a small frozen dataclass named as a command, such as `CreatePod`. `requeue_after` is in seconds; None
    means that only a new event leads to the next decision.
    """

    status: StatusT
    action: ActionT | None = None
    requeue_after: float | None = None

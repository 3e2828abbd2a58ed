"""Decides whether the Pod of a running bot may get another join token, and how often. Pure; time is an argument.

A token serves one join. A bot that was removed from the meeting and joins again within its Pod needs another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from meetingbots.bots.decide.pod_state import PodState
from meetingbots.models.bot import BotPhase, BotReason, MeetingBot

BURST: Final = 3
"""How many tokens a Pod may request at once."""
SECONDS_EACH: Final = 10.0
"""How long it takes until the Pod may request one more."""
LEAVING: Final = "Leaving"
_RETRY_SECONDS: Final = 1.0
_FULL_AGAIN_SECONDS: Final = BURST * SECONDS_EACH


@dataclass(frozen=True)
class RejoinDenied:
    """The caller is not a bot's present Pod, or its bot must not use the endpoint."""

    message: str


@dataclass(frozen=True)
class NotYet:
    """There is no answer now. The same request may succeed after `retry_after` seconds."""

    message: str
    retry_after: float = _RETRY_SECONDS


@dataclass(frozen=True)
class NoToken:
    """There is no token: a CamelCase reason and a sentence. `retry_after` is set where waiting may help."""

    reason: str
    message: str
    retry_after: float | None = None


Denial: TypeAlias = RejoinDenied | NotYet | NoToken


def denial(bot: MeetingBot, pod: PodState, *, has_access: bool) -> Denial | None:
    """Why the Pod gets no token for its bot; None if it may have one.

    `has_access`: the Pod was created while tokenEndpoint was set.
    """
    phase = bot.status.phase
    if not has_access:
        return RejoinDenied("tokenEndpoint was not set when this Pod was made.")
    if bot.status.pod_name != pod.name or pod.over:
        return RejoinDenied("This Pod is not its bot's present one.")
    if phase is BotPhase.STAGING:
        return NotYet("The bot has only just started.")  # The operator is about to record the start.
    if phase not in (BotPhase.JOINING, BotPhase.RUNNING):
        return RejoinDenied(f"The bot is not in its meeting; its phase is {phase or BotPhase.PENDING}.")
    if bot.spec.suspend:
        return NoToken(BotReason.SUSPENDED, "The bot is suspended and must leave.")
    if pod.deleting:
        return NoToken(LEAVING, "The Pod is being deleted, so the bot must leave.")
    return None


@dataclass(frozen=True)
class RejoinAllowance:
    """The number of requests that a Pod had left at the time `at` (monotonic seconds)."""

    left: float
    at: float

    def is_full(self, *, now: float) -> bool:
        """Whether it is back to its initial value, so that it need not be kept."""
        return now - self.at >= _FULL_AGAIN_SECONDS


@dataclass(frozen=True)
class Taken:
    """The allowance after a request. `wait` above 0: the request is refused, and may be repeated after so long."""

    allowance: RejoinAllowance
    wait: float


def take(known: RejoinAllowance | None, *, now: float) -> Taken:
    """Count one request. Refused ones do not count."""
    before = known or RejoinAllowance(left=BURST, at=now)
    left = min(float(BURST), before.left + max(0.0, now - before.at) / SECONDS_EACH)
    if left < 1:
        return Taken(RejoinAllowance(left=left, at=now), wait=(1 - left) * SECONDS_EACH)
    return Taken(RejoinAllowance(left=left - 1, at=now), wait=0.0)

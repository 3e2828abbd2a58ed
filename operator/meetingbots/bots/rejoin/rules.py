"""Whether a bot that runs may have a further join token, and how often: pure, the time is an argument.

A token serves for one join. A bot that was put out and joins again within its Pod needs another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from meetingbots.bots.decide.pod_state import PodState
from meetingbots.models.bot import BotPhase, BotReason, MeetingBot

BURST: Final = 3
"""How many tokens a Pod may ask for at once."""
SECONDS_EACH: Final = 10.0
"""How long it takes until it may ask for one more."""
LEAVING: Final = "Leaving"
_NOT_YET_SECONDS: Final = 1.0
_FULL_AGAIN_SECONDS: Final = BURST * SECONDS_EACH


@dataclass(frozen=True)
class NotAllowed:
    """Whoever asks is not a bot's present Pod, or not one that may ask."""

    message: str


@dataclass(frozen=True)
class NotYet:
    """It cannot be told now; the same request may succeed after so many seconds."""

    message: str
    retry_after: float = _NOT_YET_SECONDS


@dataclass(frozen=True)
class NoToken:
    """There is no token: a reason in one CamelCase word and a sentence. `retry_after` only where waiting may help."""

    reason: str
    message: str
    retry_after: float | None = None


Denial: TypeAlias = NotAllowed | NotYet | NoToken


def denial(bot: MeetingBot, pod: PodState, *, has_access: bool) -> Denial | None:
    """Why the Pod gets no token for its bot; None if it may have one. `has_access`: it was made with tokenEndpoint."""
    phase = bot.status.phase
    if not has_access:
        return NotAllowed("tokenEndpoint was not set when this Pod was made.")
    if bot.status.pod_name != pod.name or pod.over:
        return NotAllowed("This Pod is not its bot's present one.")
    if phase is BotPhase.STAGING:
        # It is in its Pod already, and that is about to be known.
        return NotYet("The bot has only just started.")
    if phase not in (BotPhase.JOINING, BotPhase.RUNNING):
        return NotAllowed(f"The bot is not in its meeting; its phase is {phase or BotPhase.PENDING}.")
    if bot.spec.suspend:
        return NoToken(BotReason.SUSPENDED, "The bot was suspended and is to leave.")
    if pod.deleting:
        return NoToken(LEAVING, "The bot was told to leave.")
    return None


@dataclass(frozen=True)
class Allowance:
    """How many requests a Pod had left `at` a moment (monotonic seconds)."""

    left: float
    at: float

    def is_full(self, *, now: float) -> bool:
        """Whether there is nothing to remember any more."""
        return now - self.at >= _FULL_AGAIN_SECONDS


@dataclass(frozen=True)
class Taken:
    """The allowance after a request; with `wait` above 0 the request is refused, and may come again in that time."""

    allowance: Allowance
    wait: float


def take(known: Allowance | None, *, now: float) -> Taken:
    """Count one request. Refused ones do not count."""
    before = known or Allowance(left=BURST, at=now)
    left = min(float(BURST), before.left + max(0.0, now - before.at) / SECONDS_EACH)
    if left < 1:
        return Taken(Allowance(left=left, at=now), wait=(1 - left) * SECONDS_EACH)
    return Taken(Allowance(left=left - 1, at=now), wait=0.0)

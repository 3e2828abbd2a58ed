"""Decides whether the Pod of a running bot may get another join token, or report its progress. Pure.

A token serves one join. A bot that was removed from the meeting and joins again within its Pod needs another one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

from pydantic import SecretStr

from meetingbots.bots.decide.pod_state import PodState
from meetingbots.models.bot import BotPhase, BotReason, MeetingBot

LEAVING: Final = "Leaving"
_RETRY_SECONDS: Final = 1.0
_NO_ACCESS: Final = "tokenEndpoint was not set when this Pod was made."


@dataclass(frozen=True)
class Unknown:
    """The presented token is no valid token of a Pod for this audience."""


@dataclass(frozen=True)
class TooOften:
    """The caller has sent too many requests, and may send the next after `retry_after` seconds."""

    retry_after: float


@dataclass(frozen=True)
class RejoinDenied:
    """The caller is not a bot's current Pod, or its bot must not use the endpoint."""

    message: str


@dataclass(frozen=True)
class NotYet:
    """There is no answer now. The same request may succeed after `retry_after` seconds."""

    message: str
    retry_after: float = _RETRY_SECONDS


@dataclass(frozen=True)
class Extras:
    """What a bot needs for a join besides the recording token, as far as its spec asks for it."""

    sdk_jwt: SecretStr | None = field(default=None, repr=False)
    on_behalf: SecretStr | None = field(default=None, repr=False)


@dataclass(frozen=True)
class NoToken:
    """There is no recording token: a CamelCase reason and a sentence. `retry_after` is set where waiting may help."""

    reason: str
    message: str
    retry_after: float | None = None
    extras: Extras = field(default_factory=Extras)


@dataclass(frozen=True)
class Outdated:
    """The report comes from an earlier Pod of the bot, or from a bot that has finished."""

    message: str


Denial: TypeAlias = RejoinDenied | NotYet | NoToken


def token_denial(bot: MeetingBot, pod: PodState, *, has_access: bool) -> Denial | None:
    """Why the Pod gets no token for its bot; None if it may have one.

    `has_access`: the Pod was created while tokenEndpoint was set.
    """
    phase = bot.status.phase
    if not has_access:
        return RejoinDenied(_NO_ACCESS)
    if bot.status.pod_name != pod.name or pod.over:
        return RejoinDenied("This Pod is not its bot's current one.")
    if phase is BotPhase.STAGING:
        return NotYet("The bot has only just started.")  # The operator is about to record the start.
    if phase not in (BotPhase.JOINING, BotPhase.RUNNING):
        return RejoinDenied(f"The bot is not in its meeting; its phase is {phase or BotPhase.PENDING}.")
    if bot.spec.suspend:
        return NoToken(BotReason.SUSPENDED, "The bot is suspended and must leave.")
    if pod.deleting:
        return NoToken(LEAVING, "The Pod is being deleted, so the bot must leave.")
    return None


def report_denial(bot: MeetingBot, pod: PodState, *, has_access: bool) -> RejoinDenied | Outdated | None:
    """Why a report of the Pod about its bot is rejected; None if it counts. A leaving bot may report."""
    if not has_access:
        return RejoinDenied(_NO_ACCESS)
    if bot.status.pod_name != pod.name or bot.status.accounted or pod.over:
        return Outdated("This Pod is not its bot's current one.")
    if bot.status.finished:
        return Outdated("The bot has finished.")
    return None

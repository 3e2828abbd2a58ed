"""What the end of a bot's Pod means: one table from the kubelet's report to the outcome.

The first row that matches counts. docs/users/bot-ends.md explains the same rows.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from meetingbots.bots.decide.pod_state import ContainerState, PodState
from meetingbots.bots.decide.pod_texts import telling_line

TRY_AGAIN_EXIT_CODE: Final = 75
"""sysexits' EX_TEMPFAIL: the bot requests a new Pod with new tokens."""
_CLOCK_SKEW: Final = timedelta(seconds=5)
"""How far a node's clock, which dates a container's end, may be behind the API server's, which dates a deletion."""
_NODE_REASONS: Final = frozenset(
    {
        "Evicted",
        "NodeAffinity",
        "NodeLost",
        "NodeShutdown",
        "PodDisruptionByTaintManager",
        "Preempted",
        "Preempting",
        "Shutdown",
        "Terminated",
        "UnexpectedAdmissionError",
    }
)
_OWN_LIMIT: Final = re.compile(r"exceed(s|ed) (the|its) .*limit")
"""Evictions for limits of the Pod itself (kubelet, pkg/kubelet/eviction): emptyDir sizeLimit, ephemeral-storage."""
_STATE_LOST: Final = frozenset({"ContainerStatusUnknown", "Unknown"})
"""The node restarted or lost the container: the exit code (137, 255) is made up by kubelet or runtime."""
_PLAIN: Final = frozenset({"", "Error", "Completed"})
"""Reasons that say no more than the exit code."""
_NOT_STARTED: Final = frozenset({"StartError", "ContainerCannotRun"})


class Outcome(StrEnum):
    """What a Pod's end means."""

    DONE = "Done"
    FAILED = "Failed"
    LOST = "Lost"
    TOO_LONG = "TooLong"
    TRY_AGAIN = "TryAgain"


@dataclass(frozen=True)
class PodEnd:
    """The end of a Pod: its outcome, a sentence without its full stop, and the container that decided it."""

    outcome: Outcome
    message: str
    container: ContainerState | None = None
    record: str = ""
    """What ``status.lastAttempt`` records, if it is more than `message`: the end of the container's output."""


_Row = Callable[[PodState], PodEnd | None]


def pod_end(pod: PodState) -> PodEnd:
    """The end of a Pod that is over."""
    return next(end for row in _TABLE if (end := row(pod)) is not None)


def ended_from_outside(pod: PodState) -> bool:
    """Whether container `bot` ended because its Pod had to end, and not by itself before that."""
    if pod.end_requested_at is None:
        return False
    finished = pod.bot.finished_at if pod.bot is not None else None
    return finished is None or finished >= pod.end_requested_at - _CLOCK_SKEW


def _over_own_limit(pod: PodState) -> PodEnd | None:
    if pod.reason != "Evicted" or _OWN_LIMIT.search(pod.message) is None:
        return None
    return PodEnd(
        Outcome.FAILED, f"Pod {pod.name} was evicted for a limit of its own: {_sentence(pod.message)}", pod.bot
    )


def _end_requested(pod: PodState) -> PodEnd | None:
    if not ended_from_outside(pod):
        return None
    cause = f": {_sentence(pod.disruption)}" if pod.disruption else " was deleted"
    return PodEnd(Outcome.LOST, f"Pod {pod.name}{cause}")


def _lost_by_node(pod: PodState) -> PodEnd | None:
    lost = pod.reason in _NODE_REASONS or pod.reason.startswith("OutOf")
    if pod.phase != "Failed" or not lost:
        return None
    return PodEnd(Outcome.LOST, f"Pod {pod.name}: {_sentence(pod.message) or pod.reason}")


def _deadline_exceeded(pod: PodState) -> PodEnd | None:
    if pod.reason != "DeadlineExceeded":
        return None
    return PodEnd(Outcome.TOO_LONG, f"Pod {pod.name} exceeded its activeDeadlineSeconds")


def _succeeded(pod: PodState) -> PodEnd | None:
    if pod.phase != "Succeeded" and (pod.bot is None or pod.bot.exit_code != 0):
        return None
    output = pod.bot.message if pod.bot else ""
    return PodEnd(Outcome.DONE, f"The bot has left the meeting; Pod {pod.name} ended", pod.bot, output)


def _state_lost(pod: PodState) -> PodEnd | None:
    container = _decisive(pod)
    if container is None or container.reason not in _STATE_LOST:
        return None
    where = f" on node {pod.node}" if pod.node else ""
    return PodEnd(Outcome.LOST, f"The state of container {container.name} of Pod {pod.name}{where} was lost", container)


def _asks_for_new_pod(pod: PodState) -> PodEnd | None:
    bot = pod.bot
    if bot is None or bot.exit_code != TRY_AGAIN_EXIT_CODE:
        return None
    message = "The bot requests a new Pod (exit code 75): its user is not in the meeting yet"
    return PodEnd(Outcome.TRY_AGAIN, message, bot, bot.message)


def _container_failed(pod: PodState) -> PodEnd | None:
    container = _decisive(pod)
    if container is None:
        return None
    line, output = telling_line(container.message), container.message.strip()
    message = _exit_of(container, pod.name)
    record = output if container.reason in _PLAIN else f"{message}.\n{output}".strip()
    return PodEnd(Outcome.FAILED, f"{message}: {line}" if line else message, container, record)


def _rejected(pod: PodState) -> PodEnd:
    return PodEnd(
        Outcome.LOST, f"Pod {pod.name} was rejected: {_sentence(pod.message) or pod.reason or 'no reason given'}"
    )


_TABLE: Final[tuple[_Row, ...]] = (
    _over_own_limit,  # reason Evicted, a limit that the template sets → failed
    _end_requested,  # deleted, evicted, preempted, drained while the bot ran → lost
    _deadline_exceeded,  # reason DeadlineExceeded → ran too long
    _lost_by_node,  # reason Evicted, Terminated, OutOfcpu, NodeLost, … → lost
    _succeeded,  # exit code 0 → done
    _state_lost,  # container reason ContainerStatusUnknown, Unknown → lost
    _asks_for_new_pod,  # exit code 75 → a new Pod with new tokens
    _container_failed,  # any other exit code of bot, or of an init container → failed
    _rejected,  # no container has ended → lost
)


def _decisive(pod: PodState) -> ContainerState | None:
    """The container with which the attempt failed: `bot` if it ended, else the first init container that failed."""
    if pod.bot is not None and pod.bot.terminated:
        return pod.bot
    return next((one for one in pod.init if one.exit_code), None)


def _exit_of(container: ContainerState, pod: str) -> str:
    """How a container ended: its exit code, and the signal or reason behind it."""
    name, code = f"Container {container.name} of Pod {pod}", container.exit_code or 0
    if container.reason == "OOMKilled":
        return f"{name} ran out of memory (OOMKilled, exit code {code})"
    if container.reason in _NOT_STARTED:
        return f"{name} could not be started ({container.reason}, exit code {code})"
    kind = "" if container.reason in _PLAIN else f" ({container.reason})"
    killer = _signal(code)
    if killer:
        return f"{name} was ended by {killer}{kind}, exit code {code}"
    return f"{name} ended with exit code {code}{kind}"


def _signal(code: int) -> str:
    """The signal in an exit code of 128 plus its number; empty for other codes."""
    try:
        return signal.Signals(code - 128).name if code > 128 else ""
    except ValueError:
        return ""


def _sentence(text: str) -> str:
    return text.strip().rstrip(".")

"""What the kubelet says of a bot's Pod, reduced to the questions that a bot's life asks.

The late-token gate rests on one of them: is container `bot` ready to start but for the Secret that we have yet to make?
(kubelet: waiting reason ``CreateContainerConfigError``, message ``secret "NAME" not found``, reported after the image
is there and after one round over all containers.)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

_MISSING_SECRET = "CreateContainerConfigError"  # noqa: S105 - a reason of the kubelet
_IMAGE_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
_CONFIG_REASONS = frozenset(
    {_MISSING_SECRET, "CreateContainerError", "RunContainerError", "CrashLoopBackOff", "StartError"}
)
_INFRASTRUCTURE_REASONS = frozenset(
    {
        "Evicted",
        "Preempting",
        "Preempted",
        "NodeLost",
        "NodeShutdown",
        "Shutdown",
        "Terminated",
        "NodeAffinity",
        "UnexpectedAdmissionError",
        "PodDisruptionByTaintManager",
    }
)


SANDBOX_SECONDS = 15.0
"""How long a node may take to prepare a Pod's volumes and network before that is worth telling."""


@dataclass(frozen=True)
class ContainerState:
    """One container's state: waiting, running (`started_at`), or terminated (`exit_code` is set)."""

    name: str
    waiting_reason: str = ""
    waiting_message: str = ""
    started_at: datetime | None = None
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    finished_at: datetime | None = None

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return self.started_at is not None and self.exit_code is None

    @property
    def terminated(self) -> bool:
        """Whether it has ended."""
        return self.exit_code is not None


@dataclass(frozen=True)
class PodState:
    """A bot's Pod as last reported."""

    name: str
    uid: str
    phase: str
    deleting: bool
    created_at: datetime
    reason: str = ""
    message: str = ""
    node: str = ""
    unschedulable: str = ""
    sandbox_waits_since: datetime | None = None
    """Since when its node has had it without a sandbox: volumes or network are not there, or take their time."""
    disruption: str = ""
    told_to_end_at: datetime | None = None
    """When somebody asked the Pod to end: a deletion, an eviction, a preemption."""
    ends_by: datetime | None = None
    """When the grace period of its deletion is over."""
    spec_hash: str = ""
    bot: ContainerState | None = None
    others: tuple[ContainerState, ...] = ()
    init: tuple[ContainerState, ...] = ()

    def waits_only_for(self, secret: str) -> bool:
        """Whether container `bot` could start but for this Secret, and no other container waits for anything else."""
        return (
            self.phase == "Pending"
            and not self.deleting
            and self.bot is not None
            and _misses(self.bot, secret)
            and all(not other.waiting_reason or _misses(other, secret) for other in (*self.init, *self.others))
        )

    @property
    def started(self) -> bool:
        """Whether container `bot` has run, or runs."""
        return self.bot is not None and (self.bot.started_at is not None or self.bot.terminated)

    @property
    def over(self) -> bool:
        """Whether nothing will run in this Pod any more, or the bot itself has ended while side-cars go on."""
        return self.finished or (self.bot is not None and self.bot.terminated)

    @property
    def finished(self) -> bool:
        """Whether all of its containers have ended for good."""
        return self.phase in ("Succeeded", "Failed")

    @property
    def ended_from_outside(self) -> bool:
        """Whether container `bot` ended because its Pod was told to end, and not by itself before that."""
        if self.told_to_end_at is None:
            return False
        return self.bot is None or self.bot.finished_at is None or self.bot.finished_at >= self.told_to_end_at

    @property
    def succeeded(self) -> bool:
        """Whether the bot ended well; what the side-cars do does not matter."""
        return self.phase == "Succeeded" or (self.bot is not None and self.bot.exit_code == 0)

    @property
    def lost_to_infrastructure(self) -> bool:
        """Whether the Pod ended for a reason that is not the bot's: evicted, preempted, node lost, rejected."""
        return self.phase == "Failed" and (
            self.reason in _INFRASTRUCTURE_REASONS or self.reason.startswith("OutOf") or bool(self.disruption)
        )

    def trouble(self, *, secret: str, now: datetime) -> tuple[str, str] | None:
        """What keeps the Pod from starting, as (cause, words): ImagePull, Config or Unschedulable; None if nothing."""
        if self.unschedulable:
            return "Unschedulable", self.unschedulable
        since = self.sandbox_waits_since
        if since is not None and (now - since).total_seconds() >= SANDBOX_SECONDS:
            where, when = f"on node {self.node}", f"since {since:%H:%M:%S} UTC"
            return (
                "Config",
                f"Pod {self.name} is {where} {when}, and its volumes or network are not ready; see its Events",
            )
        for container in (*self.init, *self.others, *((self.bot,) if self.bot else ())):
            words = f"container {container.name}: {container.waiting_message or container.waiting_reason}"
            if container.waiting_reason in _IMAGE_REASONS:
                return "ImagePull", words
            if container.waiting_reason in _CONFIG_REASONS and not _misses(container, secret):
                return "Config", words
        return None


def _misses(container: ContainerState, secret: str) -> bool:
    return container.waiting_reason == _MISSING_SECRET and f'secret "{secret}" not found' in container.waiting_message

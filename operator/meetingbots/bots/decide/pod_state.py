"""What the kubelet says of a bot's Pod, reduced to the questions that a bot's life asks.

The late-token gate rests on one of them: is container `bot` ready to start but for the Secret that we have yet to make?
(kubelet: waiting reason ``CreateContainerConfigError``, message ``secret "NAME" not found``, reported after the image
is there and after one round over all containers.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from meetingbots.models.names import BOT_CONTAINER

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
_NOT_PLACED = frozenset({"Unschedulable", "SchedulingGated"})
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


def pod_state(pod: Mapping[str, Any], *, spec_hash_annotation: str) -> PodState:
    """Read a Pod as the API server gives it; absent fields are as the kubelet leaves them before its first report."""
    metadata, status = pod["metadata"], pod.get("status", {})
    created_at = _time(metadata["creationTimestamp"])
    containers = [_container(item, created_at) for item in status.get("containerStatuses", ())]
    conditions = {item["type"]: item for item in status.get("conditions", ())}
    scheduled, disruption = conditions.get("PodScheduled", {}), conditions.get("DisruptionTarget", {})
    disrupted = disruption.get("status") == "True"
    return PodState(
        name=metadata["name"],
        uid=metadata["uid"],
        phase=status.get("phase", "Pending"),
        deleting="deletionTimestamp" in metadata,
        created_at=created_at,
        reason=status.get("reason", ""),
        message=status.get("message", ""),
        node=pod.get("spec", {}).get("nodeName", ""),
        unschedulable=scheduled.get("message", "no node fits") if scheduled.get("reason") in _NOT_PLACED else "",
        sandbox_waits_since=_sandbox_waits(conditions),
        disruption=(disruption.get("message") or disruption.get("reason") or "disrupted") if disrupted else "",
        told_to_end_at=_told_to_end(metadata, disruption if disrupted else {}),
        ends_by=_optional_time(metadata.get("deletionTimestamp")),
        spec_hash=metadata.get("annotations", {}).get(spec_hash_annotation, ""),
        bot=next((item for item in containers if item.name == BOT_CONTAINER), None),
        others=tuple(item for item in containers if item.name != BOT_CONTAINER),
        init=tuple(_container(item, created_at) for item in status.get("initContainerStatuses", ())),
    )


def _sandbox_waits(conditions: Mapping[str, Mapping[str, Any]]) -> datetime | None:
    sandbox, scheduled = conditions.get("PodReadyToStartContainers", {}), conditions.get("PodScheduled", {})
    if sandbox.get("status") != "False" or scheduled.get("status") != "True":
        return None
    return _optional_time(sandbox.get("lastTransitionTime"))


def _told_to_end(metadata: Mapping[str, Any], disruption: Mapping[str, Any]) -> datetime | None:
    moments = [_optional_time(disruption.get("lastTransitionTime"))]
    if "deletionTimestamp" in metadata:
        # deletionTimestamp is when the grace period ends (Kubernetes API, ObjectMeta).
        grace = timedelta(seconds=metadata.get("deletionGracePeriodSeconds") or 0)
        moments.append(_time(metadata["deletionTimestamp"]) - grace)
    return min((moment for moment in moments if moment is not None), default=None)


def _container(item: Mapping[str, Any], created_at: datetime) -> ContainerState:
    state = item.get("state", {})
    name = item["name"]
    if "terminated" in state:
        ended = state["terminated"]
        return ContainerState(
            name=name,
            started_at=_optional_time(ended.get("startedAt")),
            exit_code=int(ended.get("exitCode", 0)),
            reason=ended.get("reason", ""),
            message=ended.get("message", ""),
            finished_at=_optional_time(ended.get("finishedAt")),
        )
    if "running" in state:
        return ContainerState(name=name, started_at=_optional_time(state["running"].get("startedAt")) or created_at)
    waiting = state.get("waiting", {})
    return ContainerState(
        name=name,
        # A container that the kubelet has not looked at yet waits as well.
        waiting_reason=waiting.get("reason", "ContainerCreating"),
        waiting_message=waiting.get("message", ""),
    )


def _misses(container: ContainerState, secret: str) -> bool:
    return container.waiting_reason == _MISSING_SECRET and f'secret "{secret}" not found' in container.waiting_message


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _optional_time(text: str | None) -> datetime | None:
    return _time(text) if text else None

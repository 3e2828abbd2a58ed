"""A bot's Pod as the kubelet reports it, reduced to what decisions need.

The late-token gate rests on `at_gate`: container `bot` could start but for its Secret. The kubelet then reports
``CreateContainerConfigError`` with the message ``secret "NAME" not found``, after it has pulled the image.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from meetingbots.models.bot import MeetingBot

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
SANDBOX_SECONDS = 15.0
"""Time for a node to prepare a Pod's volumes and network before the status reports the delay."""


_TRANSIENT: Final = (
    # The kubelet's caches of Secrets, ConfigMaps, Services and its own Node are not filled yet.
    r"failed to sync (secret|configmap) cache",
    r"timed out waiting for the condition",
    r"object \"[^\"]*\"/\"[^\"]*\" not registered",
    r"services have not yet been read at least once",
    r"error getting node|node \"[^\"]*\" not found",
    # The node authorizer has not linked the Pod to its node yet.
    r"no relationship found between node",
    # The API server cannot be reached or is busy.
    r"context (deadline exceeded|canceled)",
    r"Client\.Timeout exceeded",
    r"TLS handshake timeout|i/o timeout",
    r"connection (refused|reset by peer)|no route to host|network is unreachable|server misbehaving|no such host",
    r"unexpected EOF|: EOF$|http2: |client connection (lost|force closed)|broken pipe",
    r"etcdserver: ",
    r"the server (is currently unable to handle the request|was unable to return a response"
    r"|could not find the requested resource|has received too many requests)",
    r"Internal error occurred|too many requests|rate limiter",
    # The container runtime is busy, restarts, or still has the container of an earlier try.
    r"rpc error: code = (Unavailable|DeadlineExceeded|Canceled|Aborted|ResourceExhausted)",
    r"name \"[^\"]*\" is reserved for|container name \"[^\"]*\" is already in use",
    r"sandbox container .*(not running|not found)|no running task found|failed to get sandbox",
    r"container runtime is (down|not ready)|PLEG is not healthy",
)
_PATTERN: Final = re.compile("|".join(f"(?:{one})" for one in _TRANSIENT), re.IGNORECASE)
"""Failures of the kubelet that pass by themselves, which it reports like mistakes in a template. It retries after 10 s.

Source: Kubernetes 1.27 to 1.34 (pkg/kubelet/kubelet_pods.go, pkg/kubelet/util/manager, pkg/kubelet/kuberuntime,
plugin/pkg/auth/authorizer/node), client-go, containerd and CRI-O.
"""


class Obstacle(StrEnum):
    """What keeps a Pod from starting."""

    IMAGE = "Image"
    CONFIG = "Config"
    PLACEMENT = "Placement"


@dataclass(frozen=True)
class Trouble:
    """An obstacle and its description for people."""

    obstacle: Obstacle
    message: str


@dataclass(frozen=True)
class ContainerState:
    """One container's state: waiting, running (`started_at` is set), or terminated (`exit_code` is set)."""

    name: str
    waiting_reason: str = ""
    waiting_message: str = ""
    started_at: datetime | None = None
    exit_code: int | None = None
    reason: str = ""
    message: str = ""
    finished_at: datetime | None = None

    @property
    def terminated(self) -> bool:
        """Whether the container has ended."""
        return self.exit_code is not None


@dataclass(frozen=True)
class PodState:
    """A bot's Pod as last reported."""

    name: str
    uid: str
    phase: str
    deleting: bool
    reason: str = ""
    message: str = ""
    node: str = ""
    unschedulable: str = ""
    """The scheduler's message while no node fits."""
    sandbox_waits_since: datetime | None = None
    """Since when a node has had the Pod without preparing its volumes and network."""
    disruption: str = ""
    """Description of the condition DisruptionTarget while it is True."""
    end_requested_at: datetime | None = None
    """When a deletion, an eviction or a preemption asked the Pod to end."""
    ends_by: datetime | None = None
    """When the grace period of the deletion ends."""
    spec_hash: str = ""
    bot: ContainerState | None = None
    others: tuple[ContainerState, ...] = ()
    init: tuple[ContainerState, ...] = ()

    @property
    def containers(self) -> tuple[ContainerState, ...]:
        """All containers that have a status, container `bot` last."""
        return (*self.init, *self.others, *((self.bot,) if self.bot else ()))

    @property
    def at_gate(self) -> bool:
        """Whether container `bot` could start but for its Secret, and no other container waits for anything else."""
        return (
            self.phase == "Pending"
            and not self.deleting
            and self.bot is not None
            and self._misses_secret(self.bot)
            and all(not other.waiting_reason or self._misses_secret(other) for other in (*self.init, *self.others))
        )

    @property
    def started(self) -> bool:
        """Whether container `bot` runs or has run."""
        return self.bot is not None and (self.bot.started_at is not None or self.bot.terminated)

    @property
    def may_quote_tokens(self) -> bool:
        """Whether the kubelet has tried to start container `bot`, so that a message may quote its environment."""
        return self.started or (self.bot is not None and self.bot.waiting_reason in _CONFIG_REASONS)

    @property
    def gate_message(self) -> str:
        """The kubelet's message about the missing Secret, by which the late-token gate is recognised."""
        return f'secret "{join_secret_name(self.name)}" not found'

    def _misses_secret(self, container: ContainerState) -> bool:
        return container.waiting_reason == _MISSING_SECRET and self.gate_message in container.waiting_message

    @property
    def has_text(self) -> bool:
        """Whether the Pod has any text that may hold a secret, apart from `gate_message`."""
        waiting = ("", self.gate_message)
        return any((self.message, self.disruption, self.unschedulable)) or any(
            one.message or one.waiting_message not in waiting for one in self.containers
        )

    @property
    def finished(self) -> bool:
        """Whether all containers have ended for good.

        A kubelet reports their ends before the Pod's phase, which it changes when it has stopped side-cars.
        """
        ended = self.bot is not None and all(one.terminated for one in (self.bot, *self.others))
        return ended or self.phase in ("Succeeded", "Failed")

    @property
    def over(self) -> bool:
        """Whether the bot can no longer run in this Pod; side-cars may still run."""
        return self.finished or (self.bot is not None and self.bot.terminated)

    @property
    def stumbles(self) -> bool:
        """Whether a container waits for a failure of the kubelet that passes at its next look at the Pod.

        A failed image pull is none: it names the registry's answer, such as a refused connection.
        """
        return self.phase == "Pending" and any(
            one.waiting_reason in _CONFIG_REASONS and is_transient(one.waiting_message) for one in self.containers
        )

    def trouble(self, *, now: datetime) -> Trouble | None:
        """What keeps the Pod from starting, apart from its Secret."""
        if self.unschedulable:
            return Trouble(Obstacle.PLACEMENT, self.unschedulable)
        since = self.sandbox_waits_since
        if since is not None and (now - since).total_seconds() >= SANDBOX_SECONDS:
            message = (
                f"Pod {self.name} is on node {self.node} since {since:%H:%M:%S} UTC, and its volumes or network are "
                "not ready; see its Events"
            )
            return Trouble(Obstacle.CONFIG, message)
        for container in self.containers:
            message = f"container {container.name}: {container.waiting_message or container.waiting_reason}"
            if container.waiting_reason in _IMAGE_REASONS:
                return Trouble(Obstacle.IMAGE, message)
            if container.waiting_reason in _CONFIG_REASONS and not (
                self._misses_secret(container) or is_transient(container.waiting_message)
            ):
                return Trouble(Obstacle.CONFIG, message)
        return None


def is_transient(message: str) -> bool:
    """Whether a waiting container's message names a failure that passes without a change of the Pod."""
    return _PATTERN.search(message) is not None


def pod_name(bot: MeetingBot, *, attempt: int) -> str:
    """The name of an attempt's Pod: bot, five characters of its uid, number of the attempt."""
    return f"{bot.name}-{bot.customer_key[:5]}-{attempt}"


def attempt_of(name: str) -> int:
    """The number of the attempt in a Pod's name."""
    return int(name.rsplit("-", 1)[1])


def join_secret_name(pod_name: str) -> str:
    """The name of the Secret that a Pod's container `bot` waits for."""
    return f"{pod_name}-zoom"

"""A cluster in memory: an API server that remembers what it created, and a kubelet, on a virtual clock."""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from meetingbots.kube.client import Object
from meetingbots.kube.resources import PODS, SECRETS, Resource
from meetingbots.models.base import format_time

from tests.unit.bots.bot_builders import NOW
from tests.unit.fake_kube import Call, FakeKube

TOUCHED = "meetingbots.dev/token-delivered-at"


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        """Seconds since the bots of these tests were created."""
        return (self.now - NOW).total_seconds()

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Cluster(FakeKube):
    """An API server that remembers which objects it ever had under a name."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock
        self.graceful = False
        """Whether a deleted Pod stays until its containers have ended, as with a real kubelet."""
        self.inner: Callable[[Call], Awaitable[None]] | None = None
        self.made: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        self.hook = self._watch

    def all(self, resource: Resource) -> list[Object]:
        """All objects of a kind."""
        return [item for (plural, _, _), item in sorted(self._objects.items()) if plural == resource.plural]

    def versions(self) -> int:
        """A counter that grows with every change."""
        return self._version

    def collect(self) -> None:
        """Do the garbage collector's work."""
        alive = {item["metadata"]["uid"] for item in self._objects.values()}
        for place, item in list(self._objects.items()):
            owners = item["metadata"].get("ownerReferences", ())
            if owners and not any(owner["uid"] in alive for owner in owners):
                del self._objects[place]

    async def delete(self, resource: Resource, *, namespace: str | None, name: str, **conditions: Any) -> Object | None:
        pod = self.peek(resource, namespace=namespace, name=name)
        if not self.graceful or resource != PODS or pod is None:
            return await super().delete(resource, namespace=namespace, name=name, **conditions)
        number = await self._before("delete", resource, namespace, name)
        grace = pod["spec"].get("terminationGracePeriodSeconds", 30)
        pod["metadata"].setdefault("deletionTimestamp", format_time(self.clock.now + timedelta(seconds=grace)))
        pod["metadata"].setdefault("deletionGracePeriodSeconds", grace)
        answer = self.put(resource, pod)
        await self._after("delete", resource, namespace, name, number)
        return answer

    def _store(self, place: tuple[str, str, str], item: Object) -> Object:
        item["metadata"].setdefault("creationTimestamp", format_time(self.clock.now))
        return super()._store(place, item)

    async def _watch(self, call: Call) -> None:
        if call.moment == "after" and call.verb == "create":
            place = (call.plural, call.namespace, call.name)
            if place in self._objects:
                self.made[call.plural, call.name].append(self._objects[place]["metadata"]["uid"])
        if self.inner is not None:
            await self.inner(call)


@dataclass
class Kubelet:
    """Plays the kubelet for all Pods: pulls the image, waits for the Secret, starts when touched, ends as set."""

    cluster: Cluster
    clock: Clock
    exits: list[int] = field(default_factory=list)
    """Exit codes of the Pods in the order of their starts; 0 after that."""
    output: str = ""
    """The end of a bot's output; "exit CODE" if unset."""
    image: float = 3.0
    """Seconds that an image pull takes."""
    runs: float = 60.0
    """Seconds that a bot runs."""
    stuck: Callable[[Object], dict[str, Any] | None] = lambda _: None
    """A container state in place of any progress."""
    heard: dict[str, dict[str, str]] = field(default_factory=dict)
    """The Secret that each Pod read, by the Pod's uid."""
    starts: list[tuple[float, str]] = field(default_factory=list)

    def work(self) -> bool:
        """Advance all Pods; return whether anything changed."""
        self.cluster.collect()
        return bool([pod for pod in self.cluster.all(PODS) if self._one(pod)])

    def due(self) -> list[float]:
        """The times of the next events."""
        moments = []
        for pod in self.cluster.all(PODS):
            created = self._since(pod["metadata"]["creationTimestamp"])
            state = _state(pod)
            if state is None:
                moments.append(created + self.image)
            elif "running" in state:
                moments.append(self._since(state["running"]["startedAt"]) + self.runs)
        return moments

    def _since(self, text: str) -> float:
        return (datetime.fromisoformat(text) - NOW).total_seconds()

    def _one(self, pod: Object) -> bool:
        state = self._next(pod, _state(pod))
        if state is None or state == _state(pod):
            return False
        phase = "Running" if "running" in state else "Pending"
        if "terminated" in state:
            phase = "Failed" if state["terminated"]["exitCode"] else "Succeeded"
        status = {"phase": phase, "containerStatuses": [{"name": "bot", "state": state}]}
        self.cluster.put(PODS, {**pod, "status": status})
        return True

    def _next(self, pod: Object, state: dict[str, Any] | None) -> dict[str, Any] | None:
        now, name = self.clock.now, f"{pod['metadata']['name']}-zoom"
        stuck = self.stuck(pod)
        if stuck is not None:
            return stuck
        if state is None:
            if self.clock.seconds() < self._since(pod["metadata"]["creationTimestamp"]) + self.image:
                return None
            return {"waiting": {"reason": "CreateContainerConfigError", "message": f'secret "{name}" not found'}}
        if "waiting" in state:
            secret = self.cluster.peek(SECRETS, namespace="team", name=name)
            if secret is None or TOUCHED not in pod["metadata"]["annotations"]:
                return state
            values = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
            self.heard[pod["metadata"]["uid"]] = values
            self.starts.append((self.clock.seconds(), pod["metadata"]["name"]))
            return {"running": {"startedAt": format_time(now)}}
        if "running" in state and self.clock.seconds() >= self._since(state["running"]["startedAt"]) + self.runs:
            code = self.exits.pop(0) if self.exits else 0
            times = {"startedAt": state["running"]["startedAt"], "finishedAt": format_time(now)}
            return {"terminated": {"exitCode": code, **times, "message": self.output or f"exit {code}"}}
        return state


def _state(pod: Object) -> dict[str, Any] | None:
    containers = pod.get("status", {}).get("containerStatuses", ())
    return containers[0]["state"] if containers else None

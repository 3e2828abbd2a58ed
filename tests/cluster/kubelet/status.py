"""Builds a Pod's status from what its containers do, as the kubelet reports it; pure.

Source: Kubernetes documentation, "Pod Lifecycle"; phases and reasons in the words of the kubelet.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

Object = dict[str, Any]
ADDRESS = "127.0.0.1"
OURS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


class Role(Enum):
    """A container's part in its Pod. A side-car is an init container with restartPolicy Always."""

    INIT = "init"
    SIDECAR = "sidecar"
    MAIN = "main"


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """Not started (again) yet."""

    reason: str
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Running:
    """Its process runs; time in seconds since the epoch."""

    started: float


@dataclass(frozen=True, kw_only=True)
class Terminated:
    """Its process has ended; times in seconds since the epoch, None where it never ran."""

    exit_code: int
    reason: str
    message: str = ""
    started: float | None = None
    finished: float | None = None


State = Waiting | Running | Terminated


@dataclass(frozen=True, kw_only=True)
class ContainerView:
    """One container as the status shows it."""

    name: str
    role: Role
    image: str
    image_id: str
    container_id: str
    state: State
    last: Terminated | None
    restarts: int

    @property
    def initialized(self) -> bool:
        """For init containers: whether the next may start."""
        if self.role is Role.SIDECAR:
            return isinstance(self.state, Running)
        return isinstance(self.state, Terminated) and self.state.exit_code == 0

    @property
    def ready(self) -> bool:
        """Whether it counts as ready; there are no probes here."""
        return self.initialized if self.role is Role.INIT else isinstance(self.state, Running)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Why the whole Pod is Failed, whatever its containers say; `disruption` is DisruptionTarget's reason, if any."""

    reason: str
    message: str
    disruption: str = ""


def timestamp(seconds: float) -> str:
    """Kubernetes' form of a time: RFC 3339 in whole seconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def phase(views: Sequence[ContainerView], *, restart_policy: str, verdict: Verdict | None = None) -> str:
    """Pod's phase from its containers."""
    if verdict is not None:
        return "Failed"
    mains = [view for view in views if view.role is Role.MAIN]
    if restart_policy == "Never" and any(v.role is Role.INIT and _failed(v) for v in views):
        return "Failed"
    if all(finished(view, restart_policy=restart_policy) for view in mains):
        # A side-car that is still there keeps the Pod running; how it ends does not matter.
        if any(view.role is Role.SIDECAR and isinstance(view.state, Running) for view in views):
            return "Running"
        return "Failed" if any(_failed(view) for view in mains) else "Succeeded"
    not_started = any(isinstance(view.state, Waiting) and view.last is None for view in mains)
    return "Pending" if not_started else "Running"


def pod_status(
    views: Sequence[ContainerView],
    *,
    restart_policy: str,
    started: float,
    now: float,
    before: Object,
    verdict: Verdict | None = None,
    address: str = ADDRESS,
) -> Object:
    """Status to report. `address` is that of node and Pod.

    `before` is the Pod's status as it stands, whose foreign conditions and times are kept.
    """
    result = phase(views, restart_policy=restart_policy, verdict=verdict)
    status: Object = {
        "phase": result,
        "hostIP": address,
        "hostIPs": [{"ip": address}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": timestamp(started),
        "conditions": _conditions(views, phase=result, now=now, before=before, verdict=verdict),
        "containerStatuses": [_container(view) for view in views if view.role is Role.MAIN],
    }
    inits = [_container(view) for view in views if view.role is not Role.MAIN]
    if inits:
        status["initContainerStatuses"] = inits
    if verdict is not None:
        status |= {"reason": verdict.reason, "message": verdict.message}
    return status


def rejected_status(*, verdict: Verdict, started: float) -> Object:
    """Status of a Pod that the kubelet did not admit: no containers, no conditions but the scheduler's."""
    return {
        "phase": "Failed",
        "reason": verdict.reason,
        "message": verdict.message,
        "startTime": timestamp(started),
    }


def _failed(view: ContainerView) -> bool:
    return isinstance(view.state, Terminated) and view.state.exit_code != 0


def finished(view: ContainerView, *, restart_policy: str) -> bool:
    """Whether a container has ended and its Pod's policy lets it be."""
    if not isinstance(view.state, Terminated):
        return False
    return restart_policy == "Never" or (restart_policy == "OnFailure" and view.state.exit_code == 0)


def _container(view: ContainerView) -> Object:
    status: Object = {
        "name": view.name,
        "image": view.image,
        "imageID": view.image_id,
        "ready": view.ready,
        "started": isinstance(view.state, Running),
        "restartCount": view.restarts,
        "state": _state(view.state, container_id=view.container_id),
        "lastState": {} if view.last is None else _state(view.last, container_id=view.container_id),
    }
    if view.container_id:
        status["containerID"] = view.container_id
    return status


def _state(state: State, *, container_id: str) -> Object:
    if isinstance(state, Waiting):
        return {"waiting": {"reason": state.reason} | ({"message": state.message} if state.message else {})}
    if isinstance(state, Running):
        return {"running": {"startedAt": timestamp(state.started)}}
    ended: Object = {"exitCode": state.exit_code, "reason": state.reason}
    if state.message:
        ended["message"] = state.message
    if state.started is not None:
        ended["startedAt"] = timestamp(state.started)
    if state.finished is not None:
        ended["finishedAt"] = timestamp(state.finished)
    if container_id:
        ended["containerID"] = container_id
    return {"terminated": ended}


def _conditions(
    views: Sequence[ContainerView], *, phase: str, now: float, before: Object, verdict: Verdict | None
) -> list[Object]:
    inits = [view for view in views if view.role is not Role.MAIN]
    over = phase in {"Succeeded", "Failed"}
    initialized = all(view.initialized for view in inits) or phase == "Succeeded"
    unready = [view.name for view in views if view.role is Role.MAIN and not view.ready]
    why: tuple[str, str] = ("", "")
    if phase == "Succeeded":
        why = ("PodCompleted", "")
    elif over:
        why = ("PodFailed", "")
    elif unready:
        why = ("ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
    incomplete = " ".join(view.name for view in inits if not view.initialized)
    wanted = [
        _condition("PodReadyToStartContainers", holds=not over),
        _condition(
            "Initialized",
            holds=initialized,
            why=("ContainersNotInitialized", f"containers with incomplete status: [{incomplete}]"),
        ),
        _condition("Ready", holds=not unready and not over, why=why),
        _condition("ContainersReady", holds=not unready and not over, why=why),
        _condition("PodScheduled", holds=True),
    ]
    if verdict is not None and verdict.disruption:
        wanted.append(_condition("DisruptionTarget", holds=True) | {"reason": verdict.disruption})
    return _with_times(wanted, before=before.get("conditions") or [], now=now)


def _condition(kind: str, *, holds: bool, why: tuple[str, str] = ("", "")) -> Object:
    condition: Object = {"type": kind, "status": str(holds)}
    if not holds:
        condition |= {key: text for key, text in zip(("reason", "message"), why, strict=True) if text}
    return condition


def _with_times(wanted: list[Object], *, before: Iterable[Object], now: float) -> list[Object]:
    old = {condition["type"]: condition for condition in before}
    for condition in wanted:
        previous = old.pop(condition["type"], None)
        unchanged = previous is not None and previous["status"] == condition["status"]
        moved = previous.get("lastTransitionTime") if unchanged and previous else None
        condition["lastTransitionTime"] = moved or timestamp(now)
    return wanted + [condition for kind, condition in old.items() if kind not in OURS]

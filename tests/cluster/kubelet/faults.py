"""Faults that a test asks of the kubelet double, kept until the Pod that they are meant for comes along."""

from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
ANNOTATION = "kubelet.test/"


class Annotations:
    """The `kubelet.test/...` annotations of a Pod, by which a Pod's author sets the double's behaviour.

    `pull-seconds` (a number, default 0.2), `pull-fails` ("true"), `unschedulable` (any text: the scheduler's message),
    `never-start` ("true"), `reject` (a reason such as OutOfcpu).
    """

    def __init__(self, pod: Object) -> None:
        self._annotations: dict[str, str] = pod["metadata"].get("annotations") or {}

    def text(self, name: str) -> str:
        """Value, or empty."""
        return self._annotations.get(ANNOTATION + name, "")

    def number(self, name: str, default: float) -> float:
        """Value as a number of seconds; the default also for what is not a number."""
        try:
            return float(self.text(name))
        except ValueError:
            return default

    def holds(self, name: str) -> bool:
        """Whether the value is "true"."""
        return self.text(name) == "true"


@dataclass(kw_only=True)
class Faults:
    """Faults for Pods that may not exist yet: by (namespace, name), or for the next ones that come."""

    never_start: set[tuple[str, str]] = field(default_factory=set)
    never_start_next: int = 0
    reject: dict[tuple[str, str], str] = field(default_factory=dict)
    reject_next: list[str] = field(default_factory=list)
    pull_released: set[tuple[str, str]] = field(default_factory=set)

    def clear(self) -> None:
        """Forget all."""
        self.never_start.clear()
        self.never_start_next = 0
        self.reject.clear()
        self.reject_next.clear()
        self.pull_released.clear()

    def rejection(self, key: tuple[str, str], annotations: Annotations) -> str:
        """Reason for which the kubelet does not admit the Pod, or empty; a "next" is used up."""
        if key in self.reject:
            return self.reject.pop(key)
        if annotations.text("reject"):
            return annotations.text("reject")
        return self.reject_next.pop(0) if self.reject_next else ""

    def claim_never_start(self, key: tuple[str, str]) -> None:
        """Tie a "next" to the Pod that has come along."""
        if self.never_start_next > 0 and key not in self.never_start:
            self.never_start_next -= 1
            self.never_start.add(key)

    def hangs(self, key: tuple[str, str], annotations: Annotations) -> bool:
        """Whether the Pod's containers are not to start."""
        return key in self.never_start or annotations.holds("never-start")

    def pull_fails(self, key: tuple[str, str], annotations: Annotations) -> bool:
        """Whether the Pod's images cannot be pulled now."""
        return annotations.holds("pull-fails") and key not in self.pull_released

"""What the kubelet double did with each Pod, for tests to assert on."""

from dataclasses import dataclass, field


@dataclass(kw_only=True)
class PodRecord:
    """One Pod's history on the node; dictionaries are by container name, times in seconds since the epoch.

    `references_found`: when everything that the container's environment refers to was there for the first time;
    `started`: when its process last started; `ended`: when it last ended; `environment`: what it got (it holds tokens,
    so it is not part of the repr); `starts`: how often it started; `pulls`: how often its image was pulled.
    """

    namespace: str
    name: str
    uid: str
    references_found: dict[str, float] = field(default_factory=dict)
    started: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)
    environment: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)
    starts: dict[str, int] = field(default_factory=dict)
    pulls: dict[str, int] = field(default_factory=dict)

    def note_start(self, container: str, *, at: float, environment: dict[str, str]) -> None:
        """A process of `container` has started."""
        self.started[container] = at
        self.environment[container] = dict(environment)
        self.starts[container] = self.starts.get(container, 0) + 1

    def note_end(self, container: str, at: float) -> None:
        """The process of `container` is gone."""
        self.ended[container] = at

    def note_pull(self, container: str) -> None:
        """The image of `container` was pulled, or checked again under policy Always."""
        self.pulls[container] = self.pulls.get(container, 0) + 1

"""What is known of a run when its rules are checked: values only, no token and no object of Kubernetes."""

from __future__ import annotations

from dataclasses import dataclass, field

INFINITE = float("inf")


@dataclass(frozen=True, kw_only=True)
class PodRun:
    """A Pod of a bot on the node: its container `bot` ran from `began` to `ended` (epoch seconds), `starts` times.

    `tokens` are digests of the one-use tokens that the container got.
    """

    namespace: str
    bot: str
    pod: str
    starts: int
    began: float
    ended: float
    tokens: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Presentation:
    """A refresh token (its digest) of `credential` that was presented to Zoom.

    `rotated`: Zoom had replaced it before. `lost`: the answer did not arrive as it was.
    """

    credential: str
    token: str
    time: float
    rotated: bool
    lost: bool


@dataclass(frozen=True, kw_only=True)
class Interruption:
    """An operator that was killed (`ended` = `began`) or frozen."""

    began: float
    ended: float


@dataclass(frozen=True, kw_only=True)
class BotEnd:
    """How a bot ended: its phase (`Deleted`: the object is gone) and attempts, and what its story allows.

    `without_token` is the reason for which its last Pod got no token; empty if it got one, or needed none.
    """

    namespace: str
    name: str
    story: str
    phase: str
    attempts: int
    allowed: frozenset[str]
    most_attempts: int
    reason: str = ""
    without_token: str = ""


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """A meeting in Zoom or in its mapping: the phase of a MeetingMapping, and each credential with its role."""

    phase: str
    people: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Record:
    """A whole run. `writes` are times of the writes of a credential's token Secret, `left` names what is left.

    `created` has the names (with namespace) of each Pod and Secret of a bot that was created, once for each create.
    """

    pods: tuple[PodRun, ...] = ()
    created: tuple[str, ...] = ()
    presentations: tuple[Presentation, ...] = ()
    writes: dict[str, tuple[float, ...]] = field(default_factory=dict)
    interruptions: tuple[Interruption, ...] = ()
    bots: tuple[BotEnd, ...] = ()
    left: tuple[str, ...] = ()
    zoom: dict[str, Meeting] = field(default_factory=dict)
    mappings: dict[str, Meeting] = field(default_factory=dict)

"""What a run does and when, drawn from its seed: bots, meetings and faults."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar, get_args

Process = Literal["operator", "receiver"]
FaultKind = Literal[
    "kill operator",
    "stop operator",
    "freeze operator",
    "kill receiver",
    "crash API server",
    "stop API server",
    "lose refresh",
    "spoil refresh",
    "lose join token",
    "spoil calls",
    "limit rate",
    "revoke consent",
    "slow Zoom",
    "step clock",
    "evict Pod",
    "preempt Pod",
    "kill container",
    "reject Pod",
]
FAULTS_A_MINUTE: Final = 18
BOTS_A_MINUTE: Final = 18
MEETINGS_A_MINUTE: Final = 6
BEGIN_SHARE: Final = 0.8
"""Nothing begins later than this share of the run."""

_ROUND: Final[tuple[FaultKind, ...]] = ("kill operator", *get_args(FaultKind))
"""Each kind once, and the kill of an operator twice."""
_SECONDS: Final[dict[FaultKind, tuple[float, float]]] = {
    "kill operator": (0.0, 6.0),
    "stop operator": (0.0, 4.0),
    "freeze operator": (2.0, 25.0),
    "kill receiver": (0.0, 4.0),
    "crash API server": (0.0, 5.0),
    "stop API server": (0.0, 3.0),
    "slow Zoom": (2.0, 6.0),
    "step clock": (5.0, 15.0),
}
"""How long something is away, frozen, slow or wrong: the least and the most."""
_ACTS: Final = ("start", "end", "delete", "recover", "move")

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault at `at` seconds into the run. `which` is the replica or tenant, `draw` what else is left to chance."""

    at: float
    kind: FaultKind
    which: int
    seconds: float
    draw: float


@dataclass(frozen=True, kw_only=True)
class BotOrder:
    """A bot of the tenant `which` at `at` seconds into the run; `draw` (0 to 1) stretches its acts."""

    at: float
    name: str
    story: str
    which: int
    draw: float


@dataclass(frozen=True, kw_only=True)
class MeetingOrder:
    """A meeting without a bot: created at `at`, then an act for each of `acts` (seconds into the run, what)."""

    at: float
    which: int
    acts: tuple[tuple[float, str], ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All of a run of so many seconds."""

    seconds: float
    faults: tuple[Fault, ...]
    bots: tuple[BotOrder, ...]
    meetings: tuple[MeetingOrder, ...]


def draw(*, seed: int, minutes: float, stories: Sequence[str], tenants: int) -> Plan:
    """Draw a run. Each kind of fault and each story comes about equally often."""
    seconds = minutes * 60.0
    return Plan(
        seconds=seconds,
        faults=tuple(_faults(random.Random(f"{seed}-faults"), seconds=seconds, tenants=tenants)),
        bots=tuple(_bots(random.Random(f"{seed}-bots"), seconds=seconds, stories=stories, tenants=tenants)),
        meetings=tuple(_meetings(random.Random(f"{seed}-meetings"), seconds=seconds, tenants=tenants)),
    )


def _faults(chance: random.Random, *, seconds: float, tenants: int) -> Iterator[Fault]:
    kinds = _in_rounds(chance, _ROUND)
    for at in _moments(chance, seconds=seconds, a_minute=FAULTS_A_MINUTE):
        kind = next(kinds)
        least, most = _SECONDS.get(kind, (0.0, 0.0))
        yield Fault(
            at=at,
            kind=kind,
            which=chance.randrange(tenants),
            seconds=chance.uniform(least, most),
            draw=chance.random(),
        )


def _bots(chance: random.Random, *, seconds: float, stories: Sequence[str], tenants: int) -> Iterator[BotOrder]:
    names = _in_rounds(chance, stories)
    for number, at in enumerate(_moments(chance, seconds=seconds, a_minute=BOTS_A_MINUTE)):
        yield BotOrder(
            at=at, name=f"bot-{number}", story=next(names), which=chance.randrange(tenants), draw=chance.random()
        )


def _meetings(chance: random.Random, *, seconds: float, tenants: int) -> Iterator[MeetingOrder]:
    for at in _moments(chance, seconds=seconds, a_minute=MEETINGS_A_MINUTE):
        acts: list[tuple[float, str]] = []
        when = at
        for _ in range(chance.randrange(6)):
            # Not two events of a meeting at one time: Zoom's times are whole seconds in places.
            when += chance.uniform(3.0, 7.0)
            acts.append((when, chance.choice(_ACTS)))
        yield MeetingOrder(at=at, which=chance.randrange(tenants), acts=tuple(acts))


def _moments(chance: random.Random, *, seconds: float, a_minute: int) -> list[float]:
    count = max(1, round(a_minute * seconds / 60.0))
    return sorted(chance.uniform(0.0, BEGIN_SHARE * seconds) for _ in range(count))


def _in_rounds(chance: random.Random, values: Sequence[T]) -> Iterator[T]:
    while True:
        yield from chance.sample(values, len(values))

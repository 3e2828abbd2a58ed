"""What Zoom tells of a meeting's life, and whom it is about: event by event, and as whole histories in any order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st
from meetingbots.mappings.decide.events import apply_meeting_event
from meetingbots.mappings.decide.ownership import Concern
from meetingbots.models.mapping import MappingStatus
from meetingbots.zoom.webhooks.events import MeetingEvent, Participant

from tests.unit.mappings.decide.meeting_events import concern, meeting_event, moment

HOSTS = st.sampled_from(["alice", "bob", "carol", ""])


@dataclass(frozen=True)
class Told:
    """An event, and who it is about."""

    event: MeetingEvent
    concern: Concern


def told(
    action: str,
    seconds: float,
    *hosts: str,
    operators: tuple[str, ...] = (),
    alternatives: tuple[str, ...] | None = None,
    claims: bool = True,
    **fields: object,
) -> Told:
    event = meeting_event(
        action,
        seconds,
        host_id=f"host-{hosts[0]}" if hosts else "stranger",
        alternative_hosts=None if alternatives is None else tuple(f"{name}@example.test" for name in alternatives),
        **fields,
    )
    return Told(event, concern(*hosts, operators=operators, alternatives=alternatives or (), claims=claims))


def changed(
    seconds: float, *, alternatives: tuple[str, ...] | None = None, claims: bool = False, **fields: Any
) -> Told:
    """An update that does not name the host."""
    addresses = None if alternatives is None else tuple(f"{name}@example.test" for name in alternatives)
    event = meeting_event("updated", seconds, host_id=None, alternative_hosts=addresses, **fields)
    return Told(event, concern(alternatives=alternatives or (), claims=claims or bool(alternatives)))


def seen(action: str, seconds: float, name: str, *, uuid: str = "a", host: str = "alice", session: str = "1") -> Told:
    """A session of a user of ours joined or left."""
    who = Participant(user_id=f"host-{name}", session_id=session)
    event = meeting_event(f"participant_{action}", seconds, host_id=f"host-{host}", uuid=uuid, participant=who)
    return Told(event, concern(host, present=(name,)))


def bot(action: str, seconds: float, *, key: str = "b1", uuid: str = "a", host: str = "alice") -> Told:
    """Zoom reports a bot, which is a guest."""
    who = Participant(user_id=None, session_id="9", customer_key=key)
    event = meeting_event(f"participant_{action}", seconds, host_id=f"host-{host}", uuid=uuid, participant=who)
    return Told(event, concern(host))


def of_app(one: Told, app: str, *, later: float, name: str) -> Told:
    """The same as another app tells it: for its own credential of the host, a little later."""
    event = replace(one.event, event_ts=one.event.event_ts + int(later * 1000))
    hosts = (name,) if one.concern.hosts else ()
    return Told(event, concern(*hosts, app=app, scope=(name,)))


def outcome(events: list[Told] | tuple[Told, ...], status: MappingStatus | None = None) -> MappingStatus:
    for one in events:
        status = apply_meeting_event(status, event=one.event, concern=one.concern) or status
    return status or MappingStatus()


@dataclass
class History:
    """A meeting's life as it goes on: whose it is, how often it ran, and what was told of it."""

    draw: st.DrawFn
    clock: int = 0
    run: int = 0
    host: str = ""
    events: list[Told] = field(default_factory=list)

    def go_on(self, step: str) -> None:
        """Let one thing happen, some seconds later."""
        self.clock += self.draw(st.integers(2, 50))
        steps: dict[str, Callable[[], None]] = {
            "plan": self._plan,
            "hand over": self._hand_over,
            "run": self._run,
            "move": lambda: self._tell(changed(self.clock, start_time=self._some_time(), claims=True)),
            "stand in": self._stand_in,
            "come": lambda: self._seen("joined"),
            "go": lambda: self._seen("left"),
            "delete": lambda: self._tell(told("deleted", self.clock, *self._who())),
            "recover": lambda: self._tell(told("recovered", self.clock, *self._who())),
        }
        steps[step]()

    def _tell(self, *events: Told) -> None:
        self.events.extend(events)

    def _who(self) -> tuple[str, ...]:
        return (self.host,) if self.host else ()

    def _some_time(self) -> Any:
        return moment(self.draw(st.integers(0, 90_000)))

    def _plan(self) -> None:
        operators = ("olga",) if self.draw(st.booleans()) else ()
        planned = self._some_time() if self.draw(st.booleans()) else None
        self._tell(told("created", self.clock, *self._who(), operators=operators, start_time=planned))

    def _hand_over(self) -> None:
        former, self.host = self.host, self.draw(HOSTS)
        self._tell(told("updated", self.clock, *self._who(), old_host_id=f"host-{former}" if former else None))

    def _run(self) -> None:
        self.run += 1
        length = self.draw(st.integers(2, 50))
        self._tell(told("started", self.clock, *self._who(), uuid=f"run-{self.run}"))
        self.clock += length
        if self.draw(st.integers(0, 4)):
            self._tell(told("ended", self.clock, *self._who(), uuid=f"run-{self.run}"))

    def _stand_in(self) -> None:
        others = self.draw(st.sampled_from([(), ("dora",), ("dora", "eve")]))
        self._tell(changed(self.clock, alternatives=others, claims=True))

    def _seen(self, what: str) -> None:
        if self.host and self.run:
            session = self.draw(st.sampled_from(["1", "2"]))
            uuid = f"run-{self.run}"
            self._tell(seen(what, self.clock, "finn", uuid=uuid, host=self.host, session=session))
            self._tell(bot(what, self.clock + 0.5, key=f"b{session}", uuid=uuid, host=self.host))


@st.composite
def histories(draw: st.DrawFn) -> list[Told]:
    """What happens to one meeting, in its true order, seconds apart; perhaps a second app tells of it, too."""
    history = History(draw, host=draw(HOSTS))
    steps = ["plan", "hand over", "run", "delete", "recover", "move", "stand in", "come", "go"]
    for step in draw(st.lists(st.sampled_from(steps), max_size=7)):
        history.go_on(step)
    if not draw(st.booleans()):
        return history.events
    apart = draw(st.sampled_from([-0.3, 0.0, 0.3]))
    twice = [one for one in history.events if not one.event.action.startswith("participant")]
    return [*history.events, *(of_app(one, "second-app", later=apart, name="zoe") for one in twice)]


@st.composite
def disorders(draw: st.DrawFn) -> tuple[list[Told], list[Told]]:
    """A history, and the same with repetitions in another order."""
    history = draw(histories())
    repeated = [*history, *(draw(st.lists(st.sampled_from(history), max_size=5)) if history else [])]
    return history, draw(st.permutations(repeated))

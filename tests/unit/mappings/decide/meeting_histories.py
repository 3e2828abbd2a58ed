"""Webhooks of a meeting and the credentials they concern: one by one, and as whole histories in any order."""

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
class Webhook:
    """An event, and the credentials that it concerns."""

    event: MeetingEvent
    concern: Concern


def webhook(
    action: str,
    seconds: float,
    *hosts: str,
    operators: tuple[str, ...] = (),
    alternatives: tuple[str, ...] | None = None,
    claims: bool = True,
    **fields: object,
) -> Webhook:
    event = meeting_event(
        action,
        seconds,
        host_id=f"host-{hosts[0]}" if hosts else "stranger",
        alternative_hosts=None if alternatives is None else tuple(f"{name}@example.test" for name in alternatives),
        **fields,
    )
    return Webhook(event, concern(*hosts, operators=operators, alternatives=alternatives or (), claims=claims))


def changed(
    seconds: float, *, alternatives: tuple[str, ...] | None = None, claims: bool = False, **fields: Any
) -> Webhook:
    """An update that does not name the host."""
    addresses = None if alternatives is None else tuple(f"{name}@example.test" for name in alternatives)
    event = meeting_event("updated", seconds, host_id=None, alternative_hosts=addresses, **fields)
    return Webhook(event, concern(alternatives=alternatives or (), claims=claims or bool(alternatives)))


def seen(
    action: str, seconds: float, name: str, *, uuid: str = "a", host: str = "alice", session: str = "1"
) -> Webhook:
    """A session of a user of ours joined or left."""
    who = Participant(user_id=f"host-{name}", session_id=session)
    event = meeting_event(f"participant_{action}", seconds, host_id=f"host-{host}", uuid=uuid, participant=who)
    return Webhook(event, concern(host, present=(name,)))


def bot(action: str, seconds: float, *, key: str = "b1", uuid: str = "a", host: str = "alice") -> Webhook:
    """Zoom reports a bot, which is a guest."""
    who = Participant(user_id=None, session_id="9", customer_key=key)
    event = meeting_event(f"participant_{action}", seconds, host_id=f"host-{host}", uuid=uuid, participant=who)
    return Webhook(event, concern(host))


def of_app(one: Webhook, app: str, *, later: float, name: str) -> Webhook:
    """The same event from another app: for its own credential of the host, a little later."""
    event = replace(one.event, event_ts=one.event.event_ts + int(later * 1000))
    hosts = (name,) if one.concern.hosts else ()
    return Webhook(event, concern(*hosts, app=app, scope=(name,)))


def outcome(events: list[Webhook] | tuple[Webhook, ...], status: MappingStatus | None = None) -> MappingStatus:
    for one in events:
        status = apply_meeting_event(status, event=one.event, concern=one.concern) or status
    return status or MappingStatus()


@dataclass
class History:
    """The life of one meeting: its host, how often it ran, and its webhooks."""

    draw: st.DrawFn
    clock: int = 0
    run: int = 0
    host: str = ""
    events: list[Webhook] = field(default_factory=list)

    def go_on(self, step: str) -> None:
        """Let one thing happen, some seconds later."""
        self.clock += self.draw(st.integers(2, 50))
        steps: dict[str, Callable[[], None]] = {
            "plan": self._plan,
            "hand over": self._hand_over,
            "run": self._run,
            "move": lambda: self._add(changed(self.clock, start_time=self._some_time(), claims=True)),
            "stand in": self._stand_in,
            "come": lambda: self._seen("joined"),
            "go": lambda: self._seen("left"),
            "delete": lambda: self._add(webhook("deleted", self.clock, *self._who())),
            "recover": lambda: self._add(webhook("recovered", self.clock, *self._who())),
        }
        steps[step]()

    def _add(self, *events: Webhook) -> None:
        self.events.extend(events)

    def _who(self) -> tuple[str, ...]:
        return (self.host,) if self.host else ()

    def _some_time(self) -> Any:
        return moment(self.draw(st.integers(0, 90_000)))

    def _plan(self) -> None:
        operators = ("olga",) if self.draw(st.booleans()) else ()
        planned = self._some_time() if self.draw(st.booleans()) else None
        self._add(webhook("created", self.clock, *self._who(), operators=operators, start_time=planned))

    def _hand_over(self) -> None:
        former, self.host = self.host, self.draw(HOSTS)
        self._add(webhook("updated", self.clock, *self._who(), old_host_id=f"host-{former}" if former else None))

    def _run(self) -> None:
        self.run += 1
        length = self.draw(st.integers(2, 50))
        self._add(webhook("started", self.clock, *self._who(), uuid=f"run-{self.run}"))
        self.clock += length
        if self.draw(st.integers(0, 4)):
            self._add(webhook("ended", self.clock, *self._who(), uuid=f"run-{self.run}"))

    def _stand_in(self) -> None:
        others = self.draw(st.sampled_from([(), ("dora",), ("dora", "eve")]))
        self._add(changed(self.clock, alternatives=others, claims=True))

    def _seen(self, what: str) -> None:
        if self.host and self.run:
            session = self.draw(st.sampled_from(["1", "2"]))
            uuid = f"run-{self.run}"
            self._add(seen(what, self.clock, "finn", uuid=uuid, host=self.host, session=session))
            self._add(bot(what, self.clock + 0.5, key=f"b{session}", uuid=uuid, host=self.host))


@st.composite
def histories(draw: st.DrawFn) -> list[Webhook]:
    """The webhooks of one meeting in their true order, seconds apart; perhaps a second app sends them, too."""
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
def disorders(draw: st.DrawFn) -> tuple[list[Webhook], list[Webhook]]:
    """A history, and the same with repetitions in another order."""
    history = draw(histories())
    repeated = [*history, *(draw(st.lists(st.sampled_from(history), max_size=5)) if history else [])]
    return history, draw(st.permutations(repeated))

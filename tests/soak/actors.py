"""People and programs of a run: they order bots, act in meetings, and consent again where a consent was lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from tests.soak.plan import BotOrder, MeetingOrder, Plan
from tests.soak.scene import CREDENTIALS, Customer, Scene
from tests.soak.stories import STORIES, Act, Story
from tests.soak.timeline import NotYet, Timeline
from tests.stack.tenant import GROUP, Tenant
from tests.zoomsim.visits import Participant
from tests.zoomsim.world import Meeting

UNKNOWN_MEETING: Final = 99_000_000_000
PASSCODE: Final = "135790"
ENDED: Final = frozenset({"Succeeded", "Failed", "Expired"})
MOST_SECONDS: Final = 120
"""A bot that comes when its meeting is over and deleted stays as long."""
GIVE_UP: Final = 30
"""After so many tries, nobody who is waited for comes to the meeting."""
_LOST: Final = frozenset({"RotationInterrupted", "ReauthorizationRequired", "Deauthorized"})
_CONSENT_SECONDS: Final = 8.0


@dataclass
class Bot:
    """A bot that was ordered. `meeting` is None for an unknown one; `tries` counts acts that had to wait."""

    order: BotOrder
    tenant: Tenant
    meeting: Meeting | None = None
    tries: Counter[str] = field(default_factory=Counter)

    @property
    def story(self) -> Story:
        """What is to happen to it."""
        return STORIES[self.order.story]

    @property
    def path(self) -> str:
        """Its path in the API server."""
        return f"{GROUP}/namespaces/{self.tenant.namespace}/meetingbots/{self.order.name}"


class Actors:
    """Puts the bots and meetings of a plan on the timeline. `consents` counts the consents that were given again."""

    def __init__(self, scene: Scene, timeline: Timeline) -> None:
        self._scene = scene
        self._timeline = timeline
        self._consented: dict[tuple[str, str], float] = {}
        self.bots: list[Bot] = []
        self.consents = 0

    def take(self, plan: Plan) -> None:
        """Put everything on the timeline."""
        for order in plan.bots:
            bot = Bot(order, self._scene.customers[order.which].tenant)
            self._timeline.add(order.at, partial(self._create, bot))
        for meeting in plan.meetings:
            self._timeline.add(meeting.at, partial(self._meeting, meeting))

    def look_at_credentials(self) -> None:
        """Consent again, as a person does, where the status asks for it."""
        for customer in self._scene.customers:
            for name in CREDENTIALS:
                self._consent_again(customer, name)

    def end_meetings(self) -> None:
        """Let the meeting of each bot that has not ended end, or run again: a bot that came after its end stays."""
        for bot in self.bots:
            if bot.meeting is None or bot.tenant.phase(bot.order.name) in ENDED:
                continue
            meeting = self._scene.sim.world.meeting(_id(bot))
            if not meeting.deleted:
                self._scene.zoom.act(meeting.id, "end" if meeting.started else "start")

    def _consent_again(self, customer: Customer, name: str) -> None:
        key, now = (customer.tenant.namespace, name), time.monotonic()
        if now - self._consented.get(key, -_CONSENT_SECONDS) < _CONSENT_SECONDS:
            return
        if customer.tenant.condition("zoomcredentials", name).get("reason") in _LOST:
            customer.consent(name)
            self._consented[key] = now
            self.consents += 1
            # The operator reads the Secret again at a change of the credential; without one, it takes longer.
            touch = {"metadata": {"annotations": {"soak.example/consents": str(self.consents)}}}
            path = f"{GROUP}/namespaces/{customer.tenant.namespace}/zoomcredentials/{name}"
            customer.tenant.cluster.api.patch(path, touch)

    # Bots.

    def _create(self, bot: Bot) -> None:
        story = bot.story
        if bot.meeting is None and story.mapped:
            passcode = PASSCODE if story.passcode else ""
            host = self._customer(bot.order.which).users["alice"]
            bot.meeting = bot.tenant.meeting(started=False, emit=True, passcode=passcode, host_id=host.id)
            self._scene.zoom.act(bot.meeting.id, "start")
        bot.tenant.apply_object(self._body(bot))
        self.bots.append(bot)
        for seconds, act in story.acts:
            self._timeline.add(self._timeline.now + seconds * (1.0 + bot.order.draw), partial(self._act, bot, act))

    def _body(self, bot: Bot) -> dict[str, Any]:
        story = bot.story
        number = bot.meeting.id if bot.meeting else UNKNOWN_MEETING
        where = {"id": str(number)} | ({"passcode": story.passcode} if story.passcode else {})
        body = bot.tenant.bot_object(
            bot.order.name,
            where,
            image=story.image,
            args=list(story.args) or None,
            annotations=story.annotations,
            **{"maxDurationSeconds": MOST_SECONDS, **story.spec(datetime.now(UTC))},
        )
        containers = body["spec"]["template"]["spec"]["containers"]
        if story.stay_seconds:
            containers[0]["env"].append({"name": "BOT_STAY_SECONDS", "value": str(story.stay_seconds)})
        containers.extend(story.beside)
        return body

    def _act(self, bot: Bot, act: Act) -> None:
        acts: dict[Act, Callable[[Bot], object]] = {
            "end meeting": self._end,
            "delete meeting": lambda one: self._zoom(one, "delete"),
            "delete bot": lambda one: one.tenant.cluster.api.delete(one.path),
            "suspend": lambda one: self._suspend(one, now=True),
            "resume": lambda one: self._suspend(one, now=False),
            "host grants": lambda one: self._scene.zoom.change_meeting(_id(one), host_answer="granted"),
            "host denies": lambda one: self._scene.zoom.change_meeting(_id(one), host_answer="denied"),
            "remove from meeting": self._remove,
            "user joins": lambda one: self._zoom(one, "joined"),
            "user leaves": lambda one: self._zoom(one, "left"),
        }
        acts[act](bot)

    def _suspend(self, bot: Bot, *, now: bool) -> None:
        bot.tenant.cluster.api.patch(bot.path, {"spec": {"suspend": now}})

    def _end(self, bot: Bot) -> None:
        if self._scene.sim.world.meeting(_id(bot)).started:
            self._scene.zoom.act(_id(bot), "end")

    def _zoom(self, bot: Bot, act: Any) -> None:
        user = self._customer(bot.order.which).users["alice"].id if act in ("joined", "left") else None
        self._scene.zoom.act(_id(bot), act, user=user)

    def _remove(self, bot: Bot) -> None:
        inside = [visit for visit in self._scene.zoom.participants() if _is_inside(visit, bot)]
        if inside:
            self._scene.zoom.put_out(inside[0].id)
            return
        bot.tries["remove"] += 1
        if bot.tries["remove"] < GIVE_UP:
            raise NotYet

    # Meetings without bots.

    def _meeting(self, order: MeetingOrder) -> None:
        customer = self._customer(order.which)
        meeting = customer.tenant.meeting(started=False, emit=True, host_id=customer.users["alice"].id)
        for at, act in order.acts:
            self._timeline.add(at, partial(self._change, customer, meeting.id, act))

    def _change(self, customer: Customer, meeting_id: int, act: Any) -> None:
        zoom, meeting = self._scene.zoom, self._scene.sim.world.meeting(meeting_id)
        if act == "move":
            other = next(user for user in customer.users.values() if user.id != meeting.host_id)
            if not meeting.deleted and not meeting.started:
                zoom.change_meeting(meeting_id, host_id=other.id)
            return
        possible = {"start": not meeting.started, "end": meeting.started, "delete": not meeting.started}
        if (act == "recover") == meeting.deleted and possible.get(act, True):
            zoom.act(meeting_id, act)

    def _customer(self, which: int) -> Customer:
        return self._scene.customers[which]


def _id(bot: Bot) -> int:
    assert bot.meeting is not None, bot.order
    return bot.meeting.id


def _is_inside(visit: Participant, bot: Bot) -> bool:
    return visit.place != "outside" and visit.meeting_id == str(_id(bot))

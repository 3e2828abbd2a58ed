"""The receiver's events a second, beside a bare loop with the same reads and writes, and its answers at a pace.

Meetings are created, and then started: each event is a look and a write. The bare loop gets what it writes: what
the receiver wrote of one meeting before.
"""

import asyncio
import statistics
import time
from dataclasses import dataclass

from meetingbots.kube.client import merge_patch

from tests.bench.burst.usage import usage
from tests.bench.burst.wire import MERGE, Object, RefusedError
from tests.bench.load.harness import MAPPINGS, Harness
from tests.bench.load.population import FIRST_MEETING, People, in_parallel
from tests.stack.event_sender import Answer, counts, event_body, send_all, send_at_pace, signed_request
from tests.zoomsim.world import User

AT_ONCE = 64
EVENTS = ("meeting.created", "meeting.started")
START_TIME = "2026-11-24T12:00:00Z"


@dataclass(frozen=True)
class Meetings:
    """So many made-up meetings, from number `first` on, shared out over the users."""

    people: People
    first: int
    count: int

    def requests(self, event: str) -> list[bytes]:
        """A signed request for each meeting."""
        app, now = self.people.app, int(time.time() * 1000)
        return [
            signed_request(
                event_body(event, account_id=user.account_id, event_ts=now, item=self._item(event, number, user.id)),
                client_id=app.client_id,
                secret=app.webhook_secret_token,
            )
            for number, user in self._each()
        ]

    def _each(self) -> list[tuple[int, User]]:
        users = self.people.users
        return [(number, users[number % len(users)]) for number in range(self.first, self.first + self.count)]

    def _item(self, event: str, number: int, host: str) -> Object:
        meeting = FIRST_MEETING + number
        item: Object = {"uuid": f"uuid-{number}", "host_id": host, "topic": "Bench", "type": 2, "duration": 60}
        item |= {"start_time": START_TIME, "timezone": "UTC"}
        return item | {"id": meeting if event == "meeting.created" else str(meeting)}


@dataclass(frozen=True)
class Written:
    """What the receiver wrote of a meeting that was created, and what it changed of it when the meeting started."""

    created: Object
    started: Object

    def new(self, number: int) -> Object:
        """The same mapping of another meeting."""
        name = str(FIRST_MEETING + number)
        metadata = {key: self.created["metadata"][key] for key in ("namespace", "labels", "ownerReferences")}
        kept = {key: self.created[key] for key in ("apiVersion", "kind", "status")}
        return kept | {"metadata": metadata | {"name": name}, "spec": {"meetingId": name}}

    def patch(self, known: Object) -> Object:
        """The change, onto exactly what is known."""
        status = merge_patch(self.created["status"], self.started["status"])
        metadata = {"resourceVersion": known["metadata"]["resourceVersion"], "labels": {"meetingbots.dev/live": "true"}}
        return {"metadata": metadata, "status": status}


async def receiver_rate(harness: Harness, meetings: Meetings) -> float:
    """Events a second that were written; those answered with 503, which Zoom would send again, are none."""
    seconds, written = 0.0, 0
    for event in EVENTS:
        requests = meetings.requests(event)
        began = time.perf_counter()
        answers = await send_all(requests, port=harness.stack.receiver_port, connections=AT_ONCE)
        seconds += time.perf_counter() - began
        written += counts(answers).get(204, 0)
        if set(counts(answers)) - {204, 503}:
            raise RuntimeError(f"{event}: the receiver answered {counts(answers)}")
    return written / seconds


async def floor_rate(harness: Harness, meetings: Meetings, written: Written) -> float:
    """The same reads and writes a second, by a bare loop."""
    wire = harness.as_receiver
    bodies = [written.new(number) for number in range(meetings.first, meetings.first + meetings.count)]
    began = time.perf_counter()

    async def create(place: int) -> None:
        body = bodies[place]
        try:
            await wire.send("GET", f"{MAPPINGS}/{body['metadata']['name']}")
        except RefusedError:
            await wire.send("POST", MAPPINGS, body)

    async def start(place: int) -> None:
        path = f"{MAPPINGS}/{bodies[place]['metadata']['name']}"
        known = await wire.ask("GET", path)
        await wire.send("PATCH", path, written.patch(known), media=MERGE)

    await in_parallel(meetings.count, create, at_once=AT_ONCE)
    await in_parallel(meetings.count, start, at_once=AT_ONCE)
    return 2 * meetings.count / (time.perf_counter() - began)


async def look_at_writes(harness: Harness, people: People, *, number: int) -> Written:
    """Let the receiver take the two events of one meeting, and see what it writes."""
    meeting, seen = Meetings(people, number, 1), []
    for event in EVENTS:
        await send_all(meeting.requests(event), port=harness.stack.receiver_port)
        seen.append(await harness.wire.ask("GET", f"{MAPPINGS}/{FIRST_MEETING + number}"))
    return Written(*seen)


@dataclass(frozen=True)
class Pace:
    """Events a second, and the CPU milliseconds that each cost the process that made the requests for it."""

    rate: float
    cpu: float


async def rates(harness: Harness, people: People, *, first: int, events: int, runs: int) -> tuple[Pace, Pace]:
    """The receiver's and the bare loop's median pace, measured in turn."""
    ours, bare = [], []
    written = await look_at_writes(harness, people, number=first)
    first += 1
    for run in range(runs):
        place = first + 2 * run * events
        before = time.process_time()
        rate = await floor_rate(harness, Meetings(people, place, events), written)
        bare.append(Pace(rate, _each(time.process_time() - before, events)))
        receiver = harness.stack.receiver.pid
        before = usage(receiver).cpu
        rate = await receiver_rate(harness, Meetings(people, place + events, events))
        ours.append(Pace(rate, _each(usage(receiver).cpu - before, events)))
        await asyncio.sleep(1.0)
    return _median(ours), _median(bare)


def _each(seconds: float, meetings: int) -> float:
    return seconds * 1000 / (meetings * len(EVENTS))


def _median(paces: list[Pace]) -> Pace:
    return Pace(statistics.median(one.rate for one in paces), statistics.median(one.cpu for one in paces))


async def answers_at(harness: Harness, people: People, *, first: int, per_second: int, seconds: int) -> list[Answer]:
    """Answers to evenly spaced events."""
    requests = Meetings(people, first, per_second * seconds).requests("meeting.created")
    answers = await send_at_pace(requests, port=harness.stack.receiver_port, per_second=per_second)
    if counts(answers) != {204: len(requests)}:
        raise RuntimeError(f"at {per_second} events a second the receiver answered {counts(answers)}")
    return answers

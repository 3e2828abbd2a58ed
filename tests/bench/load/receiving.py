"""The receiver's events a second, beside a bare loop that makes the same reads and writes, and its answers at a pace.

Meetings are created, and then started: each event is a look and a write. The bare loop knows beforehand what to write.
"""

import asyncio
import statistics
import time
from dataclasses import dataclass

from tests.bench.burst.wire import MERGE, Object, RefusedError
from tests.bench.load.ground import MAPPINGS, Ground
from tests.bench.load.population import FIRST_MEETING, People, in_parallel
from tests.bench.load.population import mapping as mapping_of
from tests.stack.event_sender import Answer, counts, event_body, send_all, send_at_pace, signed_request
from tests.zoomsim.world import User

AT_ONCE = 64
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


async def receiver_rate(ground: Ground, meetings: Meetings) -> float:
    """Events a second, all of them written."""
    seconds = 0.0
    for event in ("meeting.created", "meeting.started"):
        requests = meetings.requests(event)
        began = time.perf_counter()
        answers = await send_all(requests, port=ground.stack.receiver_port, connections=AT_ONCE)
        seconds += time.perf_counter() - began
        if counts(answers) != {204: len(requests)}:
            raise RuntimeError(f"{event}: the receiver answered {counts(answers)}")
    return 2 * meetings.count / seconds


async def floor_rate(ground: Ground, meetings: Meetings) -> float:
    """The same reads and writes a second, by a bare loop."""
    bodies = {number: mapping_of(meetings.people, number) for number in _numbers(meetings)}
    began = time.perf_counter()

    async def create(place: int) -> None:
        body = bodies[meetings.first + place]
        try:
            await ground.wire.send("GET", f"{MAPPINGS}/{body['metadata']['name']}")
        except RefusedError:
            await ground.wire.send("POST", MAPPINGS, body)

    async def start(place: int) -> None:
        path = f"{MAPPINGS}/{bodies[meetings.first + place]['metadata']['name']}"
        known = await ground.wire.ask("GET", path)
        patch = {
            "metadata": {
                "resourceVersion": known["metadata"]["resourceVersion"],
                "labels": {"meetingbots.dev/live": "true"},
            },
            "status": {"phase": "Live", "uuid": "run", "startTime": START_TIME, "eventTimes": {"live": 1}},
        }
        await ground.wire.send("PATCH", path, patch, media=MERGE)

    await in_parallel(meetings.count, create, at_once=AT_ONCE)
    await in_parallel(meetings.count, start, at_once=AT_ONCE)
    return 2 * meetings.count / (time.perf_counter() - began)


def _numbers(meetings: Meetings) -> range:
    return range(meetings.first, meetings.first + meetings.count)


async def rates(ground: Ground, people: People, *, first: int, events: int, runs: int) -> tuple[float, float]:
    """The receiver's and the bare loop's median rate, measured in turn."""
    ours, bare = [], []
    for run in range(runs):
        place = first + 2 * run * events
        bare.append(await floor_rate(ground, Meetings(people, place, events)))
        ours.append(await receiver_rate(ground, Meetings(people, place + events, events)))
        await asyncio.sleep(1.0)
    return statistics.median(ours), statistics.median(bare)


async def answers_at(ground: Ground, people: People, *, first: int, per_second: int, seconds: int) -> list[Answer]:
    """Answers to evenly spaced events."""
    requests = Meetings(people, first, per_second * seconds).requests("meeting.created")
    answers = await send_at_pace(requests, port=ground.stack.receiver_port, per_second=per_second)
    if counts(answers) != {204: len(requests)}:
        raise RuntimeError(f"at {per_second} events a second the receiver answered {counts(answers)}")
    return answers

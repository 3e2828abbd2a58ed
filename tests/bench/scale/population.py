"""Puts objects into the cluster: one of each kind as the two processes and people write it, and its copies."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from meetingbots.kube.client import merge_patch
from meetingbots.mappings.manifests.mapping import FIELD_MANAGER, compact, new_mapping
from meetingbots.models.mapping import EventTimes, FoundCredential, MappingPhase, MappingStatus, Role, Source

from tests.bench.burst.objects import bot
from tests.bench.burst.player import Player
from tests.bench.burst.wire import MERGE, Object
from tests.bench.load.harness import CREDENTIALS, GROUP, MAPPINGS, NAMESPACE, Harness
from tests.bench.load.population import FIRST_MEETING, in_parallel
from tests.bench.scale.copies import ROOT, Etcd
from tests.cluster.api import core_path
from tests.zoomsim.scenario import MeetingWanted, Scenario

BOTS = f"{GROUP}/namespaces/{NAMESPACE}/meetingbots"
EMPTY_NAMESPACE = "empty"
EMPTY = f"{GROUP}/namespaces/{EMPTY_NAMESPACE}/meetingmappings"
_FIRST = str(FIRST_MEETING)
_OURS = f"fieldManager={FIELD_MANAGER}"
_LEAD_SECONDS = 3600
_LIMIT_SECONDS = 900.0


@dataclass(frozen=True)
class Owner:
    """A credential and its user at Zoom."""

    name: str
    uid: str
    user: str


async def owners(harness: Harness) -> list[Owner]:
    """All credentials."""
    items = (await harness.wire.ask("GET", CREDENTIALS))["items"]
    return [Owner(one["metadata"]["name"], one["metadata"]["uid"], one["status"]["userId"]) for one in items]


async def empty_mappings(harness: Harness, *, count: int) -> None:
    """The floor: objects with nothing but a meeting ID, without managedFields."""
    await harness.wire.send("POST", core_path("namespaces"), {"metadata": {"name": EMPTY_NAMESPACE}})
    body = {"apiVersion": "meetingbots.dev/v1alpha1", "kind": "MeetingMapping", "metadata": {"name": _FIRST}}
    await harness.wire.send("POST", EMPTY, body | {"spec": {"meetingId": _FIRST}})
    await harness.wire.send("PATCH", f"{EMPTY}/{_FIRST}", {"metadata": {"managedFields": [{}]}}, media=MERGE)
    folder = f"{ROOT}/meetingmappings/{EMPTY_NAMESPACE}"
    async with Etcd(harness.cluster.etcd_url) as etcd:
        stored = await etcd.get(f"{folder}/{_FIRST}")
        names = (str(FIRST_MEETING + number) for number in range(1, count))
        await etcd.put((f"{folder}/{name}", _copy(stored, {_FIRST: name})) for name in names)


async def drop_empty_mappings(harness: Harness) -> None:
    """Delete the floor again."""
    async with Etcd(harness.cluster.etcd_url) as etcd:
        await etcd.delete(f"{ROOT}/meetingmappings/{EMPTY_NAMESPACE}/")


async def new_mappings(harness: Harness, people: list[Owner], *, count: int) -> None:
    """Mappings as the receiver writes them when a meeting is created."""
    await harness.wire.send("POST", f"{MAPPINGS}?{_OURS}", _mapping(people[0]))
    await _copy_mappings(harness, people, count=count)


async def started_mappings(harness: Harness, people: list[Owner], *, count: int) -> None:
    """Mappings of meetings that have been held: after the second write, as `MappingWriter` writes it."""
    body = await harness.wire.ask("GET", f"{MAPPINGS}/{_FIRST}")
    patch = compact(body, merge_patch({"status": body["status"]}, _held(body)))
    await harness.wire.send("PATCH", f"{MAPPINGS}/{_FIRST}?{_OURS}", patch, media=MERGE)
    await _copy_mappings(harness, people, count=count)


async def live_bots(harness: Harness, player: Player, people: list[Owner], *, first: int, count: int) -> list[str]:
    """Bots that the operator takes all the way until they run. Returns the names of their Pods."""
    wanted = tuple(MeetingWanted(host_id=people[number].user, start_in=3600.0) for number in range(count))
    harness.zoom.load(Scenario(meetings=wanted))
    before = set(player.started)
    join_at = datetime.fromtimestamp(time.time() + 10 + count / 50, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    async def one(number: int) -> None:
        body = bot(first + number, str(wanted[number].id), join_at=join_at, lead=_LEAD_SECONDS)
        body["spec"]["credentialRef"] = {"name": people[number].name}
        await harness.wire.send("POST", BOTS, body)

    await in_parallel(count, one, at_once=16)
    await player.until(lambda: len(player.started) >= len(before) + count, what="bots", seconds=_LIMIT_SECONDS)
    await _until_phase(harness, [f"bot-{first + number}" for number in range(count)], "Running")
    return sorted(set(player.started) - before)


async def finished_bot(harness: Harness, player: Player, people: list[Owner]) -> Object:
    """A bot that has gone its whole way."""
    pods = await live_bots(harness, player, people, first=0, count=1)
    await player.succeed(pods)
    await _until_phase(harness, ["bot-0"], "Succeeded")
    return await harness.wire.ask("GET", f"{BOTS}/bot-0")


async def _until_phase(harness: Harness, names: list[str], phase: str) -> None:
    """Wait for bots one by one: a list would have all finished ones, too."""
    async with asyncio.timeout(_LIMIT_SECONDS):
        for name in names:
            while (await harness.wire.ask("GET", f"{BOTS}/{name}")).get("status", {}).get("phase") != phase:  # noqa: ASYNC110 - another process writes it
                await asyncio.sleep(0.5)


async def finished_bots(harness: Harness, *, count: int) -> None:
    """Copies of the finished bot."""
    folder = f"{ROOT}/meetingbots/{NAMESPACE}"
    async with Etcd(harness.cluster.etcd_url) as etcd:
        stored = await etcd.get(f"{folder}/bot-0")
        names = (f"finished-{number}" for number in range(count))
        await etcd.put((f"{folder}/{name}", _copy(stored, {"bot-0": name})) for name in names)


async def _copy_mappings(harness: Harness, people: list[Owner], *, count: int) -> None:
    folder, original = f"{ROOT}/meetingmappings/{NAMESPACE}", people[0]

    def copies(stored: str) -> Iterator[tuple[str, str]]:
        for number in range(1, count):
            owner, name = people[number % len(people)], str(FIRST_MEETING + number)
            changes = {_FIRST: name, f'{original.name}"': f'{owner.name}"', original.uid: owner.uid}
            yield f"{folder}/{name}", _copy(stored, changes)

    async with Etcd(harness.cluster.etcd_url) as etcd:
        await etcd.put(copies(await etcd.get(f"{folder}/{_FIRST}")))


def _copy(stored: str, changes: dict[str, str]) -> str:
    uid: str = json.loads(stored)["metadata"]["uid"]
    for before, after in (changes | {uid: str(uuid4())}).items():
        stored = stored.replace(before, after)
    return stored


def _mapping(owner: Owner) -> Object:
    moment = 1_790_000_000_000
    status = MappingStatus(
        credentials=[FoundCredential(name=owner.name, role=Role.HOST, source=Source.WEBHOOK)],
        phase=MappingPhase.SCHEDULED,
        start_time=datetime.now(UTC),
        event_times=EventTimes(existence=moment, roles=moment, schedule=moment),
    )
    return new_mapping(namespace=NAMESPACE, meeting_id=_FIRST, status=status, uids={owner.name: owner.uid}, live=False)


def _held(body: Object) -> Object:
    status, times = body["status"], body["status"]["eventTimes"]
    held = {"phase": "Ended", "uuid": "NZqkVDcyQ+qvPpqcEYb8xw==", "endTime": status["startTime"]}
    return {"status": {**status, **held, "eventTimes": {**times, "live": times["existence"] + 60_000}}}

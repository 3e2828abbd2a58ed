"""Fills the cluster: credentials with real consents at the simulated Zoom, and mappings of theirs by the hundred."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

from meetingbots.mappings.manifests.mapping import new_mapping
from meetingbots.models.mapping import FoundCredential, MappingPhase, MappingStatus, Role, Source

from tests.bench.burst.objects import secret
from tests.bench.burst.wire import Object
from tests.bench.load.harness import CREDENTIALS, MAPPINGS, NAMESPACE, Harness
from tests.cluster.api import core_path
from tests.zoomsim.scenario import ConsentWanted, MeetingWanted, Scenario
from tests.zoomsim.world import Account, App, User

USERS_PER_ACCOUNT = 10
LISTED_MEETINGS = 300
FIRST_MEETING = 900_000_000
"""Made-up IDs have 9 digits, the simulator's own 11, so that they never meet."""


@dataclass(frozen=True)
class People:
    """The app, its users with their credentials' names and uids; the first one has `LISTED_MEETINGS` at Zoom."""

    app: App
    users: tuple[User, ...]
    names: tuple[str, ...]
    uids: tuple[str, ...]
    meetings: tuple[int, ...]


async def in_parallel(count: int, work: Callable[[int], Awaitable[object]], *, at_once: int = 64) -> None:
    """Do `work(number)` for each number; the first failure ends it."""
    numbers: Iterator[int] = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await work(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())


async def make_people(harness: Harness, *, count: int) -> People:
    """Consents at Zoom, and a ZoomCredential for each; ends when all of them are Ready and have read their meetings."""
    accounts = tuple(Account() for _ in range(-(-count // USERS_PER_ACCOUNT)))
    users = tuple(
        User(account_id=accounts[number // USERS_PER_ACCOUNT].id, email=f"user-{number}@load.example")
        for number in range(count)
    )
    app = App(owner_account_id=accounts[0].id, client_id="load-app")
    meetings = tuple(MeetingWanted(host_id=users[0].id, start_in=3600.0 + n) for n in range(LISTED_MEETINGS))
    consents = tuple(ConsentWanted(client_id=app.client_id, user=user.id) for user in users)
    given = await asyncio.to_thread(
        harness.zoom.load,
        Scenario(accounts=accounts, users=users, apps=(app,), consents=consents, meetings=meetings),
    )
    names = tuple(f"user-{number}" for number in range(count))
    uids = [""] * count
    secrets = core_path("secrets", namespace=NAMESPACE)
    values = {
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "webhook_secret_token": app.webhook_secret_token,
    }
    await harness.wire.send("POST", secrets, secret("zoom-app", **values))

    async def one(number: int) -> None:
        await harness.wire.send("POST", secrets, secret(names[number], refresh_token=given[number].refresh_token))
        made = await harness.wire.ask("POST", CREDENTIALS, _credential(names[number]))
        uids[number] = made["metadata"]["uid"]

    await in_parallel(count, one)
    people = People(app, users, names, tuple(uids), tuple(meeting.id for meeting in meetings))
    await _until_ready(harness, count)
    return people


async def make_mappings(harness: Harness, people: People, *, count: int, first: int = 0) -> None:
    """Mappings as the receiver writes them, from number `first` on, shared out over the credentials."""

    async def one(number: int) -> None:
        await harness.wire.send("POST", MAPPINGS, mapping(people, first + number))

    await in_parallel(count, one)


def mapping(people: People, number: int) -> Object:
    """The mapping of the made-up meeting with this number."""
    owner = number % len(people.names)
    name = people.names[owner]
    status = MappingStatus(
        credentials=[FoundCredential(name=name, role=Role.HOST, source=Source.WEBHOOK)],
        phase=MappingPhase.SCHEDULED,
    )
    return new_mapping(
        namespace=NAMESPACE,
        meeting_id=str(FIRST_MEETING + number),
        status=status,
        uids={name: people.uids[owner]},
        live=False,
    )


def _credential(name: str) -> Object:
    return {
        "apiVersion": "meetingbots.dev/v1alpha1",
        "kind": "ZoomCredential",
        "metadata": {"name": name},
        "spec": {
            "appSecretRef": {"name": "zoom-app"},
            "grant": {"refreshToken": {"secretKeyRef": {"name": name, "key": "refresh_token"}}},
        },
    }


async def _until_ready(harness: Harness, count: int) -> None:
    deadline = time.monotonic() + 300 + count
    while True:
        found = (await harness.wire.ask("GET", CREDENTIALS))["items"]
        done = sum(_has(item, "Ready") and _has(item, "MeetingsSynced") for item in found)
        if done == count:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"only {done} of {count} credentials are Ready and have read their meetings")
        await asyncio.sleep(1.0)


def _has(item: Object, kind: str) -> bool:
    conditions = item.get("status", {}).get("conditions", ())
    return any(one["type"] == kind and one["status"] == "True" for one in conditions)

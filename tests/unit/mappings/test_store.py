from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from meetingbots.kube.errors import ConflictError, ForbiddenError, KubeError, NotFoundError, UnavailableError
from meetingbots.kube.resources import MAPPINGS
from meetingbots.mappings.decide.listing import REMOVE, Remove
from meetingbots.mappings.store import Decide, MappingWriter
from meetingbots.models.mapping import FoundCredential, MappingPhase, MappingStatus, MeetingMapping, Role, Source

from tests.unit.fake_kube import Call, FakeKube

MEETING = "81234567890"
WRITES = ("create", "patch", "delete")


class Clock:
    """Monotonic seconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def write(kube: FakeKube, clock: Clock) -> Callable[..., Awaitable[bool]]:
    writer = MappingWriter(kube=kube, clock=clock, sleep=clock.sleep, patience=5.0)

    async def write(decide: Decide, *, probably_new: bool = False) -> bool:
        return await writer.write(
            namespace="team",
            meeting_id=MEETING,
            decide=decide,
            uids={"alice": "uid-alice", "bob": "uid-bob"},
            probably_new=probably_new,
        )

    return write


Write = Callable[..., Awaitable[bool]]


def with_host(name: str) -> Decide:
    """Adds a host to whoever is there; nothing to do once that one is."""

    def decide(mapping: MeetingMapping | None) -> MappingStatus | None:
        before = mapping.status if mapping else MappingStatus()
        if any(one.name == name for one in before.credentials):
            return None
        entry = FoundCredential(name=name, role=Role.HOST, source=Source.WEBHOOK)
        return before.model_copy(
            update={"credentials": [*before.credentials, entry], "phase": before.phase or MappingPhase.SCHEDULED}
        )

    return decide


def names(kube: FakeKube) -> list[str]:
    item = kube.peek(MAPPINGS, namespace="team", name=MEETING)
    assert item is not None
    return [entry["name"] for entry in item["status"]["credentials"]]


def writes(kube: FakeKube) -> int:
    return sum(kube.count(verb, MAPPINGS) for verb in WRITES)


async def test_a_missing_mapping_is_created_in_one_write(kube: FakeKube, write: Write) -> None:
    assert await write(with_host("alice"))
    assert names(kube) == ["alice"]
    assert [call.verb for call in kube.calls if call.moment == "before"] == ["get", "create"]


async def test_what_is_probably_new_is_created_without_looking(kube: FakeKube, write: Write) -> None:
    assert await write(with_host("alice"), probably_new=True)
    assert [call.verb for call in kube.calls if call.moment == "before"] == ["create"]


async def test_what_was_probably_new_but_is_not_is_read_and_patched(kube: FakeKube, write: Write) -> None:
    await write(with_host("alice"))
    assert await write(with_host("bob"), probably_new=True)
    assert names(kube) == ["alice", "bob"]


async def test_an_unchanged_mapping_is_not_written(kube: FakeKube, write: Write) -> None:
    await write(with_host("alice"))
    assert not await write(with_host("alice"))
    assert not await write(lambda _: None)
    assert writes(kube) == 1


async def test_a_changed_mapping_is_one_patch(kube: FakeKube, write: Write) -> None:
    await write(with_host("alice"))
    assert await write(with_host("bob"))
    assert names(kube) == ["alice", "bob"]
    assert kube.count("patch") == 1


async def test_a_conflict_is_decided_again_on_what_is_there_now(kube: FakeKube, write: Write) -> None:
    await write(with_host("alice"))
    others = MappingWriter(kube=kube, clock=lambda: 0.0)
    once = [True]

    async def interfere(call: Call) -> None:
        if call.verb == "patch" and call.moment == "before" and once:
            once.clear()
            kube.hook = nothing
            await others.write(namespace="team", meeting_id=MEETING, decide=with_host("carol"), uids={})

    async def nothing(_: Call) -> None: ...

    kube.hook = interfere
    assert await write(with_host("bob"))
    assert names(kube) == ["alice", "carol", "bob"]


async def test_an_object_that_vanishes_before_the_patch_is_created(kube: FakeKube, write: Write) -> None:
    await write(with_host("alice"))

    async def vanish(call: Call) -> None:
        if call.verb == "patch" and call.moment == "before":
            kube.remove(MAPPINGS, namespace="team", name=MEETING)

    kube.hook = vanish
    assert await write(with_host("bob"))
    assert names(kube) == ["bob"]


async def test_endless_conflicts_end_in_time(kube: FakeKube, write: Write, clock: Clock) -> None:
    await write(with_host("alice"))

    async def conflict(call: Call) -> None:
        if call.verb == "patch":
            raise ConflictError("changed", status=409)

    kube.hook = conflict
    with pytest.raises(ConflictError):
        await write(with_host("bob"))
    assert 5.0 <= clock.now < 6.0


async def test_one_that_exists_but_is_not_there_is_given_up_in_time(kube: FakeKube, write: Write, clock: Clock) -> None:
    async def just_going(call: Call) -> None:
        if call.verb == "get":
            raise NotFoundError("not found", status=404)

    await write(with_host("alice"))
    kube.hook = just_going
    with pytest.raises(ConflictError):
        await write(with_host("bob"))
    assert clock.now < 6.0


@pytest.mark.parametrize(
    "error", [UnavailableError("away", status=503), ForbiddenError("exceeded quota", status=403), NotFoundError("kind")]
)
async def test_a_refused_write_is_raised(kube: FakeKube, write: Write, error: KubeError) -> None:
    async def refuse(call: Call) -> None:
        if call.verb == "create":
            raise error

    kube.hook = refuse
    with pytest.raises(type(error)):
        await write(with_host("alice"))


@pytest.mark.parametrize(
    "error",
    [
        NotFoundError('namespaces "team" not found', status=404),
        ForbiddenError("unable to create new content in namespace team because it is being terminated", status=403),
    ],
)
async def test_nothing_is_written_into_a_namespace_that_goes(kube: FakeKube, write: Write, error: KubeError) -> None:
    async def refuse(call: Call) -> None:
        if call.verb == "create":
            raise error

    kube.hook = refuse
    assert not await write(with_host("alice"))


async def test_a_mapping_is_removed_only_as_it_was_read(kube: FakeKube, write: Write) -> None:
    await write(with_host("alice"))

    def remove_if_alone(mapping: MeetingMapping | None) -> Remove | None:
        return REMOVE if mapping is not None and len(mapping.status.credentials) == 1 else None

    others = MappingWriter(kube=kube, clock=lambda: 0.0)

    async def interfere(call: Call) -> None:
        if call.verb == "delete" and call.moment == "before":
            kube.hook = nothing
            await others.write(namespace="team", meeting_id=MEETING, decide=with_host("bob"), uids={"bob": "uid-bob"})

    async def nothing(_: Call) -> None: ...

    kube.hook = interfere
    assert not await write(remove_if_alone)
    assert names(kube) == ["alice", "bob"]
    assert await write(lambda _: REMOVE)
    assert kube.peek(MAPPINGS, namespace="team", name=MEETING) is None
    assert not await write(lambda _: REMOVE)


async def test_peoples_entries_are_left_alone_and_leave_it_without_owners(kube: FakeKube, write: Write) -> None:
    kube.put(
        MAPPINGS,
        {
            "metadata": {"name": MEETING, "namespace": "team"},
            "spec": {"meetingId": MEETING, "credentials": [{"name": "dora"}]},
        },
    )
    assert await write(with_host("alice"), probably_new=True)
    item = kube.peek(MAPPINGS, namespace="team", name=MEETING)
    assert item is not None
    assert item["spec"] == {"meetingId": MEETING, "credentials": [{"name": "dora"}]}
    assert not item["metadata"].get("ownerReferences")
    assert names(kube) == ["alice"]

"""Who owns a found mapping: the credentials that live now, and nobody where people have a say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from meetingbots.kube.errors import ExpiredError, UnavailableError
from meetingbots.kube.resources import CREDENTIALS, MAPPINGS
from meetingbots.mappings.recently_deleted import KEPT_SECONDS, RecentlyDeletedMappings
from meetingbots.mappings.reconcile.manual_entries import ManualEntries
from meetingbots.mappings.reconcile.sweeper import MappingSweeper
from meetingbots.models.credential import ZoomCredential
from meetingbots.runtime.object_cache import Key

from tests.unit.credentials.reconcile.credential_harness import KEY, Bench, Operator
from tests.unit.fake_kube import FakeKube
from tests.unit.mappings.reconcile.mapping_harness import sessions_of, sweeper_of, writer_of
from tests.unit.mappings.reconcile.test_meeting_sync import PMI, Ground, Zoom, credential, ids
from tests.unit.mappings.reconcile.test_sweeper import MEETING, SWEEP, entry, put, seen

OLD = {"apiVersion": "meetingbots.dev/v1alpha1", "kind": "ZoomCredential", "name": "alice", "uid": "uid-before"}


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    bench.consent()
    bench.put_credential()
    yield bench
    await bench.close()


def owned(
    bench: Bench, name: str = MEETING, *owners: dict[str, str], people: tuple[str, ...] = (), **more: Any
) -> None:
    """A mapping as it was found for an earlier object of alice's."""
    put(bench, name, people=people, **more)
    item = bench.kube.peek(MAPPINGS, namespace="team", name=name)
    assert item is not None
    item["metadata"]["ownerReferences"] = list(owners or (OLD,))
    bench.kube.put(MAPPINGS, item)


def uids(kube: FakeKube, name: str = MEETING) -> list[str] | None:
    item = kube.peek(MAPPINGS, namespace="team", name=name)
    return None if item is None else [one["uid"] for one in item["metadata"].get("ownerReferences", [])]


def alice(bench: Bench) -> str:
    item = bench.kube.peek(CREDENTIALS, namespace=KEY.namespace, name=KEY.name)
    assert item is not None
    return str(item["metadata"]["uid"])


def made_anew(ground: Ground) -> None:
    """The credential is deleted and created again: the same name, another uid."""
    item = credential().model_dump(mode="json", by_alias=True, exclude_none=True)
    item["metadata"]["uid"] = "uid-anew"
    ground.credential = ZoomCredential.from_object(item)
    ground.kube.put(CREDENTIALS, item)


async def test_the_sync_of_a_credential_that_is_back_takes_its_mappings_over() -> None:
    ground = Ground(kube=FakeKube(), zoom=Zoom(meetings=ids(range(2))), credential=credential())
    await ground.sync()
    # An instant meeting is in no list: it is known from a webhook only.
    instant = {**(ground.mapping(PMI) or {}), "spec": {"meetingId": MEETING}}
    instant["metadata"] = {**instant["metadata"], "name": MEETING, "uid": "uid-instant"}
    instant["status"] = {"credentials": [entry()], "phase": "Live", "uuid": "run", "eventTimes": {"live": 1}}
    ground.kube.put(MAPPINGS, instant)
    made_anew(ground)
    result = await ground.sync(after=timedelta(seconds=5))
    assert result.adopted == 4
    for name in (*ids(range(2)), PMI, MEETING):
        assert uids(ground.kube, name) == ["uid-anew"]
    again = await ground.sync(after=timedelta(seconds=9))
    assert (again.adopted, again.written) == (0, 0)


async def test_what_the_garbage_collector_takes_during_a_sync_is_made_again() -> None:
    ground = Ground(kube=FakeKube(), zoom=Zoom(meetings=ids(range(1))), credential=credential())
    await ground.sync()
    made_anew(ground)

    async def collect(call: Any) -> None:
        if (call.verb, call.moment, call.plural) == ("list", "after", MAPPINGS.plural):
            ground.kube.remove(MAPPINGS, namespace="team", name=PMI)

    ground.kube.hook = collect
    await ground.sync(after=timedelta(seconds=5))
    assert uids(ground.kube, PMI) == ["uid-anew"]


async def test_a_process_with_an_outdated_watch_does_not_restore_a_deleted_owner() -> None:
    ground = Ground(kube=FakeKube(), zoom=Zoom(), credential=credential())
    made_anew(ground)
    await ground.sync()
    ground.credential = credential()  # as the watch reported it before
    await ground.sync(after=timedelta(seconds=5))
    assert uids(ground.kube, PMI) == ["uid-anew"]


async def test_the_sweep_repairs_owners(bench: Bench) -> None:
    _, tidy = await seen(bench)
    owned(bench)
    owned(bench, "82222222222", people=("dora",))
    await tidy.reconcile(SWEEP)
    assert uids(bench.kube) == [alice(bench)]
    assert uids(bench.kube, "82222222222") == []
    before = bench.kube.count("patch", MAPPINGS)
    await tidy.reconcile(SWEEP)
    assert bench.kube.count("patch", MAPPINGS) == before


async def test_a_credential_that_is_back_adopts_at_once_and_once(bench: Bench) -> None:
    _, tidy = await seen(bench)
    owned(bench)
    await tidy.reconcile(KEY)
    assert uids(bench.kube) == [alice(bench)]
    before = bench.kube.count("list", MAPPINGS)
    await tidy.reconcile(KEY)
    assert bench.kube.count("list", MAPPINGS) == before


def sweeper_with_deleted(operator: Operator, bench: Bench, *, name: str = MEETING) -> MappingSweeper:
    """The garbage collector deletes a mapping of a running meeting, and the watch reports that."""
    item = bench.kube.peek(MAPPINGS, namespace="team", name=name)
    assert item is not None
    bench.kube.remove(MAPPINGS, namespace="team", name=name)
    deleted = RecentlyDeletedMappings(clock=lambda: 0.0)
    deleted.add(item)
    sessions = sessions_of(operator.services, operator.tokens)
    return sweeper_of(operator.services, sessions=sessions, recently_deleted=deleted)


async def test_a_running_meeting_that_was_collected_is_put_back(bench: Bench) -> None:
    operator, _ = await seen(bench)
    owned(bench, phase="Live", uuid="run-1")
    tidy = sweeper_with_deleted(operator, bench)
    await tidy.reconcile(KEY)
    item = bench.kube.peek(MAPPINGS, namespace="team", name=MEETING)
    assert item is not None
    assert (item["status"]["phase"], item["status"]["uuid"]) == ("Live", "run-1")
    assert item["metadata"]["labels"]["meetingbots.dev/live"] == "true"
    assert uids(bench.kube) == [alice(bench)]


async def test_a_meeting_that_was_removed_otherwise_is_not_put_back(bench: Bench) -> None:
    operator, _ = await seen(bench)
    owned(bench, MEETING, {**OLD, "uid": alice(bench)})
    tidy = sweeper_with_deleted(operator, bench)
    await tidy.reconcile(KEY)
    assert uids(bench.kube) is None


async def test_a_mapping_that_was_written_in_between_is_not_restored(bench: Bench) -> None:
    operator, _ = await seen(bench)
    owned(bench, phase="Live", uuid="run-1")
    tidy = sweeper_with_deleted(operator, bench)
    owned(bench, phase="Ended", uuid="run-1")
    await tidy.reconcile(KEY)
    item = bench.kube.peek(MAPPINGS, namespace="team", name=MEETING)
    assert item is not None
    assert item["status"]["phase"] == "Ended"


async def test_the_removal_of_a_credentials_entries_ends_when_it_is_back(bench: Bench) -> None:
    operator, tidy = await seen(bench)
    put(bench)
    item = operator.services.caches.credentials.get(KEY)
    assert item is not None
    bench.kube.remove(CREDENTIALS, namespace=KEY.namespace, name=KEY.name)
    operator.services.caches.credentials.drop(KEY)

    async def back(call: Any) -> None:
        if (call.verb, call.moment, call.plural) == ("list", "after", MAPPINGS.plural):
            operator.services.caches.credentials.put(bench.kube.put(CREDENTIALS, item))

    bench.kube.hook = back
    await tidy.reconcile(KEY)
    assert bench.kube.peek(MAPPINGS, namespace="team", name=MEETING) is not None


def test_deleted_mappings_are_kept_for_two_minutes() -> None:
    now = [0.0]
    gone = RecentlyDeletedMappings(clock=lambda: now[0])
    item = {"metadata": {"namespace": "team", "name": MEETING, "ownerReferences": [OLD]}}
    assert gone.add(item) == {KEY: "uid-before"}
    assert gone.add({"metadata": {"namespace": "team", "name": "1"}}) == {}
    assert gone.take(Key("team", "bob"), uid="uid-bob") == []
    now[0] = KEPT_SECONDS - 1
    assert gone.take(KEY, uid="uid-anew") == [item]
    assert gone.take(KEY, uid="uid-anew") == []
    gone.add(item)
    now[0] += KEPT_SECONDS + 1
    assert gone.take(KEY, uid="uid-anew") == []


# People's entries, as the watch tells of them.


class Stop(Exception):  # noqa: N818 - ends a test
    """The watch is up to date."""


class WatchedKube(FakeKube):
    """Whose watch tells what a test says, and then ends as it says."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[list[dict[str, Any]] | Exception] = []
        self.positions: list[str] = []

    async def watch(self, *_: Any, resource_version: str, **__: Any) -> AsyncIterator[dict[str, Any]]:
        self.positions.append(resource_version)
        if not self.steps:
            raise Stop
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        for change in step:
            yield change


def mapping(*people: str, name: str = MEETING) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "team", "name": name, "ownerReferences": [OLD]},
        "spec": {"meetingId": name, "credentials": [{"name": one} for one in people]},
        "status": {"credentials": [entry()], "phase": "Scheduled"},
    }


async def test_owners_go_once_people_have_a_say(bench: Bench) -> None:
    operator, pauses = bench.operator(), []
    kube = WatchedKube()
    object.__setattr__(operator.services, "kube", kube)
    theirs = kube.put(MAPPINGS, mapping("dora"))
    ours = kube.put(MAPPINGS, mapping(name="82222222222"))
    gone = {**mapping("dora", name="83333333333")}
    gone["metadata"] |= {"resourceVersion": "7"}
    kube.steps = [
        ExpiredError("too old", status=410),
        UnavailableError("away", status=0),
        [{"type": "MODIFIED", "object": theirs}, {"type": "ADDED", "object": ours}],
        [{"type": "DELETED", "object": gone}, {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}],
    ]

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    with pytest.raises(Stop):
        await ManualEntries(kube=kube, writer=writer_of(operator.services), namespace=None, sleep=sleep).run()
    assert uids(kube) == []
    assert uids(kube, "82222222222") == ["uid-before"]
    assert kube.positions[-1] == "9", "it goes on where it was"
    assert pauses == [0.5, 1.0]

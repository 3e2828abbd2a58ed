from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meetingbots.mappings.decide.instances import milliseconds
from meetingbots.mappings.decide.listing import REMOVE, ListedMeeting, Reader, with_listed, without_unlisted
from meetingbots.models.mapping import (
    AppTimes,
    EventTimes,
    FoundCredential,
    MappingPhase,
    MappingSpec,
    MappingStatus,
    MeetingMapping,
    Role,
    Source,
)
from meetingbots.models.metadata import NameReference, ObjectMeta

from tests.unit.mappings.decide.meeting_events import MEETING, at, moment
from tests.unit.mappings.decide.meeting_histories import Webhook, disorders, outcome


def entry(name: str = "alice", role: Role = Role.HOST, source: Source = Source.SYNC) -> FoundCredential:
    return FoundCredential(name=name, role=role, source=source)


def reader(start: datetime) -> Reader:
    return Reader(name="alice", app="zoom-app", start=start)


def status(*entries: FoundCredential, phase: MappingPhase = MappingPhase.SCHEDULED, **fields: Any) -> MappingStatus:
    times = {name: fields.pop(name, None) for name in ("existence", "roles", "live", "schedule")}
    times["apps"] = fields.pop("apps", None)
    return MappingStatus(credentials=list(entries), phase=phase, event_times=EventTimes(**times), **fields)


def mapping(known: MappingStatus, *, people: tuple[str, ...] = ()) -> MeetingMapping:
    references = tuple(NameReference(name=name) for name in people)
    return MeetingMapping(
        metadata=ObjectMeta(name=MEETING, namespace="team"),
        spec=MappingSpec(meeting_id=MEETING, credentials=references),
        status=known,
    )


def test_a_listed_meeting_is_mapped_and_then_unchanged() -> None:
    found = with_listed(None, reader=reader(moment(10)), found=ListedMeeting(Source.SYNC))
    assert found == status(entry(), existence=at(10), roles=at(10), apps=[AppTimes(name="zoom-app", roles=at(10))])
    assert with_listed(found, reader=reader(moment(1000)), found=ListedMeeting(Source.SYNC)) is None


def test_a_list_takes_over_the_entry_of_a_webhook() -> None:
    before = status(entry(source=Source.WEBHOOK), existence=at(1), roles=at(1))
    found = with_listed(before, reader=reader(moment(10)), found=ListedMeeting(Source.SYNC))
    assert found is not None
    assert found.credentials == [entry()]


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(status(phase=MappingPhase.DELETED, existence=at(20)), id="deleted since"),
        pytest.param(status(entry("bob"), roles=at(20)), id="handed over since"),
        pytest.param(status(entry(role=Role.OPERATOR), roles=at(20)), id="handed over and still its planner"),
    ],
)
def test_events_after_the_start_of_a_sync_stand(before: MappingStatus) -> None:
    assert with_listed(before, reader=reader(moment(10)), found=ListedMeeting(Source.SYNC)) is None


def test_a_listed_meeting_is_restored_without_its_recovery_event() -> None:
    before = status(entry(), phase=MappingPhase.DELETED, existence=at(5), roles=at(5))
    found = with_listed(before, reader=reader(moment(10)), found=ListedMeeting(Source.SYNC))
    assert found is not None
    assert found.phase is MappingPhase.SCHEDULED
    assert found.event_times.existence == at(10)


def test_a_run_goes_on_through_a_sync() -> None:
    before = status(entry("bob"), phase=MappingPhase.LIVE, uuid="a", live=at(3), start_time=moment(3))
    found = with_listed(before, reader=reader(moment(10)), found=ListedMeeting(Source.SYNC))
    assert found is not None
    assert (found.phase, found.uuid, found.event_times.live) == (MappingPhase.LIVE, "a", at(3))
    assert [one.name for one in found.credentials] == ["alice", "bob"]


def test_what_is_no_longer_listed_goes() -> None:
    assert without_unlisted(mapping(status(entry(), roles=at(5))), reader=reader(moment(10))) is REMOVE
    assert without_unlisted(mapping(status(entry(), roles=None)), reader=reader(moment(10))) is REMOVE


@pytest.mark.parametrize(
    "known",
    [
        pytest.param(mapping(status(entry(source=Source.WEBHOOK), roles=at(5))), id="found by a webhook"),
        pytest.param(mapping(status(entry(source=Source.LOOKUP), roles=at(5))), id="found by a look-up"),
        pytest.param(mapping(status(entry("bob"), roles=at(5))), id="another's"),
        pytest.param(mapping(status(entry(), roles=at(10))), id="not older than the start"),
        pytest.param(mapping(status(entry(), phase=MappingPhase.LIVE, roles=at(5))), id="running"),
        pytest.param(mapping(status(entry(), phase=MappingPhase.DELETED, roles=at(5))), id="a tombstone"),
    ],
)
def test_what_stays_though_it_is_not_listed(known: MeetingMapping) -> None:
    assert without_unlisted(known, reader=reader(moment(10))) is None


def test_the_times_of_another_app_do_not_count() -> None:
    apps = [AppTimes(name="second-app", roles=at(20))]
    before = status(entry("zoe"), roles=at(20), apps=apps)
    found = with_listed(before, reader=reader(moment(10)), found=ListedMeeting(Source.SYNC))
    assert found is not None
    assert [one.name for one in found.credentials] == ["alice", "zoe"]
    assert found.event_times.roles == at(20)
    left = without_unlisted(mapping(found), reader=reader(moment(15)))
    assert isinstance(left, MappingStatus)
    assert [one.name for one in left.credentials] == ["zoe"]


def test_the_planned_time_is_repaired_until_the_meeting_runs() -> None:
    found = with_listed(None, reader=reader(moment(10)), found=ListedMeeting(Source.SYNC, moment(600.5)))
    assert found is not None
    assert (found.start_time, found.event_times.schedule) == (moment(600), at(10))
    assert with_listed(found, reader=reader(moment(20)), found=ListedMeeting(Source.SYNC, moment(600.5))) is None
    moved = with_listed(found, reader=reader(moment(20)), found=ListedMeeting(Source.SYNC, moment(900)))
    assert moved is not None
    assert moved.start_time == moment(900)
    assert with_listed(moved, reader=reader(moment(15)), found=ListedMeeting(Source.SYNC, moment(600))) is None
    ran = moved.model_copy(update={"uuid": "a", "start_time": moment(901)})
    assert with_listed(ran, reader=reader(moment(2000)), found=ListedMeeting(Source.SYNC, moment(3000))) is None


def test_others_entries_keep_the_mapping() -> None:
    found = without_unlisted(mapping(status(entry(), entry("bob"), roles=at(5))), reader=reader(moment(10)))
    assert isinstance(found, MappingStatus)
    assert found.credentials == [entry("bob")]
    by_people = without_unlisted(mapping(status(entry(), roles=at(5)), people=("dora",)), reader=reader(moment(9)))
    assert isinstance(by_people, MappingStatus)
    assert by_people.credentials == []


def test_times_are_exact_to_the_millisecond() -> None:
    assert milliseconds(moment(1.234)) == at(1.234)


@settings(max_examples=300, deadline=None)
@given(disorders(), st.booleans())
def test_after_a_sync_the_mapping_is_as_zoom_lists_it_whatever_came_before(
    disorder: tuple[list[Webhook], list[Webhook]], is_listed: bool
) -> None:
    before = outcome(disorder[1])
    start = moment(10_000)
    if is_listed:
        after = with_listed(before, reader=reader(start), found=ListedMeeting(Source.SYNC)) or before
        assert entry() in after.credentials
        assert after.phase is not MappingPhase.DELETED
        # And nothing that happened before can undo it.
        assert outcome(disorder[1], after).credentials == after.credentials
    elif before.phase is not None:
        # Nothing here came from a list.
        assert without_unlisted(mapping(before), reader=reader(start)) is None

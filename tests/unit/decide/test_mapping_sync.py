from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meetingbots.decide.mapping_sync import REMOVE, is_over, listed, milliseconds, no_longer_listed
from meetingbots.models.mapping import (
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

from tests.unit.decide.meeting_events import MEETING, at, moment
from tests.unit.decide.test_mapping import Told, disorders, outcome


def entry(name: str = "alice", role: Role = Role.HOST, source: Source = Source.SYNC) -> FoundCredential:
    return FoundCredential(name=name, role=role, source=source)


def status(*entries: FoundCredential, phase: MappingPhase = MappingPhase.SCHEDULED, **fields: Any) -> MappingStatus:
    times = {name: fields.pop(name, None) for name in EventTimes.model_fields}
    return MappingStatus(credentials=list(entries), phase=phase, event_times=EventTimes(**times), **fields)


def mapping(known: MappingStatus, *, people: tuple[str, ...] = ()) -> MeetingMapping:
    references = tuple(NameReference(name=name) for name in people)
    return MeetingMapping(
        metadata=ObjectMeta(name=MEETING, namespace="team"),
        spec=MappingSpec(meeting_id=MEETING, credentials=references),
        status=known,
    )


def test_a_listed_meeting_is_mapped_and_then_unchanged() -> None:
    found = listed(None, name="alice", source=Source.SYNC, start=moment(10))
    assert found == status(entry(), existence=at(10), roles=at(10))
    assert listed(found, name="alice", source=Source.SYNC, start=moment(1000)) is None


def test_what_a_webhook_found_becomes_the_lists_to_remove() -> None:
    before = status(entry(source=Source.WEBHOOK), existence=at(1), roles=at(1))
    found = listed(before, name="alice", source=Source.SYNC, start=moment(10))
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
def test_what_was_told_after_the_start_stands(before: MappingStatus) -> None:
    assert listed(before, name="alice", source=Source.SYNC, start=moment(10)) is None


def test_a_meeting_whose_recovery_was_missed_is_back() -> None:
    before = status(entry(), phase=MappingPhase.DELETED, existence=at(5), roles=at(5))
    found = listed(before, name="alice", source=Source.SYNC, start=moment(10))
    assert found is not None
    assert found.phase is MappingPhase.SCHEDULED
    assert found.event_times.existence == at(10)


def test_a_run_goes_on_through_a_sync() -> None:
    before = status(entry("bob"), phase=MappingPhase.LIVE, uuid="a", live=at(3), start_time=moment(3))
    found = listed(before, name="alice", source=Source.SYNC, start=moment(10))
    assert found is not None
    assert (found.phase, found.uuid, found.event_times.live) == (MappingPhase.LIVE, "a", at(3))
    assert [one.name for one in found.credentials] == ["alice", "bob"]


def test_what_is_no_longer_listed_goes() -> None:
    assert no_longer_listed(mapping(status(entry(), roles=at(5))), name="alice", start=moment(10)) is REMOVE
    assert no_longer_listed(mapping(status(entry(), roles=None)), name="alice", start=moment(10)) is REMOVE


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
    assert no_longer_listed(known, name="alice", start=moment(10)) is None


def test_others_entries_keep_the_mapping() -> None:
    found = no_longer_listed(mapping(status(entry(), entry("bob"), roles=at(5))), name="alice", start=moment(10))
    assert isinstance(found, MappingStatus)
    assert found.credentials == [entry("bob")]
    by_people = no_longer_listed(mapping(status(entry(), roles=at(5)), people=("dora",)), name="alice", start=moment(9))
    assert isinstance(by_people, MappingStatus)
    assert by_people.credentials == []


DAY = timedelta(hours=24)


@pytest.mark.parametrize(
    ("known", "over"),
    [
        (status(entry(), phase=MappingPhase.DELETED, existence=at(0)), True),
        (status(entry(source=Source.WEBHOOK), phase=MappingPhase.ENDED, uuid="a", live=at(0)), True),
        (status(entry(source=Source.WEBHOOK), phase=MappingPhase.ENDED, uuid="a", live=at(0), existence=at(0)), False),
        (status(entry(source=Source.PMI), phase=MappingPhase.ENDED, uuid="a", live=at(0)), False),
        (status(entry(), phase=MappingPhase.SCHEDULED, existence=at(0)), False),
        (status(phase=MappingPhase.SCHEDULED, roles=at(0)), True),
        (status(entry(), phase=MappingPhase.LIVE, live=at(0)), False),
        (MappingStatus(), False),
    ],
)
def test_a_day_later_what_is_over_may_go(known: MappingStatus, over: bool) -> None:
    assert is_over(mapping(known), now=moment(0) + DAY) is over
    assert not is_over(mapping(known), now=moment(0) + DAY - timedelta(seconds=1))
    assert not is_over(mapping(known, people=("dora",)), now=moment(0) + DAY)


def test_times_are_exact_to_the_millisecond() -> None:
    assert milliseconds(moment(1.234)) == at(1.234)


@settings(max_examples=300, deadline=None)
@given(disorders(), st.booleans())
def test_after_a_sync_the_mapping_is_as_zoom_lists_it_whatever_came_before(
    disorder: tuple[list[Told], list[Told]], is_listed: bool
) -> None:
    before = outcome(disorder[1])
    start = moment(10_000)
    if is_listed:
        after = listed(before, name="alice", source=Source.SYNC, start=start) or before
        assert entry() in after.credentials
        assert after.phase is not MappingPhase.DELETED
        # And nothing that happened before can undo it.
        assert outcome(disorder[1], after).credentials == after.credentials
    elif before.phase is not None:
        # Nothing here came from a list.
        assert no_longer_listed(mapping(before), name="alice", start=start) is None

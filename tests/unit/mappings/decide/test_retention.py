from __future__ import annotations

from datetime import timedelta

import pytest
from meetingbots.mappings.decide.listing import REMOVE
from meetingbots.mappings.decide.retention import (
    IDLE,
    OwnerFacts,
    after_check,
    cleaned_up,
    is_expired,
    is_idle,
    unlisted,
)
from meetingbots.models.mapping import MappingPhase, MappingStatus, Presence, Role, Source

from tests.unit.mappings.decide.meeting_events import at, moment
from tests.unit.mappings.decide.test_listing import entry, mapping, status

DAY = timedelta(hours=24)


@pytest.mark.parametrize(
    ("known", "over"),
    [
        (status(entry(), phase=MappingPhase.DELETED, existence=at(0)), True),
        (status(entry(source=Source.WEBHOOK), phase=MappingPhase.ENDED, uuid="a", live=at(0)), True),
        (status(entry(source=Source.WEBHOOK), phase=MappingPhase.ENDED, uuid="a", live=at(0), existence=at(0)), False),
        (status(entry(source=Source.WEBHOOK), phase=MappingPhase.ENDED, uuid="a", live=at(0), schedule=at(0)), False),
        (status(entry(source=Source.PMI), phase=MappingPhase.ENDED, uuid="a", live=at(0)), False),
        (status(entry(), phase=MappingPhase.SCHEDULED, existence=at(0)), False),
        (status(phase=MappingPhase.SCHEDULED, roles=at(0)), True),
        (status(entry(), phase=MappingPhase.LIVE, live=at(0)), False),
        (MappingStatus(), False),
    ],
)
def test_a_day_later_what_is_over_may_go(known: MappingStatus, over: bool) -> None:
    assert is_expired(mapping(known), now=moment(0) + DAY) is over
    assert not is_expired(mapping(known), now=moment(0) + DAY - timedelta(seconds=1))
    assert not is_expired(mapping(known, people=("dora",)), now=moment(0) + DAY)


def test_entries_of_deleted_credentials_are_removed_and_the_mapping_with_the_last() -> None:
    both = mapping(status(entry(), entry("bob"), roles=at(0)))
    left = cleaned_up(both, owners=OwnerFacts(gone=frozenset({"alice"})), now=moment(5))
    assert isinstance(left, MappingStatus)
    assert left.credentials == [entry("bob")]
    assert cleaned_up(both, owners=OwnerFacts(gone=frozenset({"alice", "bob"})), now=moment(5)) is REMOVE
    assert cleaned_up(both, owners=OwnerFacts(gone=frozenset({"carol"})), now=moment(5)) is None


def test_a_deleted_credential_is_not_present() -> None:
    known = status(entry(), entry("bob"), phase=MappingPhase.LIVE, uuid="a", live=at(0))
    known.presence.append(Presence(name="alice", present=True, event_time=at(1), uuid="a"))
    left = cleaned_up(mapping(known), owners=OwnerFacts(gone=frozenset({"alice"})), now=moment(5))
    assert isinstance(left, MappingStatus)
    assert left.presence == []


def test_peoples_own_mappings_stay() -> None:
    left = cleaned_up(
        mapping(status(entry(), roles=at(0)), people=("dora",)),
        owners=OwnerFacts(gone=frozenset({"alice"})),
        now=moment(5) + DAY,
    )
    assert isinstance(left, MappingStatus)
    assert left.credentials == []
    assert (
        cleaned_up(mapping(left, people=("dora",)), owners=OwnerFacts(gone=frozenset({"dora"})), now=moment(9) + DAY)
        is None
    )


def test_an_instance_without_an_end_event_ends_after_two_days() -> None:
    scheduled = status(entry(), phase=MappingPhase.LIVE, uuid="a", live=at(0), existence=at(0), start_time=moment(0))
    now = moment(0) + 2 * DAY
    assert cleaned_up(mapping(scheduled), owners=OwnerFacts(), now=now - timedelta(seconds=1)) is None
    ended = cleaned_up(mapping(scheduled), owners=OwnerFacts(), now=now)
    assert isinstance(ended, MappingStatus)
    assert (ended.phase, ended.end_time) == (MappingPhase.ENDED, now)
    instant = status(entry(source=Source.WEBHOOK), phase=MappingPhase.LIVE, uuid="a", live=at(0))
    assert cleaned_up(mapping(instant), owners=OwnerFacts(), now=now) is REMOVE
    by_hand = status(entry(), phase=MappingPhase.LIVE)
    assert cleaned_up(mapping(by_hand), owners=OwnerFacts(), now=now) is None


def test_what_is_over_goes() -> None:
    tombstone = mapping(status(entry(), phase=MappingPhase.DELETED, existence=at(0)))
    assert cleaned_up(tombstone, owners=OwnerFacts(), now=moment(0) + DAY) is REMOVE
    assert cleaned_up(tombstone, owners=OwnerFacts(), now=moment(0) + DAY - timedelta(seconds=1)) is None


@pytest.mark.parametrize(
    ("known", "idle"),
    [
        (status(entry(source=Source.WEBHOOK), existence=at(0), start_time=moment(0)), True),
        (status(entry(source=Source.WEBHOOK), existence=at(0), start_time=moment(5)), False),
        (status(entry(source=Source.WEBHOOK), existence=at(0), live=at(5)), False),
        (status(entry(), phase=MappingPhase.LIVE, live=at(0)), False),
        (status(existence=at(0)), False),
        (status(entry()), False),
    ],
)
def test_idle_is_what_nothing_was_heard_of_for_a_month(known: MappingStatus, idle: bool) -> None:
    assert is_idle(mapping(known), now=moment(0) + IDLE) is idle


def test_what_zoom_was_asked_about() -> None:
    known = mapping(status(entry(source=Source.WEBHOOK), entry("bob", source=Source.LOOKUP), existence=at(0)))
    assert after_check(known, missing={"alice", "bob"}, now=moment(5)) is REMOVE
    left = after_check(known, missing={"alice"}, now=moment(5))
    assert isinstance(left, MappingStatus)
    assert ([one.name for one in left.credentials], left.event_times.existence) == (["bob"], at(5))


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("known", "names"),
    [
        (status(entry(source=Source.WEBHOOK), existence=at(0), roles=at(0)), {"alice"}),
        (status(entry(source=Source.WEBHOOK), existence=at(0), roles=at(1)), set()),
        (status(entry(source=Source.WEBHOOK), roles=at(0)), {"alice"}),
        (status(entry(source=Source.WEBHOOK), live=at(0), schedule=at(0)), {"alice"}),
        (status(entry(source=Source.WEBHOOK), live=at(0)), set()),
        (status(entry(source=Source.WEBHOOK), existence=at(0), phase=MappingPhase.LIVE), {"alice"}),
        (status(entry(source=Source.WEBHOOK), existence=at(0), phase=MappingPhase.DELETED), set()),
        (status(entry(source=Source.WEBHOOK, role=Role.OPERATOR), existence=at(0)), set()),
        (status(entry(), entry("bob", source=Source.LOOKUP), existence=at(0)), set()),
        (status(entry("bob", source=Source.WEBHOOK), existence=at(0)), set()),
    ],
)
def test_meetings_of_webhooks_that_a_newer_list_lacks(known: MappingStatus, names: set[str]) -> None:
    assert unlisted(mapping(known), owners=OwnerFacts(read={"alice": moment(0) + HOUR})) == names


def test_past_meetings_go_when_zoom_does_not_list_them_any_more() -> None:
    past = status(entry(source=Source.WEBHOOK), existence=at(0), start_time=moment(100))
    read = OwnerFacts(read={"alice": moment(0) + HOUR})
    assert cleaned_up(mapping(past), owners=read, now=moment(100) + DAY) is REMOVE
    assert cleaned_up(mapping(past), owners=read, now=moment(99) + DAY) is None
    assert cleaned_up(mapping(past), owners=OwnerFacts(), now=moment(100) + DAY) is None
    ran = status(
        entry(source=Source.WEBHOOK),
        existence=at(0),
        live=at(9),
        phase=MappingPhase.ENDED,
        uuid="a",
        end_time=moment(9),
    )
    assert cleaned_up(mapping(ran), owners=OwnerFacts(read={"alice": moment(9) + HOUR}), now=moment(9) + DAY) is REMOVE


def test_a_running_meeting_stays_however_old_its_plan_and_whatever_lists_have() -> None:
    running = status(
        entry(source=Source.WEBHOOK),
        existence=at(0),
        live=at(2),
        phase=MappingPhase.LIVE,
        uuid="a",
        start_time=moment(2),
    )
    read = OwnerFacts(read={"alice": moment(2) + HOUR})
    assert cleaned_up(mapping(running), owners=read, now=moment(2) + DAY) is None

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meetingbots.decide.mapping import after_meeting_event, after_personal_id, is_of_interest, wants_live_label
from meetingbots.decide.ownership import Concern
from meetingbots.models.mapping import (
    EventTimes,
    FoundCredential,
    MappingPhase,
    MappingStatus,
    Role,
    Source,
)
from meetingbots.zoom.events import MeetingEvent

from tests.unit.decide.meeting_events import MEETING, at, concern, meeting_event, moment

ALICE = FoundCredential(name="alice", role=Role.HOST, source=Source.WEBHOOK)


@dataclass(frozen=True)
class Told:
    """An event, and who it is about."""

    event: MeetingEvent
    concern: Concern


def told(action: str, seconds: float, *hosts: str, operators: tuple[str, ...] = (), **fields: object) -> Told:
    event = meeting_event(action, seconds, host_id=f"host-{hosts[0]}" if hosts else "stranger", **fields)
    return Told(event, concern(*hosts, operators=operators))


def outcome(events: list[Told] | tuple[Told, ...], status: MappingStatus | None = None) -> MappingStatus:
    for one in events:
        status = after_meeting_event(status, event=one.event, concern=one.concern) or status
    return status or MappingStatus()


def test_a_created_meeting_is_mapped_to_its_host() -> None:
    status = outcome([told("created", 1, "alice")])
    assert status.credentials == [ALICE]
    assert status.phase is MappingPhase.SCHEDULED
    assert status.event_times == EventTimes(existence=at(1), roles=at(1))


def test_the_assistant_who_planned_it_comes_after_the_host() -> None:
    status = outcome([told("created", 1, "bob", operators=("alice",))])
    assert [(one.name, one.role) for one in status.credentials] == [("bob", Role.HOST), ("alice", Role.OPERATOR)]


def test_an_unknown_meeting_that_starts_is_mapped_and_live() -> None:
    status = outcome([told("started", 5, "alice", uuid="a==", meeting_type=1)])
    assert (status.phase, status.uuid, status.start_time) == (MappingPhase.LIVE, "a==", moment(5))
    assert status.credentials == [ALICE]


@pytest.mark.parametrize("action", ["deleted", "permanently_deleted"])
def test_a_deleted_meeting_leaves_a_tombstone_that_a_late_created_does_not_revive(action: str) -> None:
    status = outcome([told(action, 9, "alice"), told("created", 1, "alice")])
    assert status.phase is MappingPhase.DELETED
    assert status.credentials == [ALICE]


def test_a_recovered_meeting_is_back() -> None:
    status = outcome([told("created", 1, "alice"), told("deleted", 2, "alice"), told("recovered", 3, "alice")])
    assert status.phase is MappingPhase.SCHEDULED


@pytest.mark.parametrize("action", ["deleted", "recovered", "created"])
def test_one_occurrence_of_a_series_changes_nothing(action: str) -> None:
    assert not is_of_interest(told(action, 5, "alice", operation="single").event)


def test_deleting_one_meeting_under_a_personal_id_leaves_the_personal_id() -> None:
    known = after_personal_id(None, event_ts=at(1), concern=concern("alice"), taken=True)
    assert outcome([told("deleted", 5, "alice")], known).phase is MappingPhase.SCHEDULED
    assert outcome([told("deleted", 5, "alice", pmi=MEETING)]).phase is MappingPhase.SCHEDULED
    by_status = Told(meeting_event("deleted", 5), concern("alice", personal_ids=(MEETING,)))
    assert outcome([by_status]).phase is MappingPhase.SCHEDULED


def test_the_end_counts_only_for_the_running_uuid() -> None:
    running = [told("started", 1, "alice", uuid="old"), told("started", 10, "alice", uuid="new")]
    assert outcome([*running, told("ended", 20, "alice", uuid="old")]).phase is MappingPhase.LIVE
    ended = outcome([*running, told("ended", 20, "alice", uuid="new")])
    assert (ended.phase, ended.end_time) == (MappingPhase.ENDED, moment(20))


def test_a_start_that_comes_after_its_end_does_not_make_the_meeting_live() -> None:
    status = outcome([told("ended", 9, "alice", uuid="a"), told("started", 1, "alice", uuid="a")])
    assert (status.phase, status.start_time, status.end_time) == (MappingPhase.ENDED, moment(1), moment(9))


def test_a_lost_and_late_run_does_not_stay_live_for_ever() -> None:
    # The receiver was away while one run ended and the next began; then the second's end comes first.
    first, second = told("started", 1, "alice", uuid="a"), told("ended", 40, "alice", uuid="b")
    late = [told("started", 30, "alice", uuid="b"), told("ended", 20, "alice", uuid="a")]
    for order in permutations(late):
        status = outcome([first, second, *order])
        assert (status.uuid, status.phase) == ("b", MappingPhase.ENDED)


def test_a_series_runs_again_and_again() -> None:
    status = outcome(
        [
            told("created", 0, "alice"),
            told("started", 1, "alice", uuid="a"),
            told("ended", 2, "alice", uuid="a"),
            told("started", 90, "alice", uuid="b"),
        ]
    )
    assert (status.phase, status.uuid, status.end_time) == (MappingPhase.LIVE, "b", None)


def test_a_run_after_the_deletion_shows_that_the_meeting_is_there() -> None:
    status = outcome([told("deleted", 5, "alice"), told("started", 10, "alice", uuid="a")])
    assert status.phase is MappingPhase.LIVE


def test_a_meeting_changes_hands() -> None:
    status = outcome([told("created", 1, "alice"), told("updated", 2, "bob", old_host_id="host-alice")])
    assert [one.name for one in status.credentials] == ["bob"]
    gone = outcome([told("updated", 3, old_host_id="host-bob")], status)
    assert gone.credentials == []


def test_others_entries_and_sources_are_left_alone() -> None:
    before = MappingStatus(
        credentials=[
            FoundCredential(name="alice", role=Role.HOST, source=Source.SYNC),
            FoundCredential(name="other-app", role=Role.HOST, source=Source.SYNC),
        ],
        phase=MappingPhase.SCHEDULED,
    )
    status = outcome([told("created", 1, "alice")], before)
    assert status.credentials == before.credentials


def test_an_update_that_names_no_host_is_of_no_interest() -> None:
    assert after_meeting_event(None, event=meeting_event("updated", 1, host_id=None), concern=concern("alice")) is None


def test_participants_are_of_no_interest_yet() -> None:
    assert not is_of_interest(meeting_event("participant_joined", 1, uuid="a"))


def test_a_personal_id_is_taken_and_given_up() -> None:
    taken = after_personal_id(None, event_ts=at(1), concern=concern("alice"), taken=True)
    assert taken is not None
    assert taken.credentials == [FoundCredential(name="alice", role=Role.HOST, source=Source.PMI)]
    assert taken.phase is MappingPhase.SCHEDULED
    assert after_personal_id(taken, event_ts=at(1), concern=concern("alice"), taken=True) is None
    given_up = after_personal_id(taken, event_ts=at(2), concern=concern("alice"), taken=False)
    assert given_up is not None
    assert given_up.credentials == []
    assert after_personal_id(given_up, event_ts=at(1), concern=concern("alice"), taken=True) is None
    assert after_personal_id(None, event_ts=at(2), concern=concern("alice"), taken=False) is None


def test_giving_a_personal_id_up_leaves_entries_of_other_sources() -> None:
    known = outcome([told("created", 1, "alice")])
    assert after_personal_id(known, event_ts=at(2), concern=concern("alice"), taken=False) is None


def test_the_live_label_goes_on_for_runs_and_unseen_ends_and_not_again_once_taken_off() -> None:
    live = outcome([told("started", 1, "alice", uuid="a")])
    ended = outcome([told("ended", 2, "alice", uuid="a")], live)
    assert wants_live_label(None, live)
    assert wants_live_label(None, ended)
    moved = ended.model_copy(update={"credentials": []})
    assert not wants_live_label(ended, moved)
    assert not wants_live_label(None, outcome([told("created", 1, "alice")]))


# Any order, any repetition.

_HOSTS = st.sampled_from(["alice", "bob", "carol", ""])


@st.composite
def histories(draw: st.DrawFn) -> list[Told]:
    """What happens to one meeting, in its true order, seconds apart."""
    events: list[Told] = []
    clock, run, host = 0, 0, draw(_HOSTS)
    for step in draw(st.lists(st.sampled_from(["plan", "hand over", "run", "delete", "recover"]), max_size=7)):
        clock += draw(st.integers(2, 50))
        who = (host,) if host else ()
        match step:
            case "plan":
                operators = ("olga",) if draw(st.booleans()) else ()
                events.append(told("created", clock, *who, operators=operators))
            case "hand over":
                former, host = host, draw(_HOSTS)
                events.append(
                    told("updated", clock, *((host,) if host else ()), old_host_id=f"host-{former}" if former else None)
                )
            case "run":
                run += 1
                length = draw(st.integers(2, 50))
                events.append(told("started", clock, *who, uuid=f"run-{run}"))
                clock += length
                if draw(st.integers(0, 4)):
                    events.append(told("ended", clock, *who, uuid=f"run-{run}"))
            case "delete":
                events.append(told("deleted", clock, *who))
            case _:
                events.append(told("recovered", clock, *who))
    return events


@st.composite
def disorders(draw: st.DrawFn) -> tuple[list[Told], list[Told]]:
    history = draw(histories())
    repeated = [*history, *(draw(st.lists(st.sampled_from(history), max_size=5)) if history else [])]
    return history, draw(st.permutations(repeated))


def essence(status: MappingStatus) -> MappingStatus:
    # The end of a run is known to the second only once its own `ended` came; that it has ended is in the phase.
    return status.model_copy(update={"end_time": None})


@settings(max_examples=600, deadline=None)
@given(disorders())
def test_any_order_and_repetition_gives_the_same_state(disorder: tuple[list[Told], list[Told]]) -> None:
    history, disordered = disorder
    assert essence(outcome(disordered)) == essence(outcome(history))


@settings(max_examples=200, deadline=None)
@given(histories())
def test_the_same_events_again_change_nothing(history: list[Told]) -> None:
    status = outcome(history)
    for one in history:
        changed = after_meeting_event(status, event=one.event, concern=one.concern)
        assert changed is None or essence(changed) == essence(status)
        assert changed is None

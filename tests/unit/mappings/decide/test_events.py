from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from meetingbots.mappings.decide.events import apply_meeting_event, apply_personal_id, is_relevant, needs_live_label
from meetingbots.models.mapping import (
    AppTimes,
    EventTimes,
    FoundCredential,
    MappingPhase,
    MappingStatus,
    Presence,
    Role,
    Source,
)
from meetingbots.zoom.webhooks.events import Participant

from tests.unit.mappings.decide.meeting_events import MEETING, at, concern, meeting_event, moment
from tests.unit.mappings.decide.meeting_histories import (
    Webhook,
    bot,
    changed,
    disorders,
    histories,
    of_app,
    outcome,
    seen,
    webhook,
)

ALICE = FoundCredential(name="alice", role=Role.HOST, source=Source.WEBHOOK)


def test_a_created_meeting_is_mapped_to_its_host() -> None:
    status = outcome([webhook("created", 1, "alice")])
    assert status.credentials == [ALICE]
    assert status.phase is MappingPhase.SCHEDULED
    assert status.event_times == EventTimes(
        existence=at(1), roles=at(1), apps=[AppTimes(name="zoom-app", existence=at(1), roles=at(1))]
    )


def test_operators_follow_the_host() -> None:
    status = outcome([webhook("created", 1, "bob", operators=("alice",))])
    assert [(one.name, one.role) for one in status.credentials] == [("bob", Role.HOST), ("alice", Role.OPERATOR)]


def test_an_unknown_meeting_that_starts_is_mapped_and_live() -> None:
    status = outcome([webhook("started", 5, "alice", uuid="a==", meeting_type=1)])
    assert (status.phase, status.uuid, status.start_time) == (MappingPhase.LIVE, "a==", moment(5))
    assert status.credentials == [ALICE]


@pytest.mark.parametrize(
    ("meeting_type", "planned"), [(0, None), (1, None), (2, at(5)), (3, at(5)), (4, None), (8, at(5))]
)
def test_the_type_of_an_instance_shows_a_planned_meeting(meeting_type: int, planned: int | None) -> None:
    status = outcome([webhook("started", 5, "alice", uuid="a==", meeting_type=meeting_type)])
    assert status.event_times.schedule == planned


@pytest.mark.parametrize("action", ["deleted", "permanently_deleted"])
def test_a_deleted_meeting_leaves_a_tombstone_that_a_late_created_does_not_revive(action: str) -> None:
    status = outcome([webhook(action, 9, "alice"), webhook("created", 1, "alice")])
    assert status.phase is MappingPhase.DELETED
    assert status.credentials == [ALICE]


def test_a_recovered_meeting_is_back() -> None:
    status = outcome([webhook("created", 1, "alice"), webhook("deleted", 2, "alice"), webhook("recovered", 3, "alice")])
    assert status.phase is MappingPhase.SCHEDULED


@pytest.mark.parametrize("action", ["deleted", "recovered", "created"])
def test_one_occurrence_of_a_series_changes_nothing(action: str) -> None:
    assert not is_relevant(webhook(action, 5, "alice", operation="single").event)


def test_deleting_one_meeting_under_a_personal_id_leaves_the_personal_id() -> None:
    known = apply_personal_id(None, event_ts=at(1), concern=concern("alice"), taken=True)
    assert outcome([webhook("deleted", 5, "alice")], known).phase is MappingPhase.SCHEDULED
    assert outcome([webhook("deleted", 5, "alice", pmi=MEETING)]).phase is MappingPhase.SCHEDULED
    by_status = Webhook(meeting_event("deleted", 5), concern("alice", personal_ids=(MEETING,)))
    assert outcome([by_status]).phase is MappingPhase.SCHEDULED


def test_the_end_counts_only_for_the_running_uuid() -> None:
    running = [webhook("started", 1, "alice", uuid="old"), webhook("started", 10, "alice", uuid="new")]
    assert outcome([*running, webhook("ended", 20, "alice", uuid="old")]).phase is MappingPhase.LIVE
    ended = outcome([*running, webhook("ended", 20, "alice", uuid="new")])
    assert (ended.phase, ended.end_time) == (MappingPhase.ENDED, moment(20))


def test_a_start_after_its_end_does_not_make_the_meeting_live() -> None:
    status = outcome([webhook("ended", 9, "alice", uuid="a"), webhook("started", 1, "alice", uuid="a")])
    assert (status.phase, status.start_time, status.end_time) == (MappingPhase.ENDED, moment(1), moment(9))


def test_a_lost_and_late_run_does_not_stay_live_for_ever() -> None:
    # The receiver was away while one run ended and the next began; then the second's end comes first.
    first, second = webhook("started", 1, "alice", uuid="a"), webhook("ended", 40, "alice", uuid="b")
    late = [webhook("started", 30, "alice", uuid="b"), webhook("ended", 20, "alice", uuid="a")]
    for order in permutations(late):
        status = outcome([first, second, *order])
        assert (status.uuid, status.phase) == ("b", MappingPhase.ENDED)


def test_a_series_runs_again_and_again() -> None:
    status = outcome(
        [
            webhook("created", 0, "alice"),
            webhook("started", 1, "alice", uuid="a"),
            webhook("ended", 2, "alice", uuid="a"),
            webhook("started", 90, "alice", uuid="b"),
        ]
    )
    assert (status.phase, status.uuid, status.end_time) == (MappingPhase.LIVE, "b", None)


def test_a_run_after_the_deletion_shows_that_the_meeting_is_there() -> None:
    status = outcome([webhook("deleted", 5, "alice"), webhook("started", 10, "alice", uuid="a")])
    assert status.phase is MappingPhase.LIVE


def test_a_meeting_changes_hands() -> None:
    status = outcome([webhook("created", 1, "alice"), webhook("updated", 2, "bob", old_host_id="host-alice")])
    assert [one.name for one in status.credentials] == ["bob"]
    gone = outcome([webhook("updated", 3, old_host_id="host-bob")], status)
    assert gone.credentials == []


def test_others_entries_and_sources_are_left_alone() -> None:
    before = MappingStatus(
        credentials=[
            FoundCredential(name="alice", role=Role.HOST, source=Source.SYNC),
            FoundCredential(name="other-app", role=Role.HOST, source=Source.SYNC),
        ],
        phase=MappingPhase.SCHEDULED,
    )
    status = outcome([webhook("created", 1, "alice")], before)
    assert status.credentials == before.credentials


def test_an_update_of_something_else_is_of_no_interest() -> None:
    assert apply_meeting_event(None, event=meeting_event("updated", 1, host_id=None), concern=concern("alice")) is None


def names(status: MappingStatus, role: Role) -> list[str]:
    return [one.name for one in status.credentials if one.role is role]


def test_alternative_hosts_follow_the_host_and_precede_operators() -> None:
    status = outcome([webhook("created", 1, "bob", operators=("alice",), alternatives=("carol",))])
    assert [(one.name, one.role.value) for one in status.credentials] == [
        ("bob", "Host"),
        ("carol", "AlternativeHost"),
        ("alice", "Operator"),
    ]


def test_alternative_hosts_change_without_the_host() -> None:
    status = outcome([webhook("created", 1, "alice", alternatives=("carol",)), changed(2, alternatives=("bob",))])
    assert (names(status, Role.HOST), names(status, Role.ALTERNATIVE_HOST)) == (["alice"], ["bob"])
    untouched = outcome([changed(3, start_time=moment(500))], status)
    assert names(untouched, Role.ALTERNATIVE_HOST) == ["bob"]
    assert names(outcome([changed(4, alternatives=())], status), Role.ALTERNATIVE_HOST) == []
    assert names(outcome([changed(1.5, alternatives=("carol",))], status), Role.ALTERNATIVE_HOST) == ["bob"]


def test_a_strangers_meeting_is_ours_through_its_alternative_host_only() -> None:
    status = outcome([webhook("created", 1, alternatives=("carol",))])
    assert (names(status, Role.HOST), names(status, Role.ALTERNATIVE_HOST)) == ([], ["carol"])
    live = outcome([webhook("started", 2, uuid="a", claims=False)], status)
    assert live.phase is MappingPhase.LIVE
    assert names(live, Role.ALTERNATIVE_HOST) == ["carol"]
    assert outcome([webhook("started", 2, uuid="a", claims=False)]) == MappingStatus()


def test_a_hand_over_that_was_missed_shows_in_the_next_event() -> None:
    status = outcome([webhook("created", 1, "alice"), webhook("recovered", 5, claims=False)])
    assert status.credentials == []


def test_the_planned_time_follows_the_newest_event_until_the_meeting_runs() -> None:
    status = outcome([webhook("created", 1, "alice", start_time=moment(600)), changed(3, start_time=moment(900))])
    assert status.start_time == moment(900)
    assert outcome([changed(2, start_time=moment(700))], status).start_time == moment(900)
    live = outcome([webhook("started", 4, "alice", uuid="a")], status)
    assert live.start_time == moment(4)
    assert outcome([changed(5, start_time=moment(9000))], live).start_time == moment(4)


def test_a_planned_time_in_the_future_does_not_bring_a_deleted_meeting_back() -> None:
    status = outcome([webhook("created", 1, "alice", start_time=moment(600)), webhook("deleted", 2, "alice")])
    assert status.phase is MappingPhase.DELETED


def presence(status: MappingStatus) -> dict[str, bool]:
    return {one.name: one.present for one in status.presence}


def test_presence_of_our_users() -> None:
    running = [webhook("started", 10, "alice", uuid="a"), seen("joined", 9.5, "alice"), seen("joined", 12, "bob")]
    for order in permutations(running):
        assert presence(outcome(order)) == {"alice": True, "bob": True}
    left = outcome([*running, seen("left", 20, "bob"), seen("joined", 12, "bob")])
    assert presence(left) == {"alice": True, "bob": False}
    ended = outcome([webhook("ended", 30, "alice", uuid="a"), seen("joined", 25, "bob")], left)
    assert presence(ended) == {}
    again = outcome([seen("joined", 41, "bob", uuid="b"), webhook("started", 40, "alice", uuid="b")], ended)
    assert presence(again) == {"bob": True}
    assert presence(outcome([seen("left", 29, "bob", uuid="a")], again)) == {"bob": True}


def test_a_participant_maps_the_hosts_meeting_and_never_a_strangers() -> None:
    first = outcome([seen("joined", 1, "bob")])
    assert (names(first, Role.HOST), presence(first)) == (["alice"], {"bob": True})
    event = seen("joined", 1, "bob", host="stranger").event
    assert apply_meeting_event(None, event=event, concern=concern(present=("bob",), claims=False)) is None


def test_a_user_is_present_until_the_last_session_ends() -> None:
    first, second = seen("joined", 124, "bob", session="16778240"), seen("joined", 196, "bob", session="16780288")
    first_left, second_left = seen("left", 228, "bob", session="16778240"), seen("left", 300, "bob", session="16780288")
    for order in permutations([first, second, first_left]):
        assert presence(outcome(order)) == {"bob": True}
    for order in permutations([first, second, first_left, second_left]):
        assert presence(outcome(order)) == {"bob": False}


def test_presence_of_an_earlier_release_is_followed_by_sessions() -> None:
    old = Presence(name="bob", present=True, event_time=at(12), uuid="a")
    known = outcome([webhook("started", 10, "alice", uuid="a")]).model_copy(update={"presence": [old]})
    assert presence(outcome([seen("left", 20, "bob")], known)) == {"bob": False}
    assert presence(outcome([seen("left", 11, "bob")], known)) == {"bob": True}


def test_sessions_are_bounded_and_present_ones_stay() -> None:
    events = [seen("joined", 1, "bob", session="first")]
    for number in range(40):
        events += [seen("joined", 2 + number, "bob", session=f"s{number}")]
        events += [seen("left", 2.5 + number, "bob", session=f"s{number}")]
    status = outcome(events)
    (bob,) = status.presence
    assert len(bob.sessions or ()) == 16
    assert bob.present


def test_bots_are_followed_by_their_key() -> None:
    events = [
        webhook("started", 10, "alice", uuid="a"),
        bot("joined_waiting_room", 11),
        bot("joined", 12),
        bot("put_in_waiting_room", 13),
        bot("joined", 14),
        bot("left", 20),
    ]
    for order in permutations(events):
        bots = outcome(order).bots
        assert bots is not None
        (one,) = bots
        assert (one.waiting_room_time, one.joined_time, one.left_time) == (at(13), at(14), at(20))
    ended = outcome([webhook("ended", 30, "alice", uuid="a")], outcome(events))
    assert ended.bots, "the operator may look only after the meeting's end"
    late = outcome([webhook("ended", 30, "alice", uuid="a"), *events])
    assert late.bots == ended.bots
    again = outcome([webhook("started", 40, "alice", uuid="b"), *events], ended)
    assert again.bots is None


def test_the_newest_bots_stay() -> None:
    bots = outcome([bot("joined", 10 + number, key=f"b{number:03}") for number in range(200)]).bots
    assert bots is not None
    assert [one.customer_key for one in bots] == [f"b{number:03}" for number in range(136, 200)]


@pytest.mark.parametrize("action", ["left_waiting_room", "admitted"])
def test_leaving_the_waiting_room_alone_changes_nothing(action: str) -> None:
    assert not is_relevant(bot(action, 1).event)


@pytest.mark.parametrize("name", ["meeting.converted_to_webinar", "webinar.converted_to_meeting"])
def test_a_converted_meeting_keeps_its_mapping(name: str) -> None:
    created = outcome([webhook("created", 1, "alice")])
    converted = webhook("updated", 2, "alice", name=name, webinar=name.startswith("webinar"))
    assert is_relevant(converted.event)
    after = outcome([converted], created)
    assert (names(after, Role.HOST), after.phase) == (["alice"], MappingPhase.SCHEDULED)
    assert names(outcome([converted]), Role.HOST) == ["alice"]


def test_guests_without_a_key_are_irrelevant() -> None:
    guest = Participant(user_id=None)
    assert not is_relevant(meeting_event("participant_joined", 1, uuid="a", participant=guest))
    assert not is_relevant(meeting_event("participant_joined", 1, uuid="a"))


def test_two_apps_report_one_meeting_milliseconds_apart() -> None:
    first = webhook("created", 1, "alice")
    second = of_app(first, "second-app", later=-0.004, name="zoe")
    for order in ([first, second], [second, first]):
        assert names(outcome(order), Role.HOST) == ["alice", "zoe"]
    moved = outcome([webhook("updated", 3, "bob", old_host_id="host-alice")], outcome([first, second]))
    assert names(moved, Role.HOST) == ["bob", "zoe"], "the second app has not reported it yet"
    gone = of_app(webhook("updated", 3, old_host_id="host-alice"), "second-app", later=-0.004, name="zoe")
    assert names(outcome([gone, second], moved), Role.HOST) == ["bob"]


def test_entries_of_lookups_stay() -> None:
    proved = FoundCredential(name="olga", role=Role.HOST, source=Source.LOOKUP)
    status = outcome([webhook("started", 1, "alice", uuid="a")], MappingStatus(credentials=[proved]))
    assert names(status, Role.HOST) == ["alice", "olga"]


def test_a_mapping_without_times_of_its_apps_counts_for_each() -> None:
    known = MappingStatus(credentials=[ALICE], event_times=EventTimes(existence=at(5), roles=at(5)))
    assert outcome([webhook("updated", 4, "bob")], known).credentials == [ALICE]
    assert names(outcome([webhook("updated", 6, "bob")], known), Role.HOST) == ["bob"]


def test_the_times_of_too_many_apps_are_cut_to_the_newest() -> None:
    status = MappingStatus()
    for number in range(70):
        one = of_app(webhook("created", number, "alice"), f"app-{number}", later=0, name="alice")
        status = outcome([one], status)
    kept = {one.name for one in status.event_times.apps or ()}
    assert len(kept) == 64
    assert {"app-69", "app-6"} <= kept
    assert "app-5" not in kept


def test_a_personal_id_moves_to_another_user() -> None:
    taken = apply_personal_id(None, event_ts=at(1), concern=concern("alice"), taken=True)
    assert taken is not None
    assert taken.credentials == [FoundCredential(name="alice", role=Role.HOST, source=Source.PMI)]
    assert taken.phase is MappingPhase.SCHEDULED
    assert apply_personal_id(taken, event_ts=at(1), concern=concern("alice"), taken=True) is None
    given_up = apply_personal_id(taken, event_ts=at(2), concern=concern("alice"), taken=False)
    assert given_up is not None
    assert given_up.credentials == []
    assert apply_personal_id(given_up, event_ts=at(1), concern=concern("alice"), taken=True) is None
    assert apply_personal_id(None, event_ts=at(2), concern=concern("alice"), taken=False) is None


def test_giving_a_personal_id_up_leaves_entries_of_other_sources() -> None:
    known = outcome([webhook("created", 1, "alice")])
    assert apply_personal_id(known, event_ts=at(2), concern=concern("alice"), taken=False) is None


def test_the_live_label_is_needed_for_instances_and_missed_ends_only() -> None:
    live = outcome([webhook("started", 1, "alice", uuid="a")])
    ended = outcome([webhook("ended", 2, "alice", uuid="a")], live)
    assert needs_live_label(None, live)
    assert needs_live_label(None, ended)
    moved = ended.model_copy(update={"credentials": []})
    assert not needs_live_label(ended, moved)
    assert not needs_live_label(None, outcome([webhook("created", 1, "alice")]))


def test_a_change_shows_that_the_meeting_exists_whatever_was_missed() -> None:
    # It was recovered for somebody who is nobody here, and then given to alice.
    change, deletion = webhook("updated", 3, "alice"), webhook("deleted", 2)
    known = outcome([webhook("created", 1, "alice")])
    for order in ([change, deletion], [deletion, change]):
        after = outcome(order, known)
        assert (after.phase, names(after, Role.HOST)) == (MappingPhase.SCHEDULED, ["alice"])
    assert outcome([webhook("updated", 2, "alice"), webhook("deleted", 2)], known).phase is MappingPhase.DELETED


# Any order, any repetition.


def essence(status: MappingStatus) -> MappingStatus:
    # The end of a run is known to the second only once its own `ended` came; that it has ended is in the phase.
    return status.model_copy(update={"end_time": None})


@settings(max_examples=600, deadline=None)
@given(disorders())
def test_any_order_and_repetition_gives_the_same_state(disorder: tuple[list[Webhook], list[Webhook]]) -> None:
    history, disordered = disorder
    assert essence(outcome(disordered)) == essence(outcome(history))


@settings(max_examples=200, deadline=None)
@given(histories())
def test_the_same_events_again_change_nothing(history: list[Webhook]) -> None:
    status = outcome(history)
    for one in history:
        assert apply_meeting_event(status, event=one.event, concern=one.concern) is None

"""Where a bot is in its meeting: reports of Zoom and of the bot, in any order, and the conditions that follow."""

from itertools import permutations
from typing import Any

import pytest
from meetingbots.bots.decide.facts import BotPlan, Commit, DeletePod
from meetingbots.bots.decide.in_meeting import Report, merge, reported, sightings
from meetingbots.bots.decide.next_step import decide
from meetingbots.bots.reconcile.observer import news
from meetingbots.models.bot import BotPhase, BotStatus, InMeeting, InMeetingSource, InMeetingState
from meetingbots.models.conditions import find
from meetingbots.models.mapping import MeetingMapping

from tests.unit.bots.bot_builders import MEETING, POD, at, bot, delivery, ended, facts, pod, running, staged

ZOOM, BOT = InMeetingSource.ZOOM, InMeetingSource.BOT
State = InMeetingState


def zoom(state: InMeetingState, seconds: float) -> Report:
    return Report(state, ZOOM, at(seconds))


def bots(state: InMeetingState, seconds: float, **more: Any) -> Report:
    return Report(state, BOT, at(seconds), **more)


def seen(*reports: Report) -> InMeeting:
    merged = merge(None, reports)
    assert merged is not None
    return merged


def test_the_key_is_the_uid_without_dashes() -> None:
    assert bot().customer_key == "abcde123456789abcdef0123456789ab"


WAY = (zoom(State.WAITING_ROOM, 2), zoom(State.IN_MEETING, 10), zoom(State.LEFT, 60))


@pytest.mark.parametrize("order", list(permutations(WAY)))
def test_reports_of_zoom_have_one_outcome_in_whatever_order_and_however_often(order: tuple[Report, ...]) -> None:
    known: InMeeting | None = None
    for report in (*order, *order):
        known = merge(known, [report])
    assert known == seen(*WAY)
    assert known.state is State.LEFT
    assert (known.waiting_room_time, known.admitted_time, known.left_time) == (at(2), at(10), at(60))
    assert merge(known, order) is known


def test_zooms_events_do_not_hide_what_the_bot_does_in_the_meeting() -> None:
    known = seen(bots(State.RECORDING, 10))
    assert merge(known, [zoom(State.IN_MEETING, 11)]).state is State.RECORDING  # type: ignore[union-attr]
    assert merge(known, [zoom(State.LEFT, 11)]).state is State.LEFT  # type: ignore[union-attr]


def test_the_later_of_two_contradicting_reports_counts_and_the_other_is_named() -> None:
    for known, recording in (
        (seen(bots(State.RECORDING, 10), zoom(State.LEFT, 20)), False),
        (seen(zoom(State.LEFT, 20), bots(State.RECORDING, 30)), True),
    ):
        condition = condition_of(look(known).status, "Recording")
        assert condition.status == str(recording)
        assert "12:00:20" in condition.message
        assert "12:00:10" in condition.message or recording


def test_reports_of_the_bot_count_in_the_order_in_which_they_come() -> None:
    known = seen(bots(State.RECORDING, 10.2))
    back = merge(known, [bots(State.IN_MEETING, 10.6, code=5, message="paused")])
    assert back is not None
    assert (back.state, back.code, back.message, back.recording_time) == (State.IN_MEETING, 5, "paused", at(10))
    assert merge(back, [bots(State.IN_MEETING, 99, code=5, message="paused")]) is back


def look(known: InMeeting | None, *, after: float = 100, made: Any = None, **spec: Any) -> BotPlan:
    """The plan for a bot that runs since second 1."""
    status = {"phase": "Running", "startTime": at(1).isoformat(), "specHash": "x", **spec.pop("status", {})}
    more = {"pod": made or pod(running()), "delivery": delivery(), "secret_gone": True, "in_meeting": known}
    return decide(facts(staged(status=status, **spec), after=after, **more))


def condition_of(status: BotStatus, kind: str) -> Any:
    condition = find(status.conditions, kind)
    assert condition is not None
    return condition


@pytest.mark.parametrize(
    ("reports", "admitted", "recording"),
    [
        ((), ("Unknown", "NotReported"), ("Unknown", "NotReported")),
        ((bots(State.JOINING, 2),), ("False", "Joining"), ("False", "Joining")),
        ((zoom(State.WAITING_ROOM, 2),), ("False", "InWaitingRoom"), ("False", "InWaitingRoom")),
        ((zoom(State.IN_MEETING, 2),), ("True", "Admitted"), ("Unknown", "NotReported")),
        ((bots(State.IN_MEETING, 2),), ("True", "Admitted"), ("False", "NotRecording")),
        ((bots(State.ASKING_HOST, 2),), ("True", "Admitted"), ("False", "AskingHost")),
        ((bots(State.RECORDING, 2),), ("True", "Admitted"), ("True", "Recording")),
        ((bots(State.RECORDING_DENIED, 2),), ("True", "Admitted"), ("False", "RecordingDenied")),
        ((bots(State.REMOVED, 2),), ("False", "Removed"), ("False", "Removed")),
        ((bots(State.RECORDING, 2), zoom(State.LEFT, 9)), ("True", "Admitted"), ("False", "Left")),
        (
            (zoom(State.IN_MEETING, 2), zoom(State.WAITING_ROOM, 9)),
            ("False", "InWaitingRoom"),
            ("False", "InWaitingRoom"),
        ),
        # About an earlier Pod of the bot.
        ((bots(State.RECORDING, -50),), ("Unknown", "NotReported"), ("Unknown", "NotReported")),
    ],
)
def test_conditions(reports: tuple[Report, ...], admitted: tuple[str, str], recording: tuple[str, str]) -> None:
    status = look(merge(None, reports)).status
    assert status.in_meeting == merge(None, reports)
    for kind, expected in (("Admitted", admitted), ("Recording", recording)):
        condition = condition_of(status, kind)
        assert (condition.status, condition.reason) == expected
    ready = condition_of(status, "Ready")
    assert (ready.status, ready.reason) == ("True", "Running")


def test_the_times_are_kept_when_the_pod_is_replaced() -> None:
    known = seen(zoom(State.WAITING_ROOM, 2), bots(State.RECORDING, 10))
    lost = look(known, made=pod(ended(137), phase="Failed", reason="Evicted"))
    assert lost.status.in_meeting == known
    assert condition_of(lost.status, "Recording").reason == "NotReported"
    claimed = decide(facts(staged(status=lost.status.to_dict()), after=200, in_meeting=known))
    assert claimed.status.pod_name == "standup-abcde-2"
    assert claimed.status.in_meeting == known


def test_a_finished_bot_was_admitted_and_records_no_more() -> None:
    known = seen(bots(State.RECORDING, 10))
    status = look(known, made=pod(ended(0), phase="Succeeded")).status
    assert status.phase is BotPhase.SUCCEEDED
    assert (condition_of(status, "Admitted").status, condition_of(status, "Recording").reason) == ("True", "Ended")


def test_a_report_changes_the_status_once() -> None:
    given = staged(status={"phase": "Running"})
    status = reported(given, bots(State.ASKING_HOST, 5))
    assert (condition_of(status, "Admitted").status, condition_of(status, "Recording").reason) == ("True", "AskingHost")
    again = staged(status=status.to_dict())
    assert reported(again, bots(State.ASKING_HOST, 6)) is again.status
    assert [one.reason for one in news(given.status, status)] == ["Admitted", "AskingHost"]
    assert news(status, again.status) == []


@pytest.mark.parametrize("known", [seen(zoom(State.WAITING_ROOM, 2)), seen(bots(State.JOINING, 2))])
def test_a_bot_that_is_not_admitted_in_time_must_leave_and_has_failed(known: InMeeting) -> None:
    waiting = look(known, after=1200)
    assert (waiting.action, waiting.requeue_after) == (None, 1)
    assert look(known, after=1201).action == DeletePod(POD, f"uid-of-{POD}")
    left = merge(known, [bots(State.LEFT, 1203)])
    for code in (0, 143):
        plan = look(left, after=1210, made=pod(ended(code, end=1205), phase="Failed", deleted_at=1201))
        assert plan.action == Commit()
        assert plan.status.phase is BotPhase.FAILED
        assert condition_of(plan.status, "Ready").reason == "NotAdmitted"
        assert plan.status.next_attempt_time is None


@pytest.mark.parametrize(
    "known",
    [
        None,
        seen(zoom(State.IN_MEETING, 50)),
        seen(zoom(State.IN_MEETING, 50), zoom(State.WAITING_ROOM, 60)),
        seen(bots(State.WAITING_ROOM, -60)),
    ],
    ids=["nothing reported", "admitted", "put back", "an earlier Pod"],
)
def test_the_deadline_of_admission_counts_only_where_admission_is_known(known: InMeeting | None) -> None:
    assert look(known, after=5000).action is None


def admitted_since(seconds: float) -> dict[str, Any]:
    """Condition Admitted, True since then."""
    since = at(seconds).isoformat()
    return {"type": "Admitted", "status": "True", "reason": "Admitted", "message": "", "lastTransitionTime": since}


def test_a_replaced_bot_that_was_in_the_meeting_may_end_its_work_after_it_left() -> None:
    known = seen(bots(State.RECORDING, -60), bots(State.LEFT, 3000))
    assert look(known, after=3001, status={"conditions": [admitted_since(10)]}).action is None


@pytest.mark.parametrize("conditions", [[], [admitted_since(-60)], [admitted_since(3000)]])
def test_a_replaced_bot_that_left_without_admission_was_not_admitted(conditions: list[dict[str, Any]]) -> None:
    known = seen(bots(State.RECORDING, -60), bots(State.LEFT, 3000))
    assert look(known, after=3001, status={"conditions": conditions}).action == DeletePod(POD, f"uid-of-{POD}")


def test_the_deadline_of_admission_is_the_authors() -> None:
    known = seen(zoom(State.WAITING_ROOM, 2))
    assert look(known, after=31, admissionDeadlineSeconds=30).action == DeletePod(POD, f"uid-of-{POD}")
    assert look(known, after=30, admissionDeadlineSeconds=30).action is None


def test_what_the_mapping_keeps_of_zooms_events_is_about_this_bot_only() -> None:
    def milliseconds(seconds: float) -> int:
        return round(at(seconds).timestamp() * 1000)

    own = {"customerKey": bot().customer_key, "waitingRoomTime": milliseconds(2), "joinedTime": milliseconds(7.5)}
    other = {"customerKey": "other", "leftTime": milliseconds(50)}
    mapping = MeetingMapping.from_object(
        {"metadata": {"name": MEETING}, "spec": {"meetingId": MEETING}, "status": {"bots": [other, own]}}
    )
    assert sightings(staged(), mapping) == [zoom(State.WAITING_ROOM, 2), zoom(State.IN_MEETING, 7.5)]

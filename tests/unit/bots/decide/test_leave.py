"""Why a bot leaves its meeting, when it is reported to, and how its end is reported afterwards."""

from datetime import datetime
from typing import Any

import pytest
from meetingbots.bots.decide.facts import BotPlan, Commit, CreatePod, DeletePod
from meetingbots.bots.decide.next_step import decide
from meetingbots.bots.decide.schedule import meeting_end
from meetingbots.models.bot import BotPhase, MeetingBot
from meetingbots.models.mapping import MeetingMapping

from tests.unit.bots.bot_builders import (
    CREATING,
    MEETING,
    POD,
    WAITS,
    at,
    bot,
    delivery,
    ended,
    facts,
    pod,
    ready,
    running,
    staged,
)

DELETES_POD = DeletePod(POD, f"uid-of-{POD}")
MESSAGE = {"phase": "Failed", "status": {"phase": "Running", "startTime": at(1).isoformat()}}


def in_meeting(**spec: Any) -> MeetingBot:
    """A bot that is reported as Running."""
    status = {"phase": "Running", "startTime": at(1).isoformat(), "specHash": "x", **spec.pop("status", {})}
    return staged(status=status, **spec)


def look(
    given: MeetingBot, state: dict[str, Any], *, after: float, over_at: float | None = None, **more: Any
) -> BotPlan:
    ended_at = None if over_at is None else at(over_at)
    reported = pod(state, **more)
    return decide(
        facts(given, after=after, pod=reported, delivery=delivery(), secret_gone=True, meeting_ended_at=ended_at)
    )


def mapping(phase: str, *, end: datetime | None) -> MeetingMapping:
    status = {"phase": phase, "uuid": "run-1", **({"endTime": end.isoformat()} if end else {})}
    return MeetingMapping.from_object({"metadata": {"name": MEETING}, "spec": {"meetingId": MEETING}, "status": status})


@pytest.mark.parametrize(
    ("phase", "end", "over"),
    [
        ("Ended", at(5), True),
        ("Deleted", at(5), True),
        ("Ended", at(0), True),
        ("Live", at(5), False),
        ("Scheduled", None, False),
        ("Ended", None, False),
        # The occurrence before, or the meeting before under the same personal ID.
        ("Ended", at(-1), False),
    ],
)
def test_a_meeting_is_over_for_the_bot_if_it_ended_after_the_bots_time(
    phase: str, end: datetime | None, over: bool
) -> None:
    assert meeting_end(bot(), mapping(phase, end=end)) == (end if over else None)
    assert meeting_end(bot(), None) is None


def test_the_bot_is_reported_to_leave_a_while_after_the_meetings_end() -> None:
    given = in_meeting(leaveAfterMeetingEndSeconds=30)
    waiting = look(given, running(), after=110, over_at=100)
    assert (waiting.action, waiting.requeue_after) == (None, 20)
    assert look(given, running(), after=130, over_at=100).action == DELETES_POD


def test_a_bot_that_is_to_stay_stays_until_its_time_is_up() -> None:
    given = in_meeting(meetingEndPolicy="Stay", maxDurationSeconds=1000)
    waiting = look(given, running(), after=900, over_at=100)
    assert (waiting.action, waiting.requeue_after) == (None, 101)
    assert look(given, running(), after=1001, over_at=100).action == DELETES_POD


def test_a_bot_that_left_because_the_meeting_ended_has_succeeded_whatever_its_exit_code() -> None:
    for code in (0, 143):
        plan = look(in_meeting(), ended(code, end=165), after=166, over_at=100, deleted_at=160, phase="Failed")
        assert plan.action == Commit()
        assert plan.status.phase is BotPhase.SUCCEEDED
        assert (ready(plan).status, ready(plan).reason) == ("True", "MeetingEnded")
        last = plan.status.last_attempt
        assert last is not None
        assert (last.reason, last.exit_code, plan.status.completion_time) == ("MeetingEnded", code, at(165))


def test_a_bot_whose_pod_is_gone_without_a_trace_after_the_meetings_end_has_succeeded() -> None:
    plan = decide(facts(in_meeting(), after=170, pod_seen=True, delivery=delivery(), meeting_ended_at=at(100)))
    assert (plan.status.phase, ready(plan).reason) == (BotPhase.SUCCEEDED, "MeetingEnded")


def test_max_duration() -> None:
    given = in_meeting(maxDurationSeconds=3600)
    assert look(given, running(), after=3600.9).action is None
    assert look(given, running(), after=3601).action == DELETES_POD
    plan = look(given, ended(0, end=3610), after=3610, deleted_at=3601, phase="Succeeded")
    assert (plan.status.phase, ready(plan).status, ready(plan).reason) == (
        BotPhase.FAILED,
        "False",
        "MaxDurationExceeded",
    )
    last = plan.status.last_attempt
    assert last is not None
    assert (last.reason, last.exit_code) == ("MaxDurationExceeded", 0)


def test_a_pod_deleted_by_someone_before_its_time_is_replaced() -> None:
    plan = look(in_meeting(), ended(143, end=55), after=56, deleted_at=50, phase="Failed")
    assert (plan.status.phase, ready(plan).reason) == (BotPhase.STAGING, "InfrastructureLost")


@pytest.mark.parametrize("state", [CREATING, WAITS])
def test_a_run_that_ends_before_the_bot_was_in_it_does_not_end_a_staged_bot(state: dict[str, Any]) -> None:
    plan = decide(facts(staged(), after=20, pod=pod(state), meeting_ended_at=at(10)))
    assert plan.status.phase is BotPhase.STAGING
    assert plan == decide(facts(staged(), after=20, pod=pod(state)))


@pytest.mark.parametrize("state", [CREATING, WAITS])
def test_a_staged_bot_fails_at_its_deadline_if_no_further_run_has_begun(state: dict[str, Any]) -> None:
    plan = decide(facts(staged(), after=600, pod=pod(state), meeting_ended_at=at(10)))
    assert plan.action == Commit()
    assert (plan.status.phase, ready(plan).reason) == (BotPhase.FAILED, "MeetingEnded")
    gone = decide(facts(bot(status=plan.status.to_dict()), after=601, pod=pod(state)))
    assert gone.action == DELETES_POD


def test_a_pod_is_made_after_a_run_that_the_bot_was_not_in() -> None:
    assert decide(facts(bot(), after=20, meeting_ended_at=at(10))).status.phase is BotPhase.STAGING
    assert decide(facts(staged(), after=20, meeting_ended_at=at(10))).action == CreatePod(POD)
    for given in (bot(), staged()):
        plan = decide(facts(given, after=601, meeting_ended_at=at(10)))
        assert (plan.status.phase, ready(plan).reason) == (BotPhase.FAILED, "MeetingEnded")


def test_a_bot_that_came_after_a_run_leaves_only_after_its_deadline() -> None:
    given = staged(status={"phase": "Running", "startTime": at(40).isoformat(), "specHash": "x"})
    waiting = look(given, running(40), after=500, over_at=20)
    assert (waiting.action, waiting.requeue_after) == (None, 160)
    assert look(given, running(40), after=660, over_at=20).action == DELETES_POD
    assert look(given, running(40), after=130, over_at=50).action == DELETES_POD


@pytest.mark.parametrize(
    ("state", "more", "reason"),
    [
        (ended(1), {"phase": "Failed"}, "BotFailed"),
        (ended(137), {"phase": "Failed", "reason": "Evicted", "message": "memory"}, "InfrastructureLost"),
    ],
)
def test_a_bot_that_stays_has_a_next_attempt_after_the_meetings_end(
    state: dict[str, Any], more: dict[str, Any], reason: str
) -> None:
    plan = look(in_meeting(meetingEndPolicy="Stay"), state, after=61, over_at=50, **more)
    assert (plan.status.phase, ready(plan).reason) == (BotPhase.STAGING, reason)
    assert plan.status.next_attempt_time is not None
    given = in_meeting(meetingEndPolicy="Stay", status={**plan.status.to_dict()})
    following = decide(facts(given, after=90, previous_pod=pod(state, **more), meeting_ended_at=at(50)))
    assert following.status.pod_name == "standup-abcde-2"


@pytest.mark.parametrize(
    ("state", "more", "reason"),
    [
        (ended(3), {"phase": "Failed"}, "BotFailed"),
        (ended(137), {"phase": "Failed", "reason": "Evicted", "message": "memory"}, "MeetingEnded"),
    ],
)
def test_no_attempt_follows_after_the_meetings_end(state: dict[str, Any], more: dict[str, Any], reason: str) -> None:
    plan = look(in_meeting(), state, after=61, over_at=50, **more)
    assert (plan.status.phase, ready(plan).reason) == (BotPhase.FAILED, reason)
    assert "The meeting has ended" in ready(plan).message
    assert plan.status.next_attempt_time is None


def waiting_for_user(*, lasted: float) -> MeetingBot:
    attempt = {"podName": POD, "reason": "UserNotInMeeting", "message": "put out"}
    times = {"startTime": at(1).isoformat(), "endTime": at(1 + lasted).isoformat()}
    status = {"phase": "WaitingForUser", "lastAttempt": {**attempt, **times}, "startTime": at(1).isoformat()}
    return staged(status=status)


def test_a_bot_that_was_put_out_with_its_user_at_the_end_has_succeeded() -> None:
    plan = decide(facts(waiting_for_user(lasted=1800), after=1802, meeting_ended_at=at(1801)))
    assert (plan.status.phase, ready(plan).status, ready(plan).reason) == (BotPhase.SUCCEEDED, "True", "MeetingEnded")
    plan = decide(facts(waiting_for_user(lasted=2), after=1802, meeting_ended_at=at(1801)))
    assert (plan.status.phase, ready(plan).status, ready(plan).reason) == (BotPhase.FAILED, "False", "MeetingEnded")


@pytest.mark.parametrize("more", [{"suspend": True}, {}])
def test_behind_the_gate_too_a_bot_that_is_to_leave_is_reported_at_once(more: dict[str, Any]) -> None:
    over = None if more else at(10)
    given = staged(status={"phase": "Joining"}, **more)
    now = 3 if more else 660
    joining = {"delivery": delivery(after=now - 1), "meeting_ended_at": over}
    assert decide(facts(given, after=now, pod=pod(WAITS), touches=2, **joining)).action == DELETES_POD
    assert decide(facts(given, after=now + 1, pod=pod(WAITS, deleted_at=now), **joining)).action is None


@pytest.mark.parametrize("state", [running(), WAITS])
def test_a_pod_that_does_not_end_in_its_grace_period_is_reported(state: dict[str, Any]) -> None:
    given = in_meeting(suspend=True) if state != WAITS else staged(suspend=True)
    in_time = look(given, state, after=74, deleted_at=10, grace=60)
    assert "has not" not in in_time.status.to_dict().__str__()
    plan = look(given, state, after=75, deleted_at=10, grace=60)
    assert (ready(plan).status, ready(plan).reason) == ("False", "InfrastructureLost")
    assert "node-1" in ready(plan).message
    assert plan.requeue_after == 30


def test_a_finished_bots_pod_that_does_not_end_is_reported_once() -> None:
    given = bot(
        status={
            "phase": "Succeeded",
            "podName": POD,
            "conditions": [
                {
                    "type": "Ready",
                    "status": "True",
                    "reason": "Succeeded",
                    "message": "Done.",
                    "lastTransitionTime": at(5).isoformat(),
                }
            ],
        }
    )
    stuck = pod(running(), deleted_at=10, grace=60)
    assert decide(facts(given, after=20, pod=stuck)).requeue_after == 55
    plan = decide(facts(given, after=80, pod=stuck))
    assert (plan.status.phase, ready(plan).status, ready(plan).reason) == (BotPhase.SUCCEEDED, "True", "Succeeded")
    assert "has not" in ready(plan).message
    again = decide(facts(bot(status=plan.status.to_dict()), after=90, pod=stuck))
    assert again.status == bot(status=plan.status.to_dict()).status.model_copy(update={"observed_generation": 1})


@pytest.mark.parametrize(("delivered", "is_in"), [(1.2, True), (1.6, False)])
def test_within_the_second_of_the_end_the_delivery_decides_whether_the_bot_was_in_the_run(
    delivered: float, is_in: bool
) -> None:
    given = in_meeting(leaveAfterMeetingEndSeconds=0)
    plan = decide(
        facts(
            given,
            after=3,
            pod=pod(running(1)),
            delivery=delivery(after=delivered),
            secret_gone=True,
            meeting_ended_at=at(1.4),
        )
    )
    assert plan.action == (DELETES_POD if is_in else None)


def test_the_end_of_a_meeting_is_as_exact_as_its_event() -> None:
    status = {"phase": "Ended", "uuid": "run-1", "endTime": at(5).isoformat()}
    for live, end in ((at(5.4), at(5.4)), (at(9), at(5)), (None, at(5))):
        times = {"eventTimes": {"live": round(live.timestamp() * 1000)}} if live else {}
        item = {"metadata": {"name": MEETING}, "spec": {"meetingId": MEETING}, "status": {**status, **times}}
        assert meeting_end(bot(), MeetingMapping.from_object(item)) == end


def test_a_bot_that_leaves_within_the_second_of_the_end_has_succeeded() -> None:
    left = pod(ended(0, end=3), phase="Failed", deleted_at=2)
    given = in_meeting(leaveAfterMeetingEndSeconds=0)
    plan = decide(facts(given, after=4, pod=left, delivery=delivery(), secret_gone=True, meeting_ended_at=at(2.9)))
    assert (plan.status.phase, ready(plan).reason) == (BotPhase.SUCCEEDED, "MeetingEnded")

from typing import Any

import pytest
from meetingbots.bots.decide.attempts import MAX_INFRASTRUCTURE_RESTARTS
from meetingbots.bots.decide.facts import BotPlan, Commit, DeletePod, DeleteSecret
from meetingbots.bots.decide.next_step import decide
from meetingbots.bots.decide.pod_state import PodState
from meetingbots.models.bot import BotPhase, MeetingBot
from meetingbots.models.conditions import find

from tests.unit.bots.bot_builders import POD, WAITS, at, delivery, ended, facts, pod, ready, running, staged

RUNNING = {"phase": "Running", "startTime": at(1).isoformat(), "specHash": "joined-with"}


def joined(status: dict[str, Any] | None = None, **spec: Any) -> MeetingBot:
    return staged(status={**RUNNING, **(status or {})}, **spec)


def after(
    made: PodState | None, *, status: dict[str, Any] | None = None, seconds: float = 60.5, **spec: Any
) -> BotPlan:
    """What follows when the Pod of a bot that ran is as given."""
    given = facts(
        joined(status, **spec), after=seconds, pod=made, pod_seen=True, delivery=delivery(after=1), secret_gone=True
    )
    return decide(given)


def reason(plan: BotPlan) -> str:
    reported = ready(plan)
    return reported.reason


def test_exit_code_0_is_success_with_its_evidence() -> None:
    plan = after(pod(ended(0, message="left"), phase="Succeeded"))
    status = plan.status
    assert plan.action == Commit()
    assert (status.phase, reason(plan), status.completion_time) == (BotPhase.SUCCEEDED, "Succeeded", at(60))
    assert status.last_attempt is not None
    reported = status.last_attempt
    assert (reported.pod_name, reported.node, reported.reason, reported.message) == (POD, "node-1", "Completed", "left")
    assert (reported.exit_code, reported.start_time, reported.end_time) == (0, at(1), at(60))


def test_success_while_side_cars_go_on_or_fail() -> None:
    for made in (
        pod(ended(0), phase="Running", others={"sidecar": running()}),
        pod(ended(0), phase="Failed", others={"sidecar": ended(1)}),
        pod(None, phase="Succeeded"),
    ):
        assert after(made).status.phase is BotPhase.SUCCEEDED


def test_exit_code_1_is_tried_again_after_a_pause_that_doubles() -> None:
    for attempts, pause in ((1, 5), (2, 10)):
        plan = after(pod(ended(1, message=" boom \n"), phase="Failed"), status={"attempts": attempts})
        status = plan.status
        assert plan.action == Commit()
        assert (status.phase, reason(plan), status.attempts) == (BotPhase.STAGING, "BotFailed", attempts)
        assert status.next_attempt_time == at(61 + pause)
        assert status.last_attempt is not None
        assert (status.last_attempt.reason, status.last_attempt.exit_code) == ("BotFailed", 1)
        condition = find(status.conditions, "Ready")
        assert condition is not None
        assert "exit code 1: boom" in condition.message
        assert find(status.conditions, "Reconciling") is not None


def test_failures_beyond_the_limit_end_it() -> None:
    plan = after(pod(ended(1), phase="Failed"), status={"attempts": 3})
    assert (plan.status.phase, reason(plan)) == (BotPhase.FAILED, "BotFailed")
    assert find(plan.status.conditions, "Stalled") is not None
    plan = after(pod(ended(1), phase="Failed"), retry={"limit": 0})
    assert plan.status.phase is BotPhase.FAILED


def test_never_on_exit_codes() -> None:
    retry = {"neverOnExitCodes": [3, 4]}
    assert after(pod(ended(4), phase="Failed"), retry=retry).status.phase is BotPhase.FAILED
    assert after(pod(ended(5), phase="Failed"), retry=retry).status.phase is BotPhase.STAGING


def test_a_failed_init_container_is_a_failure_of_the_bot() -> None:
    waiting = {"waiting": {"reason": "PodInitializing"}}
    made = pod(waiting, phase="Failed", init={"ok": ended(0), "setup": ended(2, message="no disk")})
    plan = decide(facts(staged(), after=60.5, pod=made))
    assert reason(plan) == "BotFailed"
    condition = ready(plan)
    assert "Container setup" in condition.message
    assert "no disk" in condition.message


@pytest.mark.parametrize(
    "made",
    [
        pod(ended(137), phase="Failed", reason="Evicted", message="low on memory"),
        pod(ended(143), phase="Failed", reason="Terminated"),
        pod(WAITS, phase="Failed", reason="OutOfcpu"),
        pod(None, phase="Failed", reason="UnexpectedAdmissionError"),
        pod(None, phase="Failed", reason="SomethingOfTheKubelet"),
        pod(ended(143), phase="Running", deleted_at=59),
        pod(ended(0), phase="Succeeded", deleted_at=59),
        pod(
            running(),
            phase="Failed",
            conditions=[{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC"}],
        ),
        None,
    ],
    ids=["evicted", "shutdown", "cpu", "admission", "unknown", "deleted", "deleted-left-well", "node-gone", "gone"],
)
def test_infrastructure_losses_are_not_counted(made: PodState | None) -> None:
    plan = after(made)
    status = plan.status
    assert plan.action == Commit()
    assert (status.phase, reason(plan)) == (BotPhase.STAGING, "InfrastructureLost")
    assert (status.attempts, status.infrastructure_restarts) == (0, 1)
    assert status.next_attempt_time == at(62)
    assert status.last_attempt is not None
    assert (status.last_attempt.pod_name, status.last_attempt.reason) == (POD, "InfrastructureLost")


@pytest.mark.parametrize(("restarts", "pause"), [(0, 1), (1, 2), (3, 8), (6, 60), (9, 60)])
def test_the_pause_after_losses_doubles_up_to_a_minute(restarts: int, pause: int) -> None:
    plan = after(None, status={"infrastructureRestarts": restarts}, seconds=60)
    assert plan.status.next_attempt_time == at(60 + pause)


def test_losses_come_to_an_end() -> None:
    plan = after(None, status={"infrastructureRestarts": MAX_INFRASTRUCTURE_RESTARTS})
    assert (plan.status.phase, reason(plan)) == (BotPhase.FAILED, "InfrastructureLost")


def test_a_bot_that_had_ended_by_itself_before_its_pod_was_deleted_counts_as_it_ended() -> None:
    assert after(pod(ended(0, end=50), phase="Succeeded", deleted_at=59)).status.phase is BotPhase.SUCCEEDED
    assert reason(after(pod(ended(1, end=50), phase="Failed", deleted_at=59))) == "BotFailed"


def test_active_deadline() -> None:
    plan = after(pod(ended(137), phase="Failed", reason="DeadlineExceeded"))
    assert (plan.status.phase, reason(plan)) == (BotPhase.FAILED, "MaxDurationExceeded")


def test_exit_code_75_asks_for_a_new_try_uncounted() -> None:
    plan = after(pod(ended(75), phase="Failed"), onBehalf={"retrySeconds": 60, "waitSeconds": 900})
    status = plan.status
    assert plan.action == Commit()
    assert (status.phase, reason(plan), status.attempts) == (BotPhase.WAITING_FOR_USER, "UserNotInMeeting", 0)
    assert (status.waiting_since, status.next_attempt_time) == (at(60), at(121))
    assert status.last_attempt is not None
    assert (status.last_attempt.reason, status.last_attempt.exit_code) == ("UserNotInMeeting", 75)


def test_waiting_for_the_user_ends() -> None:
    behalf = {"retrySeconds": 60, "waitSeconds": 900}
    made = pod(ended(75, start=955, end=960), phase="Failed")
    last = after(made, status={"waitingSince": at(121).isoformat()}, seconds=960.5, onBehalf=behalf)
    assert last.status.phase is BotPhase.WAITING_FOR_USER
    over = after(made, status={"waitingSince": at(120).isoformat()}, seconds=960.5, onBehalf=behalf)
    assert (over.status.phase, reason(over)) == (BotPhase.FAILED, "UserNotInMeeting")


def test_who_is_put_out_after_a_long_stay_waits_anew() -> None:
    made = pod(ended(75, start=1, end=2000), phase="Failed")
    plan = after(made, status={"waitingSince": at(-500).isoformat()}, seconds=2000)
    assert plan.status.waiting_since == at(2000)
    assert plan.status.phase is BotPhase.WAITING_FOR_USER


def test_a_suspended_bot_leaves_and_is_suspended_however_it_ended() -> None:
    asked = after(pod(running(), phase="Running"), suspend=True)
    assert asked.action == DeletePod(POD, f"uid-of-{POD}")
    assert after(pod(running(), phase="Running", deleted_at=59), suspend=True).action is None
    for made in (
        pod(ended(143), phase="Running", deleted_at=59),
        pod(ended(0), phase="Succeeded", deleted_at=59),
        None,
    ):
        plan = after(made, suspend=True)
        assert plan.action == Commit()
        assert (plan.status.phase, plan.status.attempts) == (BotPhase.PENDING, 0)
        assert plan.status.infrastructure_restarts == 0
        assert plan.status.last_attempt is not None


def test_a_resumed_bot_that_had_been_there_is_due_now() -> None:
    left = after(None, suspend=True, seconds=2000).status
    suspended = decide(facts(staged(status=left.to_dict(), suspend=True), after=2001, secret_gone=True)).status
    assert suspended.phase is BotPhase.PENDING
    plan = decide(facts(staged(status=suspended.to_dict()), after=5000, secret_gone=True))
    assert plan.action == Commit()
    assert plan.status.next_attempt_time == at(5000)
    following = decide(facts(staged(status=plan.status.to_dict()), after=5000, secret_gone=True))
    assert following.action == Commit()
    assert following.status.pod_name == "standup-abcde-2"


def test_the_evidence_of_a_quick_bot_is_written_before_its_secret_goes() -> None:
    made = pod(ended(0), phase="Succeeded")
    first = decide(facts(staged(), after=61, pod=made, delivery=delivery()))
    assert first.action == Commit()
    assert (first.status.phase, first.status.start_time) == (BotPhase.RUNNING, at(1))
    assert first.status.token is not None
    second = decide(facts(staged(status=first.status.to_dict()), after=61, pod=made, delivery=delivery()))
    assert second.action == DeleteSecret(POD)
    third = decide(
        facts(staged(status=first.status.to_dict()), after=61, pod=made, delivery=delivery(), secret_gone=True)
    )
    assert third.status.phase is BotPhase.SUCCEEDED
    assert third.status.token is not None


def test_long_words_of_a_bot_fit_the_status() -> None:
    plan = after(pod(ended(1, message="x" * 4096), phase="Failed"))
    assert plan.status.last_attempt is not None
    assert len(plan.status.last_attempt.message) <= 1024

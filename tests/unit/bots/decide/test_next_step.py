from typing import Any

import pytest
from meetingbots.bots.decide.facts import (
    CheckTemplate,
    Commit,
    CreatePod,
    DeleteBot,
    DeletePod,
    DeleteSecret,
    IssueTokens,
    Problem,
)
from meetingbots.bots.decide.next_step import decide
from meetingbots.models.bot import BotPhase, BotReason
from meetingbots.models.conditions import find

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

INVALID = Problem(BotReason.TEMPLATE_INVALID, "no container bot")
QUOTA = Problem(BotReason.QUOTA_EXCEEDED, "exceeded quota: pods", recoverable=True)
NO_SECRET = Problem(BotReason.CONFIG_ERROR, "Secret links does not exist.", recoverable=True)
LATER = at(1000).isoformat()


# Before there is a Pod.


def test_an_immediate_bot_claims_its_pods_name_first() -> None:
    plan = decide(facts())
    assert plan.action == Commit()
    assert (plan.status.phase, plan.status.pod_name, plan.status.attempts) == (BotPhase.STAGING, POD, 1)
    assert (ready(plan).status, plan.status.meeting_id) == ("True", MEETING)


def test_a_scheduled_bot_is_checked_by_a_dry_run_and_then_waits_for_its_lead_time() -> None:
    given = bot(joinAt=LATER, leadSeconds=120)
    assert decide(facts(given, checked=False)).action == CheckTemplate()
    plan = decide(facts(given, after=1))
    assert (plan.action, plan.requeue_after) == (None, 879)
    assert (plan.status.phase, ready(plan).status, ready(plan).reason) == (BotPhase.SCHEDULED, "True", "Scheduled")
    assert decide(facts(given, after=879)).action is None
    assert decide(facts(given, after=880)).action == Commit()


def test_a_scheduled_bot_whose_pod_exceeds_a_quota_says_so() -> None:
    plan = decide(facts(bot(joinAt=LATER), checked=False, refused=QUOTA))
    assert plan.action is None
    assert (plan.status.phase, ready(plan).status, ready(plan).reason) == (BotPhase.SCHEDULED, "False", "QuotaExceeded")
    assert plan.requeue_after == 30


@pytest.mark.parametrize("given", [{}, {"joinAt": LATER}])
@pytest.mark.parametrize("problem", [{"template": INVALID}, {"meeting": NO_SECRET}])
def test_what_cannot_work_is_reported_and_no_pod_is_made(given: dict[str, Any], problem: dict[str, Any]) -> None:
    plan = decide(facts(bot(**given), **problem))
    (cause,) = problem.values()
    assert plan.action is None
    assert plan.status.phase is BotPhase.PENDING
    assert (ready(plan).status, ready(plan).reason, ready(plan).message) == ("False", cause.reason, cause.message)
    present = "Reconciling" if cause.recoverable else "Stalled"
    assert {item.type for item in plan.status.conditions} == {"Ready", present}
    assert plan.requeue_after == 30


def test_a_template_that_kubernetes_refused_before_is_asked_about_before_another_claim() -> None:
    assert decide(facts(doubtful=True, checked=False)).action == CheckTemplate()
    assert decide(facts(doubtful=True, checked=True)).action == Commit()
    waiting = decide(facts(doubtful=True, checked=False, refused=QUOTA))
    assert (waiting.action, ready(waiting).reason) == (None, "QuotaExceeded")


def test_a_suspended_bot_waits() -> None:
    for given in (bot(suspend=True), bot(suspend=True, joinAt=LATER), bot(suspend=True, joinAt=at(-9000).isoformat())):
        plan = decide(facts(given, after=5))
        assert (plan.action, plan.requeue_after) == (None, None)
        assert (plan.status.phase, ready(plan).status, ready(plan).reason) == (BotPhase.PENDING, "False", "Suspended")
        assert {item.type for item in plan.status.conditions} == {"Ready"}


def test_created_within_its_deadline_it_runs() -> None:
    assert decide(facts(bot(joinAt=at(-600).isoformat()), after=-0.1)).action == Commit()


def test_created_after_its_deadline_it_expires_and_never_runs() -> None:
    plan = decide(facts(bot(joinAt=at(-601).isoformat()), after=1))
    assert plan.action == Commit()
    assert (plan.status.phase, ready(plan).status, ready(plan).reason) == (BotPhase.EXPIRED, "True", "Expired")
    assert plan.status.completion_time == at(1)
    after = decide(facts(bot(status=plan.status.to_dict()), after=2))
    assert (after.action, after.status.phase) == (None, BotPhase.EXPIRED)


def test_late_though_created_in_time_it_fails() -> None:
    assert decide(facts(bot(joinAt=LATER), after=1599)).action == Commit()
    plan = decide(facts(bot(joinAt=LATER), after=1600))
    assert plan.action == Commit()
    assert (plan.status.phase, ready(plan).reason) == (BotPhase.FAILED, "StartDeadlineExceeded")
    assert find(plan.status.conditions, "Stalled") is not None


def test_the_cause_of_the_lateness_is_reported() -> None:
    for name, cause in (("template", INVALID), ("meeting", NO_SECRET), ("refused", QUOTA)):
        more: dict[str, Any] = {name: cause}
        plan = decide(facts(after=600, **more))
        assert ready(plan).reason == "StartDeadlineExceeded"
        assert cause.message in ready(plan).message
    stuck = decide(facts(meeting=NO_SECRET)).status
    assert "does not exist" in ready(decide(facts(bot(status=stuck.to_dict()), after=600))).message


def test_any_join_time_is_dealt_with() -> None:
    for moment in ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"):
        decide(facts(bot(joinAt=moment)))


# A Pod's name is claimed.


def test_after_the_claim_the_pod_is_created() -> None:
    assert decide(facts(staged())).action == CreatePod(POD)


def test_a_pod_that_was_never_seen_is_created_and_one_that_was_is_lost() -> None:
    assert decide(facts(staged(), pod_seen=False)).action == CreatePod(POD)
    for more in ({"given": staged(), "pod_seen": True}, {"given": staged(status={"phase": "Running"})}):
        plan = decide(facts(**more))
        assert (plan.action, ready(plan).reason) == (Commit(), "InfrastructureLost")


def test_a_refused_pod_is_reported_and_tried_again() -> None:
    plan = decide(facts(staged(), refused=QUOTA))
    assert (plan.action, plan.requeue_after, plan.status.phase) == (None, 5, BotPhase.PENDING)
    assert (ready(plan).reason, ready(plan).status) == ("QuotaExceeded", "False")
    assert decide(facts(staged())).action == CreatePod(POD)
    late = decide(facts(staged(), after=600, refused=QUOTA))
    assert ready(late).reason == "StartDeadlineExceeded"
    assert "quota" in ready(late).message


def test_before_pod_delivery_asks_for_tokens_first_and_at_join_at() -> None:
    given = staged(tokenDelivery="BeforePod", joinAt=at(100).isoformat())
    assert decide(facts(given, after=50)).action is None
    assert decide(facts(given, after=100)).action == IssueTokens(POD)
    assert decide(facts(given, after=100, delivery=delivery(after=100))).action == CreatePod(POD)


def test_staging_is_reported_with_what_is_in_the_way() -> None:
    plan = decide(facts(staged(), pod=pod(CREATING)))
    assert (plan.action, plan.status.phase, ready(plan).status) == (None, BotPhase.STAGING, "True")
    unschedulable = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3"}]
    for made, reason in (
        (pod({"waiting": {"reason": "ImagePullBackOff"}}), "ImagePullFailed"),
        (
            pod({"waiting": {"reason": "ImagePullBackOff", "message": "dial tcp 10.0.0.9:443: connection refused"}}),
            "ImagePullFailed",
        ),
        (
            pod({"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "own" not found'}}),
            "ConfigError",
        ),
        (pod(None, conditions=unschedulable), "Unschedulable"),
    ):
        reported = decide(facts(staged(), pod=made))
        assert (reported.action, reported.status.phase) == (None, BotPhase.STAGING)
        assert (ready(reported).status, ready(reported).reason) == ("False", reason)
        assert find(reported.status.conditions, "Reconciling") is not None
        late = decide(facts(staged(), pod=made, after=600))
        assert (late.action, late.status.phase) == (Commit(), BotPhase.FAILED)
        assert ready(late).reason == "StartDeadlineExceeded"
        assert ready(reported).message in ready(late).message
        healed = decide(facts(staged(status=reported.status.to_dict()), pod=pod(CREATING)))
        assert {item.type for item in healed.status.conditions} == {"Ready"}


def test_a_pod_that_is_never_ready_is_reported_with_its_node() -> None:
    assert "node-1" in ready(decide(facts(staged(), pod=pod(CREATING), after=600))).message


# It runs, and ends.


def test_running_is_written_then_the_secret_goes_then_nothing_is_left_to_do() -> None:
    made = pod(running(), phase="Running")
    first = decide(facts(staged(), pod=made, delivery=delivery()))
    assert first.action == Commit()
    status = first.status
    assert (status.phase, status.start_time, status.spec_hash) == (BotPhase.RUNNING, at(1), "joined-with")
    assert ready(first).reason == "Running"
    second = decide(facts(staged(status=status.to_dict()), pod=made, delivery=delivery()))
    assert second.action == DeleteSecret(POD)
    third = decide(facts(staged(status=status.to_dict()), pod=made, delivery=delivery(), secret_gone=True))
    assert (third.action, third.requeue_after) == (None, 300)


def test_a_settled_bot_is_not_written_again() -> None:
    made = pod(running(), phase="Running")
    known: dict[str, Any] = {"pod": made, "delivery": delivery(), "secret_gone": True}
    hash_of = decide(facts(staged(), pod=made)).status.spec_hash
    status = decide(facts(staged(), **known)).status.model_copy(update={"spec_hash": hash_of})
    for seconds in (100, 5000):
        assert decide(facts(staged(status=status.to_dict()), after=seconds, **known)).status == status
    for given in (bot(joinAt=LATER), bot(suspend=True)):
        first = decide(facts(given)).status
        again = given.model_copy(update={"status": first})
        assert decide(facts(again, after=50)).status == first


def test_the_words_tell_a_bot_that_goes_without() -> None:
    gone = delivery(reason="NotTheHost", message="alice (Host): no.")
    plan = decide(facts(staged(), pod=pod(running(), phase="Running"), delivery=gone))
    assert "without a token and asks the host (NotTheHost" in ready(plan).message
    assert ready(plan).status == "True"


def test_an_edit_of_a_running_bot_is_reported_as_ignored() -> None:
    status = {"phase": "Running", "specHash": "of-before"}
    known: dict[str, Any] = {"pod": pod(running(), phase="Running"), "delivery": delivery(), "secret_gone": True}
    plan = decide(facts(staged(status=status, displayName="Other"), pod_hash="other", **known))
    assert plan.action is None
    assert find(plan.status.conditions, "SpecChangeIgnored") is not None
    assert plan.status.phase is BotPhase.RUNNING


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Expired"])
def test_a_finished_bot_never_runs_again(phase: str) -> None:
    for spec in ({}, {"joinAt": at(5000).isoformat()}, {"displayName": "Other"}, {"suspend": True}):
        given = bot(status={"phase": phase, "podName": POD}, **spec)
        assert decide(facts(given)).action is None
        assert decide(facts(given, pod=pod(ended(0), phase="Succeeded"))).action is None
        side_car = pod(ended(0), phase="Running", others={"proxy": running()})
        for made in (pod(WAITS), pod(running(), phase="Running"), side_car):
            assert decide(facts(given, pod=made)).action == DeletePod(POD, f"uid-of-{POD}")
        assert decide(facts(given, pod=pod(running(), phase="Running", deleted_at=1))).action is None


def test_time_to_live() -> None:
    status = {"phase": "Succeeded", "completionTime": at(100).isoformat()}
    given = bot(status=status, joinAt=at(0).isoformat(), ttlSecondsAfterFinished=50, startDeadlineSeconds=30)
    early = decide(facts(given, after=149))
    assert (early.action, early.requeue_after) == (None, 1)
    assert decide(facts(given, after=150)).action == DeleteBot()
    assert decide(facts(bot(status=status), after=9e6)).action is None


def test_the_default_time_to_live_is_for_bots_with_a_joinat_that_set_none() -> None:
    status = {"phase": "Succeeded", "completionTime": at(100).isoformat()}
    given = bot(status=status, joinAt=at(0).isoformat())
    assert decide(facts(given, after=149, default_ttl=50)).requeue_after == 1
    assert decide(facts(given, after=150, default_ttl=50)).action == DeleteBot()
    own = bot(status=status, joinAt=at(0).isoformat(), ttlSecondsAfterFinished=500)
    assert decide(facts(own, after=150, default_ttl=50)).requeue_after == 450
    assert decide(facts(own, after=600, default_ttl=5000)).action == DeleteBot()
    assert decide(facts(bot(status=status), after=9e6, default_ttl=50)).action is None


def test_a_bot_created_again_after_its_time_to_live_does_not_join_again() -> None:
    given = bot(joinAt=at(0).isoformat(), ttlSecondsAfterFinished=0)
    reported = decide(facts(given, after=5, done_before=True)).status
    assert (reported.phase, reported.completion_time) == (BotPhase.EXPIRED, at(5))
    assert decide(facts(given, after=5)).status.phase is BotPhase.STAGING


def test_created_too_late_for_a_meeting_that_has_ended_is_expired_not_failed() -> None:
    late = bot(joinAt=at(-9000).isoformat())
    assert decide(facts(late, meeting_ended_at=at(-10))).status.phase is BotPhase.EXPIRED


def test_a_bot_without_joinat_that_is_resumed_after_a_long_time_joins_then() -> None:
    reported = {"type": "Ready", "status": "False", "reason": "Suspended", "lastTransitionTime": at(0).isoformat()}
    suspended = {"phase": "Pending", "conditions": [{**reported, "message": "The bot is suspended."}]}
    plan = decide(facts(bot(status=suspended), after=9000))
    assert (plan.action, plan.status.next_attempt_time) == (Commit(), at(9000))
    assert decide(facts(bot(status=suspended, joinAt=at(0).isoformat()), after=9000)).status.phase is BotPhase.FAILED


RAN = {"podName": POD, "phase": "Staging", "startTime": at(1).isoformat(), "scheduledTime": at(0).isoformat()}
LOSS = {"podName": POD, "reason": "InfrastructureLost", "message": "", "startTime": at(1).isoformat()}


@pytest.mark.parametrize(("reason", "phase"), [("InfrastructureLost", "Staging"), ("Withdrawn", "Scheduled")])
def test_a_later_joinat_is_ignored_once_it_has_run_unless_its_author_took_it_out(reason: str, phase: str) -> None:
    status = {**RAN, "lastAttempt": {**LOSS, "reason": reason, "endTime": at(50).isoformat()}}
    moved = bot(status=status, joinAt=at(90_000).isoformat())
    assert decide(facts(moved, after=60)).status.phase == phase


@pytest.mark.parametrize(
    ("after", "attempt", "reason"), [(29, 1, "InfrastructureLost"), (31, 1, "MaxDurationExceeded")]
)
@pytest.mark.parametrize("number", [1, 2])
def test_a_pod_gone_without_a_trace_was_lost_or_reported_to_leave(
    after: int, attempt: int, reason: str, number: int
) -> None:
    name = f"{POD[:-1]}{number}"
    status = {"podName": name, "phase": "Running", "attempts": attempt, "startTime": at(0).isoformat()}
    given = bot(status=status, maxDurationSeconds=30)
    gone = decide(facts(given, after=after, delivery=delivery(after=0), pod_seen=True))
    assert gone.status.last_attempt is not None
    assert gone.status.last_attempt.reason == reason


def test_a_secret_that_is_refused_is_reported_and_asked_again_only_later() -> None:
    refused = Problem(BotReason.QUOTA_EXCEEDED, "exceeded quota", recoverable=True)
    plan = decide(facts(staged(), pod=pod(WAITS), refused=refused))
    assert (plan.action, ready(plan).status, ready(plan).reason) == (None, "False", "QuotaExceeded")


def test_a_pod_is_never_left_alone_for_long() -> None:
    given = staged(joinAt=at(9000).isoformat(), leadSeconds=9000, startDeadlineSeconds=9000)
    for made in (pod(CREATING), pod(WAITS)):
        assert decide(facts(given, pod=made)).requeue_after == 300

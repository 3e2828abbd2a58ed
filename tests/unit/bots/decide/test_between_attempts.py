"""What an edit does before the bot has joined, and what happens between two attempts."""

from typing import Any

import pytest
from meetingbots.bots.decide.facts import Commit, DeletePod, DeleteSecret, Problem
from meetingbots.bots.decide.next_step import decide
from meetingbots.models.bot import BotPhase, BotReason

from tests.unit.bots.bot_builders import (
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
NO_SECRET = Problem(BotReason.CONFIG_ERROR, "Secret links does not exist.", recoverable=True)
SECOND = "standup-abcde-2"


def accounted(**more: Any) -> dict[str, Any]:
    return {"phase": "Staging", "podName": POD, "attempts": 1, "lastAttempt": {"podName": POD}, **more}


# The author changes their mind before the bot joins.


@pytest.mark.parametrize(
    ("spec", "more"),
    [
        ({"suspend": True}, {}),
        ({"joinAt": at(5000).isoformat()}, {}),
        ({"displayName": "Other"}, {"pod_hash": "other"}),
        ({}, {"template": INVALID}),
        ({}, {"meeting": NO_SECRET}),
    ],
    ids=["suspended", "moved", "edited", "template", "meeting"],
)
def test_a_staged_pod_is_withdrawn_uncounted(spec: dict[str, Any], more: dict[str, Any]) -> None:
    plan = decide(facts(staged(**spec), pod=pod(WAITS), **more))
    assert plan.action == Commit()
    assert (plan.status.attempts, plan.status.infrastructure_restarts) == (0, 0)
    assert plan.status.last_attempt is not None
    assert (plan.status.last_attempt.pod_name, plan.status.last_attempt.reason) == (POD, "Withdrawn")
    for earlier, act in ((pod(WAITS), DeletePod(POD, f"uid-of-{POD}")), (pod(WAITS, deleted_at=1), None)):
        following = decide(facts(staged(status=plan.status.to_dict(), **spec), previous_pod=earlier, **more))
        assert following.action == act


def test_a_problem_that_takes_a_pod_back_is_reported_in_its_own_words() -> None:
    plan = decide(facts(staged(), pod=pod(WAITS), template=INVALID))
    assert plan.status.last_attempt is not None
    assert plan.status.last_attempt.message == INVALID.message


def test_a_bot_moved_within_its_lead_time_keeps_its_pod() -> None:
    plan = decide(facts(staged(joinAt=at(60).isoformat()), pod=pod(WAITS)))
    assert (plan.action, plan.requeue_after, plan.status.phase) == (None, 59, BotPhase.STAGING)


def test_an_edit_of_a_replacement_keeps_its_own_deadline() -> None:
    given = staged(status={"nextAttemptTime": at(5000).isoformat(), "podName": SECOND})
    plan = decide(facts(given, after=5100, pod=pod(WAITS, name=SECOND), pod_hash="other"))
    assert plan.status.next_attempt_time == at(5000)
    following = decide(facts(staged(status=plan.status.to_dict()), after=5101))
    assert (following.action, following.status.pod_name) == (Commit(), "standup-abcde-3")


# Between two attempts.


def test_the_next_attempt_waits_for_its_time_and_for_the_end_of_the_pod_before() -> None:
    given = bot(status=accounted(nextAttemptTime=at(10).isoformat()))
    early = decide(facts(given, after=5))
    assert (early.action, early.requeue_after) == (None, 5)
    for made in (pod(running(), phase="Running"), pod(WAITS)):
        assert decide(facts(given, after=5, previous_pod=made)).action == DeletePod(POD, f"uid-of-{POD}")
    ending = decide(facts(given, after=10, previous_pod=pod(running(), phase="Running", deleted_at=5)))
    assert (ending.action, ending.requeue_after) == (None, 30)
    for over in (None, pod(ended(1), phase="Failed")):
        plan = decide(facts(given, after=10, previous_pod=over))
        assert (plan.action, plan.status.pod_name, plan.status.attempts) == (Commit(), SECOND, 2)


def test_what_was_delivered_to_the_attempt_before_is_removed() -> None:
    given = bot(status=accounted(nextAttemptTime=at(10).isoformat()))
    assert decide(facts(given, after=5, delivery=delivery())).action == DeleteSecret(POD)
    assert decide(facts(given, after=5, delivery=delivery(), secret_gone=True)).action is None


def test_this_generation_is_reported_as_seen_while_waiting() -> None:
    given = bot(status=accounted(nextAttemptTime=at(10).isoformat()), generation=7)
    assert decide(facts(given, after=5)).status.observed_generation == 7
    ending = decide(facts(given, after=15, previous_pod=pod(running(), phase="Running", deleted_at=5)))
    assert ending.status.observed_generation == 7


def test_a_staged_pod_that_someone_deletes_is_waited_for_and_then_lost() -> None:
    plan = decide(facts(staged(generation=3), pod=pod(WAITS, deleted_at=1)))
    assert (plan.action, plan.requeue_after, plan.status.observed_generation) == (None, 30, 3)
    assert ready(decide(facts(staged(), pod_seen=True))).reason == "InfrastructureLost"


def test_a_missed_deadline_names_the_last_attempt() -> None:
    last = {"podName": POD, "message": "The spec was changed before the bot joined."}
    missed = decide(facts(bot(status=accounted(lastAttempt=last)), after=601))
    assert ready(missed).reason == "StartDeadlineExceeded"
    assert ready(missed).message.endswith("600 s. The last attempt: The spec was changed before the bot joined.")
    invalid = Problem(BotReason.TEMPLATE_INVALID, "The template has no container named bot.")
    blocked = decide(facts(bot(status=accounted(lastAttempt=last)), after=601, template=invalid))
    assert ready(blocked).message.endswith("600 s. The template has no container named bot.")

"""How long a bot's user is waited for over several Pods: what counts as waiting, and what begins the wait again."""

from typing import Any

import pytest
from meetingbots.bots.decide.facts import BotPlan, OnBehalfUser
from meetingbots.bots.decide.next_step import decide
from meetingbots.bots.decide.pod_state import PodState
from meetingbots.models.bot import BotPhase

from tests.unit.bots.bot_builders import POD, WAITS, at, bot, delivery, ended, facts, pod, ready, staged

BEHALF: dict[str, Any] = {"tokens": ["OnBehalf"], "onBehalf": {"retrySeconds": 60, "waitSeconds": 900}}
ABSENT = OnBehalfUser("bob", present=False, since=at(-60))
LEFT = {"podName": POD, "reason": "UserNotInMeeting"}


def after(made: PodState | None, *, seconds: float, since: float | None = 60, **spec: Any) -> BotPlan:
    """What follows when the Pod of a bot that has waited `since` then ends as given."""
    reported = {"waitingSince": at(since).isoformat()} if since is not None else {}
    status = {"phase": "Running", "startTime": at(1).isoformat(), **reported}
    return decide(
        facts(staged(status=status, **{**BEHALF, **spec}), after=seconds, pod=made, pod_seen=True, secret_gone=True)
    )


def put_out(*, start: float, end: float) -> PodState:
    return pod(ended(75, start=start, end=end), phase="Failed")


def test_the_time_in_the_meeting_is_no_waiting() -> None:
    plan = after(put_out(start=121, end=121 + 840), seconds=961)
    assert plan.status.phase is BotPhase.WAITING_FOR_USER
    assert plan.status.waiting_since == at(60 + 840)


def test_tries_that_were_too_short_to_be_let_in_add_up() -> None:
    for end in (125, 121 + 60):
        plan = after(put_out(start=121, end=end), seconds=end)
        assert plan.status.waiting_since == at(60)
    assert after(put_out(start=955, end=960), seconds=960).status.phase is BotPhase.FAILED


def test_a_bot_that_itself_looks_for_its_user_for_a_while_is_not_tried_for_ever() -> None:
    since, now, tries = None, 0.0, 0
    while True:
        plan = after(put_out(start=now, end=now + 120), seconds=now + 120, since=since)
        tries += 1
        if plan.status.phase is BotPhase.FAILED:
            break
        assert plan.status.waiting_since is not None
        assert plan.status.next_attempt_time is not None
        since = (plan.status.waiting_since - at(0)).total_seconds()
        now = (plan.status.next_attempt_time - at(0)).total_seconds()
    assert tries == 16  # so often do pauses of 60 s fit into 900 s, after the first try


def test_after_a_stay_longer_than_the_wait_itself_it_begins_anew() -> None:
    assert after(put_out(start=121, end=2000), seconds=2000).status.waiting_since == at(2000)


@pytest.mark.parametrize(
    "made",
    [
        pod(ended(143, start=121, end=961), phase="Failed", reason="Evicted"),
        pod(ended(1, start=121, end=961), phase="Failed"),
    ],
)
def test_the_stay_of_a_pod_that_was_lost_or_failed_is_no_waiting_either(made: PodState) -> None:
    plan = after(made, seconds=961)
    assert plan.status.phase is BotPhase.STAGING
    assert plan.status.waiting_since == at(60 + 840)


def test_where_the_pod_left_no_trace_the_stay_is_counted_from_the_delivery() -> None:
    status = {"phase": "Running", "startTime": at(1).isoformat(), "waitingSince": at(60).isoformat()}
    given = staged(status=status, **BEHALF)
    plan = decide(facts(given, after=661, pod=None, pod_seen=True, secret_gone=True, delivery=delivery(after=121)))
    assert plan.status.waiting_since == at(60 + 540)


def test_a_bot_that_was_moved_waits_for_its_user_anew() -> None:
    name = "standup-abcde-2"
    waits = {"waiting": {**WAITS["waiting"], "message": f'secret "{name}-zoom" not found'}}
    status = {"phase": "Staging", "podName": name, "attempts": 1, "waitingSince": at(60).isoformat()}
    given = bot(status=status, joinAt=at(7200).isoformat(), tokenPolicy="Required", **BEHALF)
    plan = decide(facts(given, after=7201, pod=pod(waits, name=name), on_behalf_users=(ABSENT,)))
    assert plan.status.phase is BotPhase.WAITING_FOR_USER
    late = decide(facts(given, after=7200 + 900, pod=pod(waits, name=name), on_behalf_users=(ABSENT,)))
    assert late.status.phase is BotPhase.FAILED


def test_a_bot_that_is_withdrawn_or_resumed_waits_anew() -> None:
    status = {"waitingSince": at(60).isoformat(), "phase": "WaitingForUser"}
    back = decide(facts(staged(status=status, suspend=True, **BEHALF), after=100, pod=pod(WAITS)))
    assert (back.status.phase, back.status.waiting_since) == (BotPhase.PENDING, None)
    ready = {"type": "Ready", "status": "False", "reason": "Suspended", "lastTransitionTime": at(100).isoformat()}
    reported = {**status, "startTime": at(1).isoformat(), "lastAttempt": LEFT, "conditions": [ready]}
    resumed = decide(facts(staged(status=reported, **BEHALF), after=7200))
    assert (resumed.status.next_attempt_time, resumed.status.waiting_since) == (at(7200), None)


def test_exit_code_75_may_be_one_after_which_it_is_never_started_again() -> None:
    plan = after(put_out(start=1, end=10), seconds=10, since=None, retry={"neverOnExitCodes": [75]})
    reported = ready(plan)
    assert (plan.status.phase, reported.reason) == (BotPhase.FAILED, "BotFailed")


@pytest.mark.parametrize(
    ("first", "attempts", "pause"),
    [
        (5, 6, 160),
        (5, 7, 300),
        (0, 3, 0),
        (0, 4, 1),
        (0, 6, 4),
        (0, 50, 300),
        (600, 1, 600),
        (600, 3, 600),
        (3600, 100, 3600),
    ],
)
def test_pauses_between_attempts_have_a_limit(first: int, attempts: int, pause: int) -> None:
    status = {"phase": "Running", "attempts": attempts}
    given = staged(status=status, retry={"limit": 100, "backoffSeconds": first})
    plan = decide(facts(given, after=61, pod=pod(ended(1), phase="Failed"), secret_gone=True))
    assert plan.status.next_attempt_time == at(61 + pause)

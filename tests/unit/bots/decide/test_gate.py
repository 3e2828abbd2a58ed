from typing import Any

import pytest
from meetingbots.bots.decide.facts import BotPlan, Commit, DeliverWithout, IssueTokens, PrepareTokens, TouchPod
from meetingbots.bots.decide.gate import TOUCH_SECONDS, touches_due
from meetingbots.bots.decide.next_step import decide
from meetingbots.bots.decide.schedule import prepare_time
from meetingbots.models.bot import BotPhase, BotReason
from meetingbots.models.conditions import find

from tests.unit.bots.bot_builders import (
    CREATING,
    POD,
    WAITS,
    at,
    delivery,
    facts,
    pod,
    ready,
    running,
    staged,
    token_failure,
)

CONFIG = {
    "waiting": {"reason": "CreateContainerConfigError", "message": "container has runAsNonRoot and image is root"}
}


def plan(
    after: float = 1, *, state: dict[str, Any] = WAITS, spec: dict[str, Any] | None = None, **more: Any
) -> BotPlan:
    return decide(facts(staged(**(spec or {})), after=after, pod=pod(state), **more))


def reason(reported: BotPlan) -> str:
    condition = ready(reported)
    return condition.reason


REQUIRED = {"tokenPolicy": "Required"}


def test_tokens_are_asked_for_at_the_gate_and_not_before() -> None:
    assert plan().action == IssueTokens(POD)
    for state in (CREATING, CONFIG, {"waiting": {"reason": "ImagePullBackOff"}}):
        assert plan(state=state).action is None
    assert plan(state=WAITS, pod_hash="hash").action == IssueTokens(POD)
    blocked = decide(facts(staged(), pod=pod(WAITS, others={"sidecar": CREATING})))
    assert blocked.action is None
    assert decide(facts(staged(), pod=pod(WAITS, others={"sidecar": running()}))).action == IssueTokens(POD)


def test_tokens_are_not_asked_for_before_join_at() -> None:
    early = plan(9, spec={"joinAt": at(10).isoformat()})
    assert (early.action, early.requeue_after) == (None, 1)
    assert early.status.phase is BotPhase.STAGING
    assert reason(early) == "Staging"
    assert plan(10, spec={"joinAt": at(10).isoformat()}).action == IssueTokens(POD)


def test_what_tokens_are_asked_with_is_read_ahead_of_time() -> None:
    spec = {"joinAt": at(100).isoformat()}
    moment = (prepare_time(staged(**spec)) - at(0)).total_seconds()
    assert 88 <= moment <= 96
    for state in (WAITS, CREATING):
        early = plan(moment - 2, spec=spec, state=state, prepared=False)
        assert early.action is None
        assert early.requeue_after == pytest.approx(2)
        assert plan(moment, spec=spec, state=state, prepared=False).action == PrepareTokens(POD)
        assert plan(moment, spec=spec, state=state, prepared=True).action is None
    assert plan(moment, spec=spec, prepared=True).requeue_after == pytest.approx(100 - moment)


def test_a_bot_that_is_late_reads_before_it_asks() -> None:
    assert plan(5, prepared=False).action == PrepareTokens(POD)
    assert plan(5, state=CREATING, prepared=False).action == PrepareTokens(POD)
    assert plan(5, prepared=True).action == IssueTokens(POD)


def test_waiting_at_the_gate_is_reported_as_on_the_way_to_it() -> None:
    spec = {"joinAt": at(100).isoformat()}
    waits, comes = plan(9, spec=spec), plan(9, spec=spec, state=CREATING)
    assert waits.status == comes.status
    condition = ready(waits)
    assert "12:01:40 UTC" in condition.message


def test_preferred_goes_without_at_once_when_zoom_has_decided() -> None:
    reported = plan(2, token_failure=token_failure(transient=False))
    assert reported.action == DeliverWithout(POD, BotReason.NOT_THE_HOST, "alice (Host): no.")


def test_required_fails_at_once_when_zoom_has_decided() -> None:
    reported = plan(2, spec=REQUIRED, token_failure=token_failure(transient=False))
    assert reported.action == Commit()
    assert (reported.status.phase, reason(reported)) == (BotPhase.FAILED, "NotTheHost")
    assert reported.status.completion_time == at(2)


def test_passing_failures_are_reported_and_tried_again_when_it_is_time() -> None:
    given = token_failure(transient=True, first=1, following=4)
    early = plan(2, token_failure=given)
    assert (early.action, early.requeue_after) == (None, 2)
    assert reason(early) == "ZoomUnavailable"
    assert plan(4, token_failure=given).action == IssueTokens(POD)


@pytest.mark.parametrize(("seconds", "last"), [(20, 21), (0, 1), (300, 301)])
def test_preferred_is_patient_for_token_wait_seconds(seconds: int, last: float) -> None:
    spec = {"tokenWaitSeconds": seconds}
    late = plan(last, spec=spec, token_failure=token_failure(transient=True, first=1, following=last + 50))
    assert late.action == DeliverWithout(POD, BotReason.ZOOM_UNAVAILABLE, "alice (Host): no.")
    if seconds:
        early = plan(last - 1, spec=spec, token_failure=token_failure(transient=True, first=1, following=last + 50))
        assert (early.action, early.requeue_after) == (None, 1)


def test_required_is_patient_until_the_start_deadline() -> None:
    given = token_failure(transient=True, first=1, following=700)
    assert plan(500, spec=REQUIRED, token_failure=given).action is None
    assert plan(500, spec=REQUIRED, token_failure=given).requeue_after == 100
    waiting = find(
        plan(30, spec=REQUIRED, token_failure=token_failure(transient=True, following=40)).status.conditions, "Ready"
    )
    assert waiting is not None
    assert waiting.message.endswith(
        "no. The bot does not join without a token, and waits until 2026-11-24 12:10:00 UTC."
    )
    reported = plan(600, spec=REQUIRED, token_failure=given)
    assert (reported.status.phase, reason(reported)) == (BotPhase.FAILED, "StartDeadlineExceeded")
    condition = ready(reported)
    assert "alice (Host): no." in condition.message


def after_delivery(since: float, touches: int, state: dict[str, Any] = WAITS) -> BotPlan:
    return plan(1 + since, state=state, delivery=delivery(after=1), touches=touches)


def test_touch_schedule() -> None:
    assert TOUCH_SECONDS == (0.0, 0.5, 1.0, 2.0, 4.0)
    for number, moment in enumerate(TOUCH_SECONDS):
        assert after_delivery(moment, number).action == TouchPod(POD, number=number + 1)
        if number:
            early = after_delivery(moment - 0.1, number)
            assert early.action is None
            assert early.requeue_after == pytest.approx(0.1)
    assert after_delivery(59, 5).action is None


def test_touches_that_were_missed_are_not_made_up_for() -> None:
    assert after_delivery(3, 0).action == TouchPod(POD, number=4)
    assert after_delivery(30, 0).action == TouchPod(POD, number=5)
    assert [touches_due(since) for since in (0, 0.4, 0.5, 1, 3.9, 4, 60)] == [1, 1, 2, 3, 4, 5, 5]


def test_a_touch_that_came_late_gives_the_kubelet_its_time() -> None:
    def touched(after: float, *, now: float) -> BotPlan:
        return plan(1 + now, state=WAITS, delivery=delivery(after=1), touches=1, touched_at=at(1 + after))

    assert touched(0.0, now=0.5).action == TouchPod(POD, number=2)
    late = touched(0.7, now=0.8)
    assert late.action is None
    assert late.requeue_after == pytest.approx(0.4)
    assert touched(0.7, now=1.2).action == TouchPod(POD, number=3)


def test_joining_is_written_only_when_the_start_takes_longer() -> None:
    early = after_delivery(0.8, 2)
    assert early.status.phase is BotPhase.STAGING
    late = after_delivery(1.1, 3)
    assert (late.status.phase, reason(late)) == (BotPhase.JOINING, "Joining")
    assert late.status.spec_hash == "joined-with"
    assert late.status.token is not None


def test_trouble_behind_the_gate_is_reported() -> None:
    reported = after_delivery(10, 5, CONFIG)
    assert (reported.status.phase, reason(reported)) == (BotPhase.JOINING, "ConfigError")
    assert reported.status.spec_hash == "joined-with"


def test_a_pod_that_does_not_start_is_replaced_uncounted() -> None:
    assert after_delivery(59.9, 5).action is None
    reported = after_delivery(60, 5, CONFIG)
    assert reported.action == Commit()
    assert (reported.status.attempts, reported.status.infrastructure_restarts) == (0, 1)
    assert reported.status.last_attempt is not None
    assert reported.status.last_attempt.pod_name == POD
    assert "runAsNonRoot" in reported.status.last_attempt.message
    assert reported.status.phase is BotPhase.STAGING


def test_a_delivery_by_a_clock_that_is_ahead_is_touched_at_once() -> None:
    assert plan(1, delivery=delivery(after=3), touches=0).action == TouchPod(POD, number=1)


def test_after_the_delivery_nothing_is_asked_for_whatever_the_spec_says() -> None:
    for spec in ({"displayName": "x"}, {"joinAt": at(5000).isoformat()}):
        reported = plan(1, spec=spec, delivery=delivery(after=1), touches=1, pod_hash="other")
        assert reported.action is None

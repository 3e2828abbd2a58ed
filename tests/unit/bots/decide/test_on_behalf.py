"""The gate of a bot that joins on behalf of a user: when it waits, tries, and stops waiting."""

from dataclasses import replace
from typing import Any

import pytest
from meetingbots.bots.decide.facts import BotPlan, Commit, DeliverWithout, IssueTokens, OnBehalfUser, TokenFailure
from meetingbots.bots.decide.next_step import decide
from meetingbots.models.bot import BotPhase, BotReason
from meetingbots.models.conditions import find

from tests.unit.bots.bot_builders import CREATING, POD, WAITS, at, facts, pod, ready, staged, token_failure

ABSENT = OnBehalfUser("bob", present=False, since=at(-60))
UNKNOWN = OnBehalfUser("bob")
ASK = IssueTokens(POD)
LAST = IssueTokens(POD, absent=True, settle=True)


def gate(
    user: OnBehalfUser | None,
    *,
    after: float,
    reported: TokenFailure | None = None,
    status: Any = None,
    **spec: Any,
) -> BotPlan:
    given = staged(tokens=["LocalRecording", "OnBehalf"], status=status or {}, **spec)
    return decide(
        facts(given, after=after, pod=pod(WAITS), on_behalf_users=(user,) if user else (), token_failure=reported)
    )


def refused(*, tried: float, following: float) -> TokenFailure:
    reported = token_failure(transient=True, first=1, following=following)
    return replace(reported, reason=BotReason.USER_NOT_IN_MEETING, tried_at=at(tried))


def test_a_present_or_unknown_user_is_not_waited_for() -> None:
    for person in (None, UNKNOWN, OnBehalfUser("bob", present=True, since=at(0))):
        assert gate(person, after=1).action == ASK


def test_an_absent_user_is_waited_for_without_a_request_to_zoom() -> None:
    plan = gate(ABSENT, after=1)
    assert (plan.action, plan.requeue_after) == (None, 300)  # it is looked at now and then
    assert plan.status.phase is BotPhase.WAITING_FOR_USER
    assert (ready(plan).status, ready(plan).reason) == ("False", "UserNotInMeeting")
    assert "bob" in ready(plan).message
    assert find(plan.status.conditions, "Reconciling") is not None


def test_waiting_for_a_person_outlasts_the_start_deadline() -> None:
    assert gate(ABSENT, after=899, startDeadlineSeconds=100).action is None
    assert gate(ABSENT, after=51, startDeadlineSeconds=100, onBehalf={"waitSeconds": 50}).action == LAST
    late = decide(facts(staged(startDeadlineSeconds=100), after=101, pod=pod(CREATING), on_behalf_users=(ABSENT,)))
    assert ready(late).reason == "StartDeadlineExceeded"


def test_after_the_wait_it_goes_with_the_other_tokens_or_fails() -> None:
    assert gate(ABSENT, after=900).action == LAST
    plan = gate(ABSENT, after=900, tokenPolicy="Required")
    assert plan.action == Commit()
    assert (plan.status.phase, ready(plan).reason) == (BotPhase.FAILED, "UserNotInMeeting")
    assert gate(ABSENT, after=901, reported=token_failure(transient=False)).action == LAST
    without = gate(ABSENT, after=901, reported=replace(token_failure(transient=False), settled=True))
    assert without.action == DeliverWithout(POD, BotReason.NOT_THE_HOST, "alice (Host): no.")


def test_while_zoom_is_away_the_last_try_is_made_again_for_token_wait_seconds() -> None:
    reported = replace(token_failure(transient=True, first=1, following=903), settled=True)
    waiting = gate(ABSENT, after=901, reported=reported)
    assert (waiting.action, waiting.requeue_after, ready(waiting).reason) == (None, 2, "ZoomUnavailable")
    assert gate(ABSENT, after=903, reported=reported).action == LAST
    assert isinstance(gate(ABSENT, after=920, reported=reported).action, DeliverWithout)


def test_zooms_refusal_is_tried_again_with_space_between_and_until_the_wait_is_over() -> None:
    reported = refused(tried=1, following=61)
    plan = gate(UNKNOWN, after=2, reported=reported)
    assert (plan.action, plan.requeue_after, plan.status.phase) == (None, 59, BotPhase.WAITING_FOR_USER)
    assert gate(UNKNOWN, after=61, reported=reported).action == ASK
    assert gate(UNKNOWN, after=899, reported=refused(tried=890, following=950)).requeue_after == 1
    assert gate(UNKNOWN, after=900, reported=refused(tried=890, following=950)).action == LAST


@pytest.mark.parametrize(("since", "act"), [(30, ASK), (0.5, None)])
def test_who_came_since_the_last_try_is_tried_for_at_once(since: float, act: IssueTokens | None) -> None:
    came = OnBehalfUser("bob", present=True, since=at(since))
    assert gate(came, after=31, reported=refused(tried=1, following=61)).action == act


def test_tries_of_an_earlier_pod_count_into_the_wait() -> None:
    status = {"waitingSince": at(100).isoformat(), "nextAttemptTime": at(700).isoformat()}
    assert gate(ABSENT, after=999, status=status).requeue_after == 1
    assert gate(ABSENT, after=1000, status=status).action == LAST


@pytest.mark.parametrize("transient", [True, False])
def test_what_is_partly_there_is_delivered_when_the_rest_is_given_up(transient: bool) -> None:
    reported = replace(token_failure(transient=transient), partial=True)
    assert gate(None, after=30, reported=reported).action == IssueTokens(POD, settle=True)
    required = gate(None, after=30, reported=reported, tokenPolicy="Required")
    assert required.action == (ASK if transient else Commit())

"""At the gate of a bot that comes on behalf of somebody: when it is waited, tried, and given up."""

from dataclasses import replace
from typing import Any

import pytest
from meetingbots.bots.decide.facts import BotPlan, Commit, DeliverWithout, IssueTokens, TokenFailure
from meetingbots.bots.decide.next_step import decide
from meetingbots.bots.decide.tokens import OnBehalfUser
from meetingbots.models.bot import BotPhase, BotReason
from meetingbots.models.conditions import Condition, find

from tests.unit.bots.bot_builders import CREATING, POD, WAITS, at, facts, pod, shortfall, staged

ABSENT = OnBehalfUser("bob", present=False, since=at(-60))
UNKNOWN = OnBehalfUser("bob")
ASK = IssueTokens(POD)
LAST = IssueTokens(POD, absent=True, settle=True)


def gate(
    person: OnBehalfUser | None, *, after: float, told: TokenFailure | None = None, status: Any = None, **spec: Any
) -> BotPlan:
    given = staged(tokens=["LocalRecording", "OnBehalf"], status=status or {}, **spec)
    return decide(facts(given, after=after, pod=pod(WAITS), person=person, shortfall=told))


def refused(*, tried: float, following: float) -> TokenFailure:
    told = shortfall(passing=True, first=1, following=following)
    return replace(told, reason=BotReason.USER_NOT_IN_MEETING, tried_at=at(tried))


def ready(plan: BotPlan) -> Condition:
    told = find(plan.status.conditions, "Ready")
    assert told is not None
    return told


def test_somebody_who_is_there_or_of_whom_nothing_is_known_is_not_waited_for() -> None:
    for person in (None, UNKNOWN, OnBehalfUser("bob", present=True, since=at(0))):
        assert gate(person, after=1).act == ASK


def test_somebody_who_is_known_to_be_away_is_waited_for_without_asking_zoom() -> None:
    plan = gate(ABSENT, after=1)
    assert (plan.act, plan.again) == (None, 300)  # it is looked at now and then
    assert plan.status.phase is BotPhase.WAITING_FOR_USER
    assert (ready(plan).status, ready(plan).reason) == ("False", "UserNotInMeeting")
    assert "bob" in ready(plan).message
    assert find(plan.status.conditions, "Reconciling") is not None


def test_waiting_for_a_person_outlasts_the_start_deadline() -> None:
    assert gate(ABSENT, after=899, startDeadlineSeconds=100).act is None
    assert gate(ABSENT, after=51, startDeadlineSeconds=100, onBehalf={"waitSeconds": 50}).act == LAST
    late = decide(facts(staged(startDeadlineSeconds=100), after=101, pod=pod(CREATING), person=ABSENT))
    assert ready(late).reason == "StartDeadlineExceeded"


def test_after_the_wait_it_goes_with_the_other_tokens_or_fails() -> None:
    assert gate(ABSENT, after=900).act == LAST
    plan = gate(ABSENT, after=900, tokenPolicy="Required")
    assert plan.act == Commit()
    assert (plan.status.phase, ready(plan).reason) == (BotPhase.FAILED, "UserNotInMeeting")
    assert gate(ABSENT, after=901, told=shortfall(passing=False)).act == LAST
    without = gate(ABSENT, after=901, told=replace(shortfall(passing=False), settled=True))
    assert without.act == DeliverWithout(POD, BotReason.NOT_THE_HOST, "alice (Host): no.")


def test_while_zoom_is_away_the_last_try_is_made_again_for_token_wait_seconds() -> None:
    told = replace(shortfall(passing=True, first=1, following=903), settled=True)
    waiting = gate(ABSENT, after=901, told=told)
    assert (waiting.act, waiting.again, ready(waiting).reason) == (None, 2, "ZoomUnavailable")
    assert gate(ABSENT, after=903, told=told).act == LAST
    assert isinstance(gate(ABSENT, after=920, told=told).act, DeliverWithout)


def test_zooms_refusal_is_tried_again_with_space_between_and_until_the_wait_is_over() -> None:
    told = refused(tried=1, following=61)
    plan = gate(UNKNOWN, after=2, told=told)
    assert (plan.act, plan.again, plan.status.phase) == (None, 59, BotPhase.WAITING_FOR_USER)
    assert gate(UNKNOWN, after=61, told=told).act == ASK
    assert gate(UNKNOWN, after=899, told=refused(tried=890, following=950)).again == 1
    assert gate(UNKNOWN, after=900, told=refused(tried=890, following=950)).act == LAST


@pytest.mark.parametrize(("since", "act"), [(30, ASK), (0.5, None)])
def test_who_came_since_the_last_try_is_tried_for_at_once(since: float, act: IssueTokens | None) -> None:
    came = OnBehalfUser("bob", present=True, since=at(since))
    assert gate(came, after=31, told=refused(tried=1, following=61)).act == act


def test_tries_of_an_earlier_pod_count_into_the_wait() -> None:
    status = {"waitingSince": at(100).isoformat(), "nextAttemptTime": at(700).isoformat()}
    assert gate(ABSENT, after=999, status=status).again == 1
    assert gate(ABSENT, after=1000, status=status).act == LAST


@pytest.mark.parametrize("passing", [True, False])
def test_what_is_partly_there_is_delivered_when_the_rest_is_given_up(passing: bool) -> None:
    told = replace(shortfall(passing=passing), partial=True)
    assert gate(None, after=30, told=told).act == IssueTokens(POD, settle=True)
    required = gate(None, after=30, told=told, tokenPolicy="Required")
    assert required.act == (ASK if passing else Commit())

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meetingbots.bots.rejoin.rules import (
    BURST,
    SECONDS_EACH,
    NoToken,
    NotYet,
    RejoinAllowance,
    RejoinDenied,
    denial,
    take,
)
from meetingbots.models.bot import MeetingBot

from tests.unit.bots.bot_builders import POD, ended, pod, running, staged


def joined(phase: str = "Running", **spec: object) -> MeetingBot:
    return staged(status={"phase": phase}, tokenEndpoint=True, **spec)


@pytest.mark.parametrize("phase", ["Joining", "Running"])
def test_a_bot_in_its_meeting_may_have_a_token(phase: str) -> None:
    assert denial(joined(phase), pod(running()), has_access=True) is None


@pytest.mark.parametrize("phase", ["Pending", "Scheduled", "WaitingForUser", "Succeeded", "Failed", "Expired"])
def test_a_bot_that_is_not_in_its_meeting_may_not(phase: str) -> None:
    told = denial(joined(phase), pod(running()), has_access=True)
    assert isinstance(told, RejoinDenied)
    assert phase in told.message


def test_a_bot_that_has_just_started_has_to_wait() -> None:
    told = denial(joined("Staging"), pod(running()), has_access=True)
    assert isinstance(told, NotYet)
    assert told.retry_after == 1


def test_only_the_present_pod_with_access_may() -> None:
    earlier = pod(running(), name="standup-abcde-0")
    assert isinstance(denial(joined(), earlier, has_access=True), RejoinDenied)
    assert isinstance(denial(joined(), pod(running(), name=POD), has_access=False), RejoinDenied)
    assert isinstance(denial(joined(), pod(ended(1), phase="Failed"), has_access=True), RejoinDenied)


def test_a_leaving_bot_gets_the_reason() -> None:
    told = denial(joined(suspend=True), pod(running()), has_access=True)
    assert isinstance(told, NoToken)
    assert (told.reason, told.retry_after) == ("Suspended", None)
    told = denial(joined(), pod(running(), deleted_at=5), has_access=True)
    assert isinstance(told, NoToken)
    assert told.reason == "Leaving"


def test_a_burst_and_then_one_each_ten_seconds() -> None:
    allowance = None
    for _ in range(BURST):
        taken = take(allowance, now=100)
        allowance = taken.allowance
        assert taken.wait == 0
    refused = take(allowance, now=104)
    assert refused.wait == pytest.approx(6)
    again = take(refused.allowance, now=110)
    assert again.wait == 0
    assert take(again.allowance, now=110).wait == pytest.approx(10)


def test_retry_after_suffices_and_a_clock_step_back_grants_nothing() -> None:
    empty = RejoinAllowance(left=0, at=50)
    wait = take(empty, now=50).wait
    assert take(empty, now=50 + wait).wait == 0
    assert take(empty, now=40).wait == pytest.approx(SECONDS_EACH)


def test_a_full_allowance_need_not_be_kept() -> None:
    taken = take(None, now=0).allowance
    assert not taken.is_full(now=29)
    assert taken.is_full(now=30)
    empty = RejoinAllowance(left=0, at=0)
    assert empty.is_full(now=30)
    assert take(empty, now=30).allowance.left == BURST - 1


@given(st.lists(st.floats(min_value=0, max_value=30), max_size=60))
def test_never_more_than_the_burst_and_one_each_ten_seconds(pauses: list[float]) -> None:
    allowance, now, granted = None, 0.0, 0
    for pause in pauses:
        now += pause
        taken = take(allowance, now=now)
        allowance, granted = taken.allowance, granted + (taken.wait == 0)
    assert granted <= BURST + now / SECONDS_EACH + 1e-6

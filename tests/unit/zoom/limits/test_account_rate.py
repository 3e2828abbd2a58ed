"""The calls that one Zoom account may make in one category."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meetingbots.zoom.http.calls import Category, RateReport
from meetingbots.zoom.limits.account_rate import (
    AccountAllowance,
    AdaptiveRate,
    Pace,
    RatePlan,
    RoundTrips,
    Window,
    lowest,
    pace,
)


@pytest.mark.parametrize(
    ("plan", "category", "calls"),
    [
        (RatePlan.FREE, Category.LIGHT, 4),
        (RatePlan.PRO, Category.LIGHT, 30),
        (RatePlan.BUSINESS, Category.LIGHT, 80),
        (RatePlan.FREE, Category.MEDIUM, 2),
        (RatePlan.PRO, Category.MEDIUM, 20),
        (RatePlan.BUSINESS, Category.MEDIUM, 60),
        (RatePlan.FREE, Category.HEAVY, 1),
        (RatePlan.PRO, Category.HEAVY, 10),
        (RatePlan.BUSINESS, Category.HEAVY, 40),
    ],
)
def test_what_a_plan_allows_each_second(plan: RatePlan, category: Category, calls: int) -> None:
    assert AccountAllowance(plan=plan).per_second(category) == calls


def test_only_free_accounts_have_a_daily_limit_and_only_on_light_calls() -> None:
    assert AccountAllowance(plan=RatePlan.FREE, share=0.5).per_day(Category.LIGHT) == 3000
    assert AccountAllowance(plan=RatePlan.FREE).per_day(Category.MEDIUM) is None
    assert AccountAllowance(plan=RatePlan.PRO).per_day(Category.LIGHT) is None


@pytest.mark.parametrize(
    ("limit", "share", "expected"),
    [
        (80, 0.5, Pace(40, 1.0)),
        (30, 0.7, Pace(21, 1.0)),
        (4, 0.4, Pace(1, 1.0)),
        (4, 0.1, Pace(1, 2.5)),
        (1, 0.01, Pace(1, 100.0)),
    ],
)
def test_a_share_is_never_exceeded_in_any_second(limit: int, share: float, expected: Pace) -> None:
    found = pace(limit=limit, share=share)
    assert (found.calls, found.seconds) == pytest.approx((expected.calls, expected.seconds))


@given(st.integers(1, 80), st.integers(1, 100))
def test_the_pace_is_within_the_share(limit: int, percent: int) -> None:
    found = pace(limit=limit, share=percent / 100)
    assert found.calls / found.seconds <= limit * percent / 100 + 1e-6
    assert found.seconds == 1.0 or found.calls == 1


def test_the_lowest_plan_and_the_smallest_share_hold_also_of_different_credentials() -> None:
    both = [AccountAllowance(plan=RatePlan.BUSINESS, share=0.2), AccountAllowance(plan=RatePlan.PRO, share=0.9)]
    assert lowest(both) == AccountAllowance(plan=RatePlan.PRO, share=0.2)
    assert lowest([]) is None


def test_a_call_takes_a_place_until_a_second_after_its_answer() -> None:
    window = Window()
    window.begin()
    assert window.used(100.0) == 1
    window.end(100.4, began=100.0, answered=True, seconds=1.0)
    assert window.used(101.39) == 1
    assert window.used(101.41) == 0


def test_a_call_that_was_not_sent_takes_none() -> None:
    window = Window()
    window.begin()
    window.withdraw()
    assert window.used(0.0) == 0


def test_when_there_is_a_place_again() -> None:
    window = Window()
    for _ in range(3):
        window.begin()
    assert window.free_at(0.0, places=4) == 0.0
    assert window.free_at(0.0, places=3) is None
    window.end(0.1, began=0.0, answered=True, seconds=1.0)
    window.end(0.2, began=0.0, answered=True, seconds=1.0)
    assert window.free_at(0.2, places=3) == 1.1
    assert window.free_at(0.2, places=2) == 1.2
    assert window.free_at(0.2, places=1) is None


def used_after(window: Window, now: float, *, trip: float) -> float:
    """How long after its answer a call's place is free again."""
    window.begin()
    window.end(now + trip, began=now, answered=True, seconds=1.0)
    free = window.free_at(now + trip, places=1)
    assert free is not None
    return free - now - trip


def test_the_shortest_round_trip_is_subtracted_once_it_is_known() -> None:
    window = Window()
    assert used_after(window, 0.0, trip=0.2) == pytest.approx(1.0)
    for number in range(31):
        used_after(window, 2.0 + number * 1.3, trip=0.2)
    assert used_after(window, 50.0, trip=0.2) == pytest.approx(1.0 - 0.8 * 0.195)
    assert used_after(window, 60.0, trip=0.001) == pytest.approx(1.0)


def test_a_slow_burst_proves_nothing() -> None:
    window = Window()
    for _ in range(100):
        window.begin()
    for _ in range(100):
        window.end(0.5, began=0.0, answered=True, seconds=1.0)
    assert window.used(1.49) == 100


def test_a_longer_round_trip_counts_after_some_minutes() -> None:
    trips = RoundTrips()
    trips.add(0.0, seconds=0.01)
    for number in range(1, 700):
        trips.add(float(number), seconds=0.105)
        if number == 299:
            assert trips.minimum(299.0) == pytest.approx(0.004)
    assert trips.minimum(700.0) == pytest.approx(0.08)


def test_calls_without_an_answer_do_not_count_as_round_trips() -> None:
    window = Window()
    for number in range(40):
        window.begin()
        window.end(number + 0.9, began=float(number), answered=False, seconds=1.0)
    assert used_after(window, 100.0, trip=0.9) == pytest.approx(1.0)


NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 25, tzinfo=UTC)
BUSINESS = AccountAllowance(plan=RatePlan.BUSINESS, share=0.5)


def learn(state: AdaptiveRate, *, now: float = 0.0, ours: int = 0, utc: datetime = NOON, **says: object) -> None:
    state.learn(RateReport(category=Category.LIGHT, **says), ours=ours, now=now, utc=utc)  # type: ignore[arg-type]


def test_it_begins_with_what_is_granted() -> None:
    assert AdaptiveRate(category=Category.LIGHT).pace(BUSINESS, now=0.0) == Pace(40, 1.0)


def test_a_lower_limit_of_zoom_counts_and_a_higher_one_does_not() -> None:
    state = AdaptiveRate(category=Category.LIGHT)
    learn(state, limit=30)
    assert state.pace(BUSINESS, now=0.0).calls == 15
    learn(state, limit=200)
    assert state.pace(BUSINESS, now=0.0).calls == 40


def test_what_other_apps_have_used_in_this_second_is_left_to_them() -> None:
    state = AdaptiveRate(category=Category.LIGHT)
    learn(state, limit=80, remaining=20, ours=0)
    assert state.pace(BUSINESS, now=0.5).calls == 20
    assert state.pace(BUSINESS, now=1.0).calls == 40
    learn(state, limit=80, remaining=0, ours=80, now=2.0)
    assert state.pace(BUSINESS, now=2.0).calls == 40


def test_a_429_pauses_and_then_goes_on_more_slowly_until_it_has_recovered() -> None:
    state = AdaptiveRate(category=Category.LIGHT)
    for _ in range(5):  # all that were on their way together
        learn(state, limited=True, now=10.0)
    assert state.paused_until == 11.0
    assert state.pace(BUSINESS, now=11.0).calls == 28
    assert state.pace(BUSINESS, now=12.0).calls == 32
    assert state.pace(BUSINESS, now=14.0).calls == 40
    for number in range(100):
        learn(state, limited=True, now=20.0 + number)
    assert state.pace(BUSINESS, now=120.0).calls >= 4


def test_zooms_pause_is_in_seconds_or_a_time() -> None:
    state = AdaptiveRate(category=Category.LIGHT)
    learn(state, limited=True, retry_after=7.0)
    assert state.paused_until == 7.0
    learn(state, limited=True, retry_after=NOON + timedelta(seconds=9), now=1.0)
    assert state.paused_until == 10.0
    learn(state, limited=True, retry_after=NOON - timedelta(seconds=9), now=20.0)
    assert state.paused_until == 20.0


def test_a_daily_limit_holds_until_zooms_time_or_midnight() -> None:
    state = AdaptiveRate(category=Category.LIGHT)
    assert state.spent(BUSINESS, utc=NOON) is None
    learn(state, limited=True, daily=True, retry_after=NOON + timedelta(hours=3))
    assert state.spent(BUSINESS, utc=NOON) == NOON + timedelta(hours=3)
    assert state.spent(BUSINESS, utc=NOON + timedelta(hours=3)) is None
    learn(state, limited=True, daily=True)
    assert state.spent(BUSINESS, utc=NOON) == MIDNIGHT
    assert state.pace(BUSINESS, now=0.0).calls == 40


def test_the_last_call_of_the_day_ends_it() -> None:
    state = AdaptiveRate(category=Category.LIGHT)
    learn(state, daily=True, limit=6000, remaining=1)
    assert state.spent(BUSINESS, utc=NOON) is None
    learn(state, daily=True, limit=6000, remaining=0)
    assert state.spent(BUSINESS, utc=NOON) == MIDNIGHT


def test_a_free_account_has_its_share_of_6000_light_calls_a_day() -> None:
    free, state = AccountAllowance(plan=RatePlan.FREE, share=0.5), AdaptiveRate(category=Category.LIGHT)
    for _ in range(2999):
        state.count(utc=NOON)
    assert state.spent(free, utc=NOON) is None
    state.count(utc=NOON)
    assert state.spent(free, utc=NOON) == MIDNIGHT
    state.uncount()
    assert state.spent(free, utc=NOON) is None
    state.count(utc=NOON)
    assert state.spent(free, utc=MIDNIGHT) is None
    state.count(utc=MIDNIGHT)
    assert state.spent(free, utc=MIDNIGHT) is None
    assert state.spent(AccountAllowance(plan=RatePlan.PRO), utc=NOON) is None

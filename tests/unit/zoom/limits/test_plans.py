"""Plans and shares, as numbers of calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meetingbots.zoom.http.calls import Category
from meetingbots.zoom.limits.plans import Allowance, Pace, Plan, lowest, pace


@pytest.mark.parametrize(
    ("plan", "category", "calls"),
    [
        (Plan.FREE, Category.LIGHT, 4),
        (Plan.PRO, Category.LIGHT, 30),
        (Plan.BUSINESS, Category.LIGHT, 80),
        (Plan.FREE, Category.MEDIUM, 2),
        (Plan.PRO, Category.MEDIUM, 20),
        (Plan.BUSINESS, Category.MEDIUM, 60),
        (Plan.FREE, Category.HEAVY, 1),
        (Plan.PRO, Category.HEAVY, 10),
        (Plan.BUSINESS, Category.HEAVY, 40),
    ],
)
def test_what_a_plan_allows_each_second(plan: Plan, category: Category, calls: int) -> None:
    assert Allowance(plan=plan).per_second(category) == calls


def test_only_free_accounts_have_a_daily_limit_and_only_on_light_calls() -> None:
    assert Allowance(plan=Plan.FREE, share=0.5).per_day(Category.LIGHT) == 3000
    assert Allowance(plan=Plan.FREE).per_day(Category.MEDIUM) is None
    assert Allowance(plan=Plan.PRO).per_day(Category.LIGHT) is None


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
    both = [Allowance(plan=Plan.BUSINESS, share=0.2), Allowance(plan=Plan.PRO, share=0.9)]
    assert lowest(both) == Allowance(plan=Plan.PRO, share=0.2)
    assert lowest([]) is None

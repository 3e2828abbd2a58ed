"""Plans and shares, as numbers of calls."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meetingbots.zoom.http.calls import Category
from meetingbots.zoom.limits.plans import AccountAllowance, Pace, RatePlan, lowest, pace


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

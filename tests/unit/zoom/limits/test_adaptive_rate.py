"""What an account's pace becomes by what Zoom says."""

from datetime import UTC, datetime, timedelta

from meetingbots.zoom.http.calls import Category, RateReport
from meetingbots.zoom.limits.adaptive_rate import AdaptiveRate
from meetingbots.zoom.limits.plans import AccountAllowance, Pace, RatePlan

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 25, tzinfo=UTC)
BUSINESS = AccountAllowance(plan=RatePlan.BUSINESS, share=0.5)


def told(state: AdaptiveRate, *, now: float = 0.0, ours: int = 0, utc: datetime = NOON, **says: object) -> None:
    state.learn(RateReport(category=Category.LIGHT, **says), ours=ours, now=now, utc=utc)  # type: ignore[arg-type]


def test_it_begins_with_what_is_granted() -> None:
    assert AdaptiveRate(category=Category.LIGHT).pace(BUSINESS, now=0.0) == Pace(40, 1.0)


def test_a_lower_limit_of_zoom_counts_and_a_higher_one_does_not() -> None:
    state = AdaptiveRate(category=Category.LIGHT)
    told(state, limit=30)
    assert state.pace(BUSINESS, now=0.0).calls == 15
    told(state, limit=200)
    assert state.pace(BUSINESS, now=0.0).calls == 40


def test_what_other_apps_have_used_in_this_second_is_left_to_them() -> None:
    state = AdaptiveRate(category=Category.LIGHT)
    told(state, limit=80, remaining=20, ours=0)
    assert state.pace(BUSINESS, now=0.5).calls == 20
    assert state.pace(BUSINESS, now=1.0).calls == 40
    told(state, limit=80, remaining=0, ours=80, now=2.0)
    assert state.pace(BUSINESS, now=2.0).calls == 40


def test_a_429_pauses_and_then_goes_on_more_slowly_until_it_has_recovered() -> None:
    state = AdaptiveRate(category=Category.LIGHT)
    for _ in range(5):  # all that were on their way together
        told(state, limited=True, now=10.0)
    assert state.paused_until == 11.0
    assert state.pace(BUSINESS, now=11.0).calls == 28
    assert state.pace(BUSINESS, now=12.0).calls == 32
    assert state.pace(BUSINESS, now=14.0).calls == 40
    for number in range(100):
        told(state, limited=True, now=20.0 + number)
    assert state.pace(BUSINESS, now=120.0).calls >= 4


def test_zooms_pause_is_in_seconds_or_a_time() -> None:
    state = AdaptiveRate(category=Category.LIGHT)
    told(state, limited=True, retry_after=7.0)
    assert state.paused_until == 7.0
    told(state, limited=True, retry_after=NOON + timedelta(seconds=9), now=1.0)
    assert state.paused_until == 10.0
    told(state, limited=True, retry_after=NOON - timedelta(seconds=9), now=20.0)
    assert state.paused_until == 20.0


def test_a_daily_limit_holds_until_zooms_time_or_midnight() -> None:
    state = AdaptiveRate(category=Category.LIGHT)
    assert state.spent(BUSINESS, utc=NOON) is None
    told(state, limited=True, daily=True, retry_after=NOON + timedelta(hours=3))
    assert state.spent(BUSINESS, utc=NOON) == NOON + timedelta(hours=3)
    assert state.spent(BUSINESS, utc=NOON + timedelta(hours=3)) is None
    told(state, limited=True, daily=True)
    assert state.spent(BUSINESS, utc=NOON) == MIDNIGHT
    assert state.pace(BUSINESS, now=0.0).calls == 40


def test_the_last_call_of_the_day_ends_it() -> None:
    state = AdaptiveRate(category=Category.LIGHT)
    told(state, daily=True, limit=6000, remaining=1)
    assert state.spent(BUSINESS, utc=NOON) is None
    told(state, daily=True, limit=6000, remaining=0)
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

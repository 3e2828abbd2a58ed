from dataclasses import replace

import pytest

from tests.unit.zoomsim.simulator_harness import START, SimulatorHarness
from tests.zoomsim.clock import SimClock
from tests.zoomsim.errors import ZoomError
from tests.zoomsim.limits import Category, Limits
from tests.zoomsim.world import Account, App, Plan

RATES: list[tuple[Plan, Category, int]] = [
    ("Free", "light", 4),
    ("Pro", "light", 30),
    ("Business", "light", 80),
    ("Free", "medium", 2),
    ("Pro", "medium", 20),
    ("Business", "medium", 60),
    ("Free", "heavy", 1),
    ("Pro", "heavy", 10),
    ("Business", "heavy", 40),
]


@pytest.mark.parametrize(("plan", "category", "rate"), RATES)
def test_calls_per_second(plan: Plan, category: Category, rate: int) -> None:
    clock = SimClock(start=START, factor=0)
    limits, account = Limits(clock=clock), Account(plan=plan)
    for number in range(rate):
        headers = limits.take(account=account, category=category)
        assert headers["X-RateLimit-Remaining"] == str(rate - number - 1)
    with pytest.raises(ZoomError) as refused:
        limits.take(account=account, category=category)
    assert refused.value.status == 429
    assert refused.value.headers["X-RateLimit-Type"] == "QPS"
    clock.advance(1)
    limits.take(account=account, category=category)


def test_the_window_is_any_second_not_the_calendar_second() -> None:
    clock = SimClock(start=START + 0.9, factor=0)
    limits, account = Limits(clock=clock), Account(plan="Free")
    for _ in range(4):
        limits.take(account=account, category="light")
    clock.advance(0.5)
    with pytest.raises(ZoomError):
        limits.take(account=account, category="light")


def test_free_accounts_have_a_daily_limit_on_light_calls_with_a_time_to_come_back() -> None:
    clock = SimClock(start=START, factor=0)
    limits, free, pro = Limits(clock=clock), Account(plan="Free"), Account(plan="Pro")
    for _ in range(6000):
        clock.advance(1)
        limits.take(account=free, category="light")
        limits.take(account=pro, category="light")
    clock.advance(1)
    with pytest.raises(ZoomError) as refused:
        limits.take(account=free, category="light")
    assert refused.value.headers["X-RateLimit-Type"] == "Daily-limit"
    assert refused.value.headers["Retry-After"] == "2027-01-16T00:00:00Z"
    limits.take(account=free, category="medium")
    limits.take(account=pro, category="light")
    clock.advance(16 * 3600)
    limits.take(account=free, category="light")


async def test_all_apps_of_an_account_share_its_limit(zoom: SimulatorHarness) -> None:
    zoom.sim.world.update_account(zoom.account.id, plan="Free")
    second = zoom.sim.actions.add_app(App(owner_account_id=zoom.account.id))
    tokens = [zoom.consent().access_token, zoom.consent(zoom.bob, second).access_token] * 2
    for token in tokens:
        assert (await zoom.get("/users/me", token)).status_code == 200
    answer = await zoom.get("/users/me", tokens[0])
    assert answer.status_code == 429
    assert answer.json() == {
        "code": 429,
        "message": "You have reached the maximum per-second rate limit for this API. Try again later.",
    }
    assert answer.headers["X-RateLimit-Category"] == "Light"
    other = zoom.sim.actions.add_app(App(owner_account_id=zoom.other_account.id))
    assert (await zoom.get("/users/me", zoom.consent(zoom.mallory, other).access_token)).status_code == 200


async def test_lists_are_medium_calls(zoom: SimulatorHarness) -> None:
    zoom.sim.world.update_account(zoom.account.id, plan="Free")
    token = zoom.consent().access_token
    found = [(await zoom.get("/users/me/meetings", token)).status_code for _ in range(3)]
    assert found == [200, 200, 429]
    assert (await zoom.get("/users/me", token)).status_code == 200
    peak = {name: zoom.sim.recorder.peak(account_id=zoom.account.id, category=name) for name in ("light", "medium")}
    assert peak == {"light": 1, "medium": 3}


async def test_limits_and_their_headers_can_be_switched_off(zoom: SimulatorHarness) -> None:
    zoom.sim.world.update_account(zoom.account.id, plan="Free")
    token = zoom.consent().access_token
    zoom.sim.settings = replace(zoom.sim.settings, limit_headers=False)
    answers = [await zoom.get("/users/me", token) for _ in range(5)]
    assert answers[-1].status_code == 429
    assert not [key for key in answers[-1].headers if key.startswith("x-ratelimit")]
    zoom.sim.settings = replace(zoom.sim.settings, limits=False)
    assert (await zoom.get("/users/me", token)).status_code == 200

"""The endpoint's rate limit: a burst, and then one request per interval, for each caller."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from meetingbots.bots.rejoin.callers import CallerLimit, RateLimiter

LIMIT = CallerLimit(burst=3, seconds_each=10.0)


class Time:
    """Monotonic seconds that the test sets."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_and_then_one_each_ten_seconds() -> None:
    time = Time()
    limiter = RateLimiter(LIMIT, monotonic=time)
    assert [limiter.take("a") for _ in range(3)] == [0, 0, 0]
    time.now += 4
    assert limiter.take("a") == limiter.wait("a") == pytest.approx(6)
    assert limiter.take("b") == 0, "another caller has its own allowance"
    time.now += 6
    assert limiter.take("a") == 0
    assert limiter.take("a") == pytest.approx(10)


def test_retry_after_suffices_and_a_clock_step_back_grants_nothing() -> None:
    time = Time()
    limiter = RateLimiter(LIMIT, monotonic=time)
    for _ in range(3):
        limiter.take("a")
    time.now -= 50
    assert limiter.wait("a") == pytest.approx(10)
    time.now += 50 + limiter.wait("a")
    assert limiter.take("a") == 0


@given(pauses=st.lists(st.floats(0, 40), max_size=30))
def test_never_more_than_the_burst_and_one_each_ten_seconds(pauses: list[float]) -> None:
    time = Time()
    limiter = RateLimiter(LIMIT, monotonic=time)
    granted = 0
    for pause in pauses:
        time.now += pause
        granted += limiter.take("a") == 0
    assert granted <= LIMIT.burst + (time.now - 100) / LIMIT.seconds_each + 1e-6

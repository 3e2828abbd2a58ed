import pytest
from meetingbots.runtime.plan import Backoff


def test_delays_double_up_to_the_cap() -> None:
    backoff = Backoff(first=0.25, cap=30.0)
    assert [backoff.delay(failures) for failures in range(1, 9)] == [0.25, 0.5, 1, 2, 4, 8, 16, 30]


@pytest.mark.parametrize("failures", [-1, 0, 1])
def test_the_first_delay_is_the_shortest(failures: int) -> None:
    assert Backoff(first=5.0, cap=300.0).delay(failures) == 5.0


def test_a_huge_count_stays_at_the_cap() -> None:
    assert Backoff(first=1.0, cap=60.0, factor=10.0).delay(10**6) == 60.0


def test_the_factor_can_differ() -> None:
    assert Backoff(first=1.0, cap=60.0, factor=3.0).delay(3) == 9.0


def test_jitter_spreads_around_the_delay() -> None:
    delays = [Backoff(first=10.0, cap=10.0, jitter=0.1).delay(1) for _ in range(200)]
    assert all(9.0 <= delay <= 11.0 for delay in delays)
    assert max(delays) - min(delays) > 1.0

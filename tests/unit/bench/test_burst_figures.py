import pytest

from tests.bench.burst.figures import per_bot, spread, used_share
from tests.bench.burst.size import Size


def test_spread_is_by_nearest_rank() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (spread(values).p50, spread(values).p99, spread(values).top) == (50, 99, 100)
    one = spread([2.5])
    assert (one.p50, one.p99, one.top) == (2.5, 2.5, 2.5)
    three = spread([3.0, 1.0, 2.0])
    assert (three.p50, three.p99, three.top) == (2, 3, 3)
    with pytest.raises(ValueError, match="nothing was seen"):
        spread([])


def test_a_burst_may_fill_a_second_at_once_and_each_second_after_it() -> None:
    perfect = [float(number // 80) for number in range(1000)]
    assert used_share(perfect, limit=80) == pytest.approx(1.0)
    half = [number / 40 for number in range(800)]
    assert used_share(half, limit=80) == pytest.approx(0.5, abs=0.01)
    paused = [0.0] * 80 + [3.0] * 80
    assert used_share(paused, limit=80) == pytest.approx(1 / 3)
    assert used_share([0.0, 0.5], limit=80) == 1


def test_only_what_grew_counts_for_each_bot() -> None:
    before = {"get pods": 10.0, "list pods": 3.0}
    after = {"get pods": 30.0, "list pods": 3.0, "create pods": 40.0}
    assert per_bot(before, after, bots=20) == {"create pods": 2, "get pods": 1}


def test_the_size_is_the_targets_unless_the_environment_says_so() -> None:
    assert Size.from_environment({}) == Size(bots=1000, credentials=100, runs=1, only="")
    given = {"BENCH_BOTS": "50", "BENCH_CREDENTIALS": "5", "BENCH_RUNS": "3", "BENCH_ONLY": "one"}
    assert Size.from_environment(given) == Size(bots=50, credentials=5, runs=3, only="one")
    for wrong in ({"BENCH_BOTS": "0"}, {"BENCH_ONLY": "both"}, {"BENCH_CREDENTIALS": "x"}):
        with pytest.raises(ValueError, match=r"at least 1|many or one|invalid literal"):
            Size.from_environment(wrong)


def test_bots_are_made_in_time_on_a_slow_machine_too() -> None:
    assert Size(bots=1000).staging_seconds(writing=1.0) == pytest.approx(42)
    assert Size(bots=1000).staging_seconds(writing=10.0) == pytest.approx(92)

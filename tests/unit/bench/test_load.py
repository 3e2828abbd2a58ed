"""What the load bench prints, and how large it is."""

import pytest

from tests.bench.load.lines import Line
from tests.bench.load.size import Size
from tests.bench.scale.size import Size as ScaleSize


def test_a_line_shows_its_ratio_to_the_floor_and_its_target() -> None:
    line = str(Line(name="events", value=70.0, unit="1/s", floor=100.0, target=">= 0.7 of floor"))
    assert " ".join(line.split()) == "events 70.000 1/s (0.70 of floor 100.000) [target >= 0.7 of floor]"
    assert str(Line(name="time", value=1.5, unit="s")).split() == ["time", "1.500", "s"]


def test_the_size_is_that_of_the_targets_unless_the_environment_says_less() -> None:
    assert Size.from_environment({}) == Size(mappings=100_000, credentials=1000)
    assert Size.from_environment({"BENCH_LOAD_MAPPINGS": "10", "BENCH_LOAD_RUNS": ""}) == Size(mappings=10)
    with pytest.raises(ValueError, match="at least 1"):
        Size.from_environment({"BENCH_LOAD_EVENTS": "0"})


def test_the_size_of_the_scale_bench() -> None:
    assert ScaleSize.from_environment({}) == ScaleSize(mappings=100_000, credentials=10_000)
    small = {"BENCH_SCALE_FEW": "10", "BENCH_SCALE_MAPPINGS": "10", "BENCH_SCALE_LIVE": "1"}
    assert ScaleSize.from_environment(small) == ScaleSize(few=10, mappings=10, live=1)
    for wrong in ({"BENCH_SCALE_REST": "0"}, {"BENCH_SCALE_MAPPINGS": "10"}):
        with pytest.raises(ValueError, match="at"):
            ScaleSize.from_environment(wrong)

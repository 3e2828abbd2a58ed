"""The places of the sliding second."""

import pytest
from meetingbots.zoom.limits.sliding_window import RoundTrips, Window


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

"""The places of the sliding second."""

from meetingbots.zoom.rate_window import Window


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


def test_the_time_that_every_call_surely_travels_is_taken_off_once_it_is_known() -> None:
    window = Window()
    for number in range(8):
        window.begin()
        window.end(number + 0.2, began=float(number), answered=True, seconds=1.0)
    window.begin()
    window.end(10.2, began=10.0, answered=True, seconds=1.0)
    assert window.used(11.04) == 1
    assert window.used(11.05) == 0
    for number in range(8):
        window.begin()
        window.end(20 + number + 0.001, began=20.0 + number, answered=True, seconds=1.0)
    window.begin()
    window.end(30.0, began=30.0, answered=True, seconds=1.0)
    assert window.used(30.999) == 1

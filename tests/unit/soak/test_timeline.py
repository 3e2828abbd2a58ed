"""The timeline of a soak run, with a clock of the test."""

from __future__ import annotations

import pytest

from tests.cluster.api import ApiError
from tests.soak.timeline import NotYet, Timeline


class Clock:
    def __init__(self) -> None:
        self.time = 50.0

    def __call__(self) -> float:
        return self.time


def test_steps_run_in_the_order_of_their_times() -> None:
    clock, ran = Clock(), list[str]()
    timeline = Timeline(clock=clock)
    timeline.add(2.0, lambda: ran.append("second"))
    timeline.add(1.0, lambda: ran.append("first"))
    timeline.run_due()
    assert ran == []
    clock.time += 1.5
    timeline.run_due()
    assert ran == ["first"]
    clock.time += 1.0
    timeline.run_due()
    assert (ran, timeline.left) == (["first", "second"], 0)


@pytest.mark.parametrize(
    "error",
    [
        NotYet(),
        ConnectionRefusedError(),
        *(ApiError(status=status, reason="", message="") for status in (401, 429, 503)),
    ],
    ids=repr,
)
def test_a_step_that_cannot_run_yet_is_tried_again(error: Exception) -> None:
    clock, errors = Clock(), [error]
    timeline = Timeline(clock=clock)

    def step() -> None:
        if errors:
            raise errors.pop()

    timeline.add(0.0, step)
    timeline.run_due()
    assert timeline.left == 1
    clock.time += 1.0
    timeline.run_due()
    assert timeline.left == 0


def test_a_refusal_is_an_error() -> None:
    timeline = Timeline(clock=Clock())

    def refused() -> None:
        raise ApiError(status=422, reason="Invalid", message="no such field")

    timeline.add(0.0, refused)
    with pytest.raises(ApiError):
        timeline.run_due()

"""The disorder of events, and what the recorder knows of refresh tokens."""

import random

from tests.zoomsim.disorder import Disorder


def delays(seed: int) -> list[tuple[float, ...]]:
    disorder = Disorder(chance=random.Random(seed))
    return [disorder.delays(1) for _ in range(200)]


def test_a_seed_draws_the_same_disorder_again() -> None:
    assert delays(1) == delays(1)
    assert delays(1) != delays(2)


def test_some_events_are_doubled_and_some_late() -> None:
    drawn = delays(1)
    assert {len(one) for one in drawn} == {1, 2}
    late = [delay for one in drawn for delay in one if delay]
    assert late
    assert max(late) <= 3.0

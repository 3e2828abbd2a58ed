import asyncio

import pytest

from tests.zoomsim.clock import SimClock, iso


class Hand:
    """A monotonic clock that is turned by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_runs_at_real_speed_times_the_factor() -> None:
    hand = Hand()
    clock = SimClock(start=1000, factor=60, monotonic=hand)
    hand.at += 2
    assert clock.now() == 1120


def test_changing_the_factor_keeps_the_time_that_has_passed() -> None:
    hand = Hand()
    clock = SimClock(start=1000, factor=10, monotonic=hand)
    hand.at += 1
    clock.set_factor(2)
    hand.at += 1
    assert clock.now() == 1012


def test_advance_and_skew() -> None:
    clock = SimClock(start=1000, factor=0)
    clock.advance(5)
    clock.set_skew(-600)
    assert (clock.now(), clock.shown()) == (1005, 405)


@pytest.mark.parametrize("wrong", [lambda: SimClock(factor=-1), lambda: SimClock().set_factor(-1)])
def test_time_does_not_run_backwards(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(ValueError, match="negative"):
        wrong()
    with pytest.raises(ValueError, match="forward"):
        SimClock().advance(-1)


async def test_sleepers_wake_by_advance_and_not_before() -> None:
    clock = SimClock(start=1000, factor=0)
    sleeper = asyncio.create_task(clock.sleep(300))
    await asyncio.sleep(0)
    clock.advance(299)
    done, _ = await asyncio.wait([sleeper], timeout=0.05)
    assert not done
    clock.advance(1)
    await asyncio.wait_for(sleeper, 5)


async def test_sleepers_follow_a_faster_clock() -> None:
    clock = SimClock(factor=1)
    sleeper = asyncio.create_task(clock.sleep(3600))
    await asyncio.sleep(0)
    clock.set_factor(1_000_000)
    await asyncio.wait_for(sleeper, 5)


async def test_advance_from_another_thread_wakes() -> None:
    clock = SimClock(start=0, factor=0)
    sleeper = asyncio.create_task(clock.sleep(60))
    await asyncio.sleep(0)
    await asyncio.to_thread(clock.advance, 60)
    await asyncio.wait_for(sleeper, 5)


def test_iso() -> None:
    assert iso(1_800_000_000.9) == "2027-01-15T08:00:00Z"

"""A soak run's plan: the seed alone decides it, and every kind comes up."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from tests.soak.plan import BEGIN_SHARE, FaultKind, Plan, draw
from tests.soak.stories import STORIES

NAMES = tuple(STORIES)


def plan(seed: int, minutes: float = 1.0) -> Plan:
    return draw(seed=seed, minutes=minutes, stories=NAMES, tenants=2)


def test_a_seed_draws_the_same_again() -> None:
    assert plan(7) == plan(7)
    assert plan(7).faults != plan(8).faults
    assert plan(7).bots != plan(8).bots


@pytest.mark.parametrize("seed", range(5))
def test_two_minutes_have_every_fault_and_every_story(seed: int) -> None:
    drawn = plan(seed, minutes=2)
    assert {fault.kind for fault in drawn.faults} == set(get_args(FaultKind))
    assert {bot.story for bot in drawn.bots} == set(NAMES)


@pytest.mark.parametrize("seed", range(5))
def test_nothing_begins_in_the_last_part(seed: int) -> None:
    drawn = plan(seed)
    begun = [fault.at for fault in drawn.faults] + [bot.at for bot in drawn.bots]
    assert max(begun) <= BEGIN_SHARE * drawn.seconds


def test_the_events_of_a_meeting_are_apart() -> None:
    for meeting in plan(3, minutes=10).meetings:
        times = [meeting.at, *(at for at, _ in meeting.acts)]
        assert all(after - before >= 3.0 for before, after in itertools.pairwise(times))

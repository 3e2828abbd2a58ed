from __future__ import annotations

import pytest
from meetingbots.process.lease import (
    RENEW_SECONDS,
    CreateLease,
    LeaderRole,
    Lease,
    LeaseAction,
    LeaseFacts,
    RenewLease,
    Sighting,
    TakeLease,
    decide,
    sighting,
)
from meetingbots.runtime.plan import Plan


def lease(holder: str, version: str = "1") -> Lease:
    return Lease(holder=holder, resource_version=version)


def seen(holder: str, *, unchanged: float) -> Sighting:
    return Sighting(lease=lease(holder), at=0.0, unchanged=unchanged)


@pytest.mark.parametrize(
    ("sight", "leading", "action"),
    [
        pytest.param(None, False, CreateLease(), id="no Lease"),
        pytest.param(None, True, CreateLease(), id="deleted while this process leads"),
        pytest.param(seen("me", unchanged=0), True, RenewLease(lease("me")), id="held"),
        pytest.param(seen("me", unchanged=99), False, RenewLease(lease("me")), id="held, the response was lost"),
        pytest.param(seen("", unchanged=0), False, TakeLease(lease("")), id="released"),
        pytest.param(seen("", unchanged=0), True, TakeLease(lease("")), id="emptied while this process leads"),
        pytest.param(seen("you", unchanged=10), False, TakeLease(lease("you")), id="expired"),
    ],
)
def test_a_free_or_own_lease_makes_a_leader(sight: Sighting | None, leading: bool, action: LeaseAction) -> None:
    plan = decide(LeaseFacts(seen=sight, identity="me", leading=leading))
    assert plan == Plan(status=LeaderRole.LEADER, action=action, requeue_after=RENEW_SECONDS)


@pytest.mark.parametrize(("unchanged", "requeue_after"), [(0.0, RENEW_SECONDS), (9.5, 0.5)])
def test_a_standby_waits_for_the_lease_of_another_process(unchanged: float, requeue_after: float) -> None:
    plan = decide(LeaseFacts(seen=seen("you", unchanged=unchanged), identity="me", leading=False))
    assert plan == Plan(status=LeaderRole.STANDBY, requeue_after=requeue_after)


def test_a_leader_that_finds_another_holder_is_deposed() -> None:
    plan = decide(LeaseFacts(seen=seen("you", unchanged=99), identity="me", leading=True))
    assert plan == Plan(status=LeaderRole.DEPOSED)


def test_only_watched_time_expires_a_lease() -> None:
    sight = sighting(lease=lease("you"), before=None, now=100.0)
    sight = sighting(lease=lease("you"), before=sight, now=102.0)
    assert sight.unchanged == 2.0
    # The API server was away for a minute, or this process was stopped: the holder may be alive.
    sight = sighting(lease=lease("you"), before=sight, now=162.0)
    assert sight.unchanged == 2.0 + 2 * RENEW_SECONDS
    assert decide(LeaseFacts(seen=sight, identity="me", leading=False)).status is LeaderRole.STANDBY
    sight = sighting(lease=lease("you", "2"), before=sight, now=163.0)
    assert sight.unchanged == 0.0

"""The decision about the Lease (coordination.k8s.io/v1) that makes one operator process the leader.

Each process measures with its own monotonic clock for how long it has watched the Lease stay unchanged, as client-go's
leader election does; clocks may differ. A holder is dead after `LEASE_SECONDS` without a renewal. Time without an
answer from the API server, or while this process was stopped, does not count.

A leader loses the Lease only to another holder. Without the API server it goes on, because it may hold a token in
memory that is still to be stored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeAlias

from meetingbots.runtime.plan import Plan

LEASE_SECONDS: Final = 10.0
RENEW_SECONDS: Final = 2.0
_LONGEST_GAP_SECONDS: Final = 2 * RENEW_SECONDS


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The Lease as read. `holder` is empty after a release; `resource_version` changes with every renewal."""

    holder: str
    resource_version: str
    transitions: int = 0


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """The Lease as read `at` a monotonic time, unchanged for so many seconds of watching.

    `renewed` says whether this process has seen its holder write it.
    """

    lease: Lease
    at: float
    unchanged: float = 0.0
    renewed: bool = False

    @property
    def has_live_holder(self) -> bool:
        """Whether the holder works: a Lease that was only read can be left over from an earlier installation."""
        return self.renewed and bool(self.lease.holder) and self.unchanged < LEASE_SECONDS


@dataclass(frozen=True, kw_only=True)
class LeaseFacts:
    """`seen` is None when there is no Lease; `leading` says whether this process has led so far."""

    seen: Sighting | None
    identity: str
    leading: bool


class LeaderRole(StrEnum):
    """The part of this process once the plan's action has succeeded."""

    STANDBY = "standby"
    LEADER = "leader"
    DEPOSED = "deposed"


@dataclass(frozen=True)
class CreateLease:
    """Create the Lease, held by this process."""


@dataclass(frozen=True)
class TakeLease:
    """Become the holder of a released or expired Lease."""

    lease: Lease


@dataclass(frozen=True)
class RenewLease:
    """Renew the Lease that this process holds."""

    lease: Lease


LeaseAction: TypeAlias = CreateLease | TakeLease | RenewLease
LeasePlan: TypeAlias = Plan[LeaderRole, LeaseAction]


def sighting(*, lease: Lease, before: Sighting | None, now: float) -> Sighting:
    """The sighting after a read at `now`. A gap between two reads counts for at most two renewal periods."""
    if before is None:
        return Sighting(lease=lease, at=now)
    if before.lease.resource_version != lease.resource_version:
        return Sighting(lease=lease, at=now, renewed=True)
    watched = min(now - before.at, _LONGEST_GAP_SECONDS)
    return replace(before, at=now, unchanged=before.unchanged + watched)


def decide(facts: LeaseFacts) -> LeasePlan:
    """The plan right after the Lease was read."""
    if facts.seen is None:
        return _lead(CreateLease())
    lease = facts.seen.lease
    if lease.holder == facts.identity:
        return _lead(RenewLease(lease))
    if not lease.holder:
        return _lead(TakeLease(lease))
    if facts.leading:
        return Plan(status=LeaderRole.DEPOSED)
    left = LEASE_SECONDS - facts.seen.unchanged
    if left <= 0:
        return _lead(TakeLease(lease))
    return Plan(status=LeaderRole.STANDBY, requeue_after=min(RENEW_SECONDS, left))


def _lead(action: LeaseAction) -> LeasePlan:
    return Plan(status=LeaderRole.LEADER, action=action, requeue_after=RENEW_SECONDS)

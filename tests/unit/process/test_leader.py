from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from meetingbots.kube.client import Object
from meetingbots.kube.errors import ForbiddenError, UnavailableError
from meetingbots.kube.resources import LEASES
from meetingbots.process.leader import (
    LEASE_SECONDS,
    RENEW_SECONDS,
    Decision,
    LeaderElection,
    Lease,
    Sighting,
    Step,
    decide,
    sighting,
)

from tests.unit import virtual_time as told_time
from tests.unit.fake_kube import Call, FakeKube

NAME = "meetingbots-operator"
START = datetime(2030, 1, 1, tzinfo=UTC)


class Time:
    """Monotonic seconds and wall time that pass only when told."""

    def __init__(self, *, wall_ahead: float = 0.0) -> None:
        self.now = 1000.0
        self._ahead = wall_ahead

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> datetime:
        return START + timedelta(seconds=self.now + self._ahead)

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def kube() -> FakeKube:
    return FakeKube()


def election(kube: FakeKube, time: Time, identity: str) -> LeaderElection:
    return LeaderElection(
        kube=kube,
        namespace="system",
        name=NAME,
        identity=identity,
        clock=time.wall,
        monotonic=time.monotonic,
        sleep=time.sleep,
    )


def spec(kube: FakeKube) -> Object:
    lease = kube.peek(LEASES, namespace="system", name=NAME)
    assert lease is not None
    found: Object = lease["spec"]
    return found


def holder(kube: FakeKube) -> str:
    name: str = spec(kube)["holderIdentity"]
    return name


async def until_leading(one: LeaderElection, time: Time, *, limit: float) -> float:
    """Seconds until it leads."""
    start = time.now
    while not one.leading.is_set():
        after = await one.look()
        assert after is not None
        await time.sleep(after)
        assert time.now - start <= limit, "it does not take over"
    return time.now - start


def lease(name: str, version: str = "1") -> Lease:
    return Lease(holder=name, resource_version=version)


def seen(name: str, *, unchanged: float) -> Sighting:
    return Sighting(lease=lease(name), at=0.0, unchanged=unchanged)


@pytest.mark.parametrize(
    ("sight", "leading", "expected"),
    [
        pytest.param(None, False, Decision(step=Step.CREATE), id="no Lease: make it"),
        pytest.param(None, True, Decision(step=Step.CREATE), id="deleted under the leader: make it again"),
        pytest.param(seen("me", unchanged=0), True, Decision(step=Step.RENEW), id="ours"),
        pytest.param(seen("me", unchanged=99), False, Decision(step=Step.RENEW), id="ours, answer to the create lost"),
        pytest.param(seen("", unchanged=0), False, Decision(step=Step.TAKE), id="released"),
        pytest.param(seen("", unchanged=0), True, Decision(step=Step.TAKE), id="emptied under the leader"),
        pytest.param(seen("you", unchanged=0), False, Decision(step=Step.WAIT), id="another's, just renewed"),
        pytest.param(seen("you", unchanged=9.5), False, Decision(step=Step.WAIT, after=0.5), id="about to run out"),
        pytest.param(seen("you", unchanged=10), False, Decision(step=Step.TAKE), id="ran out"),
        pytest.param(seen("you", unchanged=99), True, Decision(step=Step.STOP), id="lost"),
    ],
)
def test_the_step_follows_from_what_was_seen(sight: Sighting | None, leading: bool, expected: Decision) -> None:
    assert decide(seen=sight, identity="me", leading=leading) == expected


def test_only_watching_makes_a_holder_dead() -> None:
    sight = sighting(lease=lease("you"), before=None, now=100.0)
    sight = sighting(lease=lease("you"), before=sight, now=102.0)
    assert sight.unchanged == 2.0
    # The API server was away for a minute, or this process was stopped: the holder may well be alive.
    sight = sighting(lease=lease("you"), before=sight, now=162.0)
    assert sight.unchanged == 2.0 + 2 * RENEW_SECONDS
    assert decide(seen=sight, identity="me", leading=False).step is Step.WAIT
    sight = sighting(lease=lease("you", "2"), before=sight, now=163.0)
    assert sight.unchanged == 0.0


async def test_the_first_one_leads_and_writes_a_lease_that_others_can_read(kube: FakeKube, time: Time) -> None:
    one = election(kube, time, "a")
    assert not one.answered.is_set()
    assert await one.look() == RENEW_SECONDS
    assert one.leading.is_set()
    assert one.answered.is_set()
    assert spec(kube) == {
        "holderIdentity": "a",
        "leaseDurationSeconds": 10,
        "acquireTime": "2030-01-01T00:16:40.000000Z",
        "renewTime": "2030-01-01T00:16:40.000000Z",
        "leaseTransitions": 0,
    }
    await time.sleep(2.5)
    await one.look()
    assert spec(kube)["renewTime"] == "2030-01-01T00:16:42.500000Z"
    assert spec(kube)["acquireTime"] == "2030-01-01T00:16:40.000000Z"


async def test_the_standby_waits_while_the_leader_renews(kube: FakeKube, time: Time) -> None:
    one, two = election(kube, time, "a"), election(kube, time, "b")
    for _ in range(100):
        assert await one.look() == RENEW_SECONDS
        assert await two.look() == RENEW_SECONDS
        await time.sleep(RENEW_SECONDS)
    assert not two.leading.is_set()
    assert two.answered.is_set()
    assert kube.count("patch", LEASES) == 99


@pytest.mark.parametrize("wall_ahead", [0.0, 3600.0, -3600.0])
async def test_the_standby_takes_over_within_its_time_when_the_leader_dies(kube: FakeKube, wall_ahead: float) -> None:
    """Clocks that differ by an hour change nothing."""
    time, other = Time(), Time(wall_ahead=wall_ahead)
    one, two = election(kube, other, "a"), election(kube, time, "b")
    await one.look()
    await two.look()
    other.now = time.now + 1.9  # just before two looks again, the leader renews for the last time
    await one.look()
    await time.sleep(1.9)
    took = await until_leading(two, time, limit=14.5)
    assert took >= LEASE_SECONDS
    assert holder(kube) == "b"
    assert spec(kube)["leaseTransitions"] == 1
    # The dead one was only slow: it sees that somebody else leads, and ends.
    assert await one.look() is None


async def test_a_released_lease_is_taken_at_the_next_look(kube: FakeKube, time: Time) -> None:
    one, two = election(kube, time, "a"), election(kube, time, "b")
    await one.look()
    await two.look()
    await one.release()
    assert holder(kube) == ""
    assert await until_leading(two, time, limit=RENEW_SECONDS) <= RENEW_SECONDS
    assert holder(kube) == "b"
    assert spec(kube)["leaseDurationSeconds"] == 10


async def test_a_standby_releases_nothing(kube: FakeKube, time: Time) -> None:
    one, two = election(kube, time, "a"), election(kube, time, "b")
    await one.look()
    await two.look()
    await two.release()
    assert holder(kube) == "a"


async def test_who_lost_the_lease_does_not_release_the_others(kube: FakeKube, time: Time) -> None:
    one = election(kube, time, "a")
    await one.look()
    await kube.patch(LEASES, namespace="system", name=NAME, patch={"spec": {"holderIdentity": "b"}})
    await one.release()
    assert holder(kube) == "b"


async def test_run_returns_once_the_lease_is_lost(kube: FakeKube, time: Time) -> None:
    one = election(kube, time, "a")
    running = asyncio.create_task(one.run())
    await one.leading.wait()
    await kube.patch(LEASES, namespace="system", name=NAME, patch={"spec": {"holderIdentity": "b"}})
    await asyncio.wait_for(running, timeout=5)
    assert holder(kube) == "b"


async def test_two_that_take_at_once_do_not_both_lead(kube: FakeKube, time: Time) -> None:
    """Both have read the same; the second write is refused by its resourceVersion."""
    kube.put(LEASES, {"metadata": {"name": NAME, "namespace": "system"}, "spec": {"holderIdentity": ""}})
    one, two = election(kube, time, "a"), election(kube, time, "b")
    raced = False

    async def race(call: Call) -> None:
        nonlocal raced
        if call.verb == "patch" and call.moment == "before" and not raced:
            raced = True
            await two.look()

    kube.hook = race
    again = await one.look()
    assert raced
    assert two.leading.is_set()
    assert not one.leading.is_set()
    assert again is not None
    assert again < RENEW_SECONDS
    await one.look()
    assert (holder(kube), one.leading.is_set()) == ("b", False)


async def test_two_that_create_at_once_do_not_both_lead(kube: FakeKube, time: Time) -> None:
    one, two = election(kube, time, "a"), election(kube, time, "b")
    raced = False

    async def race(call: Call) -> None:
        nonlocal raced
        if call.verb == "create" and call.moment == "before" and not raced:
            raced = True
            await two.look()

    kube.hook = race
    await one.look()
    assert (one.leading.is_set(), two.leading.is_set()) == (False, True)
    assert holder(kube) == "b"


async def test_an_api_server_that_is_away_costs_nobody_the_lease(kube: FakeKube, time: Time) -> None:
    one, two = election(kube, time, "a"), election(kube, time, "b")
    await one.look()
    await two.look()

    async def away(_: Call) -> None:
        raise UnavailableError("API server unreachable")

    kube.hook = away
    for _ in range(30):
        assert await one.look() == RENEW_SECONDS
        assert await two.look() == RENEW_SECONDS
        await time.sleep(RENEW_SECONDS)

    async def back(_: Call) -> None: ...

    kube.hook = back
    await two.look()  # even when the standby is the first to be heard again
    await one.look()
    await time.sleep(RENEW_SECONDS)
    await two.look()
    assert (one.leading.is_set(), two.leading.is_set()) == (True, False)
    assert holder(kube) == "a"


async def test_a_renewal_whose_answer_was_lost_is_no_loss(kube: FakeKube, time: Time) -> None:
    one = election(kube, time, "a")

    async def lose_answers(call: Call) -> None:
        if call.moment == "after" and call.verb in ("create", "patch"):
            raise UnavailableError("connection reset")

    kube.hook = lose_answers
    await one.look()
    assert not one.leading.is_set()  # it does not know
    await one.look()

    async def well(_: Call) -> None: ...

    kube.hook = well
    assert await one.look() == RENEW_SECONDS
    assert one.leading.is_set()
    assert spec(kube)["leaseTransitions"] == 0


async def test_a_deleted_lease_is_made_anew_by_its_leader(kube: FakeKube, time: Time) -> None:
    one = election(kube, time, "a")
    await one.look()
    kube.remove(LEASES, namespace="system", name=NAME)
    assert await one.look() == RENEW_SECONDS
    assert holder(kube) == "a"


async def test_missing_rights_are_told_and_nobody_is_ready(
    kube: FakeKube, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    async def forbid(_: Call) -> None:
        raise ForbiddenError("leases is forbidden", status=403)

    kube.hook = forbid
    one = election(kube, time, "a")
    assert await one.look() == RENEW_SECONDS
    assert "system/meetingbots-operator cannot be had: leases is forbidden" in caplog.text
    assert not one.answered.is_set()


async def test_a_release_that_fails_is_told_and_does_not_hold_up_the_end(
    kube: FakeKube, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    one = election(kube, time, "a")
    await one.look()

    async def away(_: Call) -> None:
        raise UnavailableError("API server unreachable")

    kube.hook = away
    await one.release()
    assert "could not be released" in caplog.text


def test_a_server_that_never_answers_does_not_stop_the_looking(kube: FakeKube, time: Time) -> None:
    async def hang(_: Call) -> None:
        await asyncio.sleep(3600)

    async def main() -> float:
        one = election(kube, time, "a")
        start = asyncio.get_running_loop().time()
        kube.hook = hang
        assert await one.look() == RENEW_SECONDS
        return asyncio.get_running_loop().time() - start

    assert told_time.run(main()) < LEASE_SECONDS / 2

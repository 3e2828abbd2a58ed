from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from meetingbots.kube.client import Object
from meetingbots.kube.errors import ForbiddenError, UnavailableError
from meetingbots.kube.resources import LEASES
from meetingbots.process.leader import LeaderElection
from meetingbots.process.lease import LEASE_SECONDS, RENEW_SECONDS

from tests.unit import virtual_time
from tests.unit.fake_kube import Call, FakeKube

NAME = "meetingbots-operator"
START = datetime(2030, 1, 1, tzinfo=UTC)


class Time:
    """Monotonic and wall time that pass only in `sleep`."""

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
        after = await one.reconcile()
        assert after is not None
        await time.sleep(after)
        assert time.now - start <= limit, "it does not take over"
    return time.now - start


async def test_the_first_process_leads_and_writes_a_complete_lease(kube: FakeKube, time: Time) -> None:
    one = election(kube, time, "a")
    assert await one.reconcile() == RENEW_SECONDS
    assert one.leading.is_set()
    assert not one.stands_by
    assert spec(kube) == {
        "holderIdentity": "a",
        "leaseDurationSeconds": 10,
        "acquireTime": "2030-01-01T00:16:40.000000Z",
        "renewTime": "2030-01-01T00:16:40.000000Z",
        "leaseTransitions": 0,
    }
    await time.sleep(2.5)
    await one.reconcile()
    assert spec(kube)["renewTime"] == "2030-01-01T00:16:42.500000Z"
    assert spec(kube)["acquireTime"] == "2030-01-01T00:16:40.000000Z"


async def test_the_standby_waits_while_the_leader_renews(kube: FakeKube, time: Time) -> None:
    one, two = election(kube, time, "a"), election(kube, time, "b")
    for _ in range(100):
        assert await one.reconcile() == RENEW_SECONDS
        assert await two.reconcile() == RENEW_SECONDS
        await time.sleep(RENEW_SECONDS)
    assert not two.leading.is_set()
    assert two.stands_by
    assert kube.count("patch", LEASES) == 99


@pytest.mark.parametrize("wall_ahead", [0.0, 3600.0, -3600.0])
async def test_the_standby_takes_over_in_time_when_the_leader_dies(kube: FakeKube, wall_ahead: float) -> None:
    """Clocks that differ by an hour change nothing."""
    time, other = Time(), Time(wall_ahead=wall_ahead)
    one, two = election(kube, other, "a"), election(kube, time, "b")
    await one.reconcile()
    await two.reconcile()
    other.now = time.now + 1.9  # the leader renews for the last time just before two reads again
    await one.reconcile()
    await time.sleep(1.9)
    took = await until_leading(two, time, limit=14.5)
    assert took >= LEASE_SECONDS
    assert holder(kube) == "b"
    assert spec(kube)["leaseTransitions"] == 1
    # The first process was only slow: it finds the new holder and ends.
    assert await one.reconcile() is None


async def test_a_released_lease_is_taken_at_the_next_read(kube: FakeKube, time: Time) -> None:
    one, two = election(kube, time, "a"), election(kube, time, "b")
    await one.reconcile()
    await two.reconcile()
    await one.release()
    assert holder(kube) == ""
    assert await until_leading(two, time, limit=RENEW_SECONDS) <= RENEW_SECONDS
    assert holder(kube) == "b"
    assert spec(kube)["leaseDurationSeconds"] == 10


async def test_a_standby_releases_nothing(kube: FakeKube, time: Time) -> None:
    one, two = election(kube, time, "a"), election(kube, time, "b")
    await one.reconcile()
    await two.reconcile()
    await two.release()
    assert holder(kube) == "a"


async def test_a_deposed_leader_does_not_release_the_lease_of_its_successor(kube: FakeKube, time: Time) -> None:
    one = election(kube, time, "a")
    await one.reconcile()
    await kube.patch(LEASES, namespace="system", name=NAME, patch={"spec": {"holderIdentity": "b"}})
    await one.release()
    assert holder(kube) == "b"


async def test_run_returns_when_the_lease_is_lost(kube: FakeKube, time: Time) -> None:
    one = election(kube, time, "a")
    running = asyncio.create_task(one.run())
    await one.leading.wait()
    await kube.patch(LEASES, namespace="system", name=NAME, patch={"spec": {"holderIdentity": "b"}})
    await asyncio.wait_for(running, timeout=5)
    assert holder(kube) == "b"


async def test_of_two_processes_that_take_the_lease_at_once_one_leads(kube: FakeKube, time: Time) -> None:
    """Both read the same version; the API server rejects the second write by its resourceVersion."""
    kube.put(LEASES, {"metadata": {"name": NAME, "namespace": "system"}, "spec": {"holderIdentity": ""}})
    one, two = election(kube, time, "a"), election(kube, time, "b")
    raced = False

    async def race(call: Call) -> None:
        nonlocal raced
        if call.verb == "patch" and call.moment == "before" and not raced:
            raced = True
            await two.reconcile()

    kube.hook = race
    again = await one.reconcile()
    assert raced
    assert two.leading.is_set()
    assert not one.leading.is_set()
    assert again is not None
    assert again < RENEW_SECONDS
    await one.reconcile()
    assert (holder(kube), one.leading.is_set()) == ("b", False)


async def test_of_two_processes_that_create_the_lease_at_once_one_leads(kube: FakeKube, time: Time) -> None:
    one, two = election(kube, time, "a"), election(kube, time, "b")
    raced = False

    async def race(call: Call) -> None:
        nonlocal raced
        if call.verb == "create" and call.moment == "before" and not raced:
            raced = True
            await two.reconcile()

    kube.hook = race
    await one.reconcile()
    assert (one.leading.is_set(), two.leading.is_set()) == (False, True)
    assert holder(kube) == "b"


async def test_an_outage_of_the_api_server_changes_no_leader(kube: FakeKube, time: Time) -> None:
    one, two = election(kube, time, "a"), election(kube, time, "b")
    await one.reconcile()
    await two.reconcile()

    async def away(_: Call) -> None:
        raise UnavailableError("API server unreachable")

    kube.hook = away
    for _ in range(30):
        assert await one.reconcile() == RENEW_SECONDS
        assert await two.reconcile() == RENEW_SECONDS
        await time.sleep(RENEW_SECONDS)

    async def back(_: Call) -> None: ...

    kube.hook = back
    await two.reconcile()  # even when the standby reads first
    await one.reconcile()
    await time.sleep(RENEW_SECONDS)
    await two.reconcile()
    assert (one.leading.is_set(), two.leading.is_set()) == (True, False)
    assert holder(kube) == "a"


async def test_a_renewal_with_a_lost_response_keeps_the_lease(kube: FakeKube, time: Time) -> None:
    one = election(kube, time, "a")

    async def lose_answers(call: Call) -> None:
        if call.moment == "after" and call.verb in ("create", "patch"):
            raise UnavailableError("connection reset")

    kube.hook = lose_answers
    await one.reconcile()
    assert not one.leading.is_set()  # it does not know
    await one.reconcile()

    async def well(_: Call) -> None: ...

    kube.hook = well
    assert await one.reconcile() == RENEW_SECONDS
    assert one.leading.is_set()
    assert spec(kube)["leaseTransitions"] == 0


async def test_the_leader_creates_a_deleted_lease_again(kube: FakeKube, time: Time) -> None:
    one = election(kube, time, "a")
    await one.reconcile()
    kube.remove(LEASES, namespace="system", name=NAME)
    assert await one.reconcile() == RENEW_SECONDS
    assert holder(kube) == "a"


async def test_missing_rights_are_logged_and_nobody_is_ready(
    kube: FakeKube, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    async def forbid(_: Call) -> None:
        raise ForbiddenError("leases is forbidden", status=403)

    kube.hook = forbid
    one = election(kube, time, "a")
    assert await one.reconcile() == RENEW_SECONDS
    assert "cannot read or write the Lease system/meetingbots-operator: leases is forbidden" in caplog.text
    assert not one.stands_by


async def test_a_failed_release_is_logged_and_does_not_delay_the_shutdown(
    kube: FakeKube, time: Time, caplog: pytest.LogCaptureFixture
) -> None:
    one = election(kube, time, "a")
    await one.reconcile()

    async def away(_: Call) -> None:
        raise UnavailableError("API server unreachable")

    kube.hook = away
    await one.release()
    assert "cannot release the Lease" in caplog.text


def test_a_server_that_never_answers_does_not_stop_the_election(kube: FakeKube, time: Time) -> None:
    async def hang(_: Call) -> None:
        await asyncio.sleep(3600)

    async def main() -> float:
        one = election(kube, time, "a")
        start = asyncio.get_running_loop().time()
        kube.hook = hang
        assert await one.reconcile() == RENEW_SECONDS
        return asyncio.get_running_loop().time() - start

    assert virtual_time.run(main()) < LEASE_SECONDS / 2


async def test_a_standby_is_not_ready_behind_a_lease_that_nobody_renews(kube: FakeKube, time: Time) -> None:
    """As after a new installation beside the Lease of an earlier one."""
    dead, new = election(kube, time, "dead"), election(kube, time, "new")
    await dead.reconcile()
    while not new.leading.is_set():
        after = await new.reconcile()
        assert not new.stands_by
        await time.sleep(after or 0.0)


async def test_a_standby_is_ready_once_the_leader_has_renewed_and_no_longer_than_it_lives(
    kube: FakeKube, time: Time
) -> None:
    leader, standby = election(kube, time, "a"), election(kube, time, "b")
    await leader.reconcile()
    await standby.reconcile()
    assert not standby.stands_by
    await time.sleep(RENEW_SECONDS)
    await leader.reconcile()
    await standby.reconcile()
    assert standby.stands_by
    await leader.release()
    await time.sleep(RENEW_SECONDS)
    await standby.reconcile()
    assert not standby.stands_by
    assert standby.leading.is_set()

"""Receivers that go while Zoom's events stream in: deleted in order, and killed. Nothing is lost."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tests.cluster.api import core_path, wait_until
from tests.e2e.conftest import Measure
from tests.stack.release import Release
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.webhooks import Delivery

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

EVENTS = 120
PAUSE_SECONDS = 0.25
# The moments, as numbers of events, at which a receiver goes.
BREAKS = (20, 70)
# Zoom tries again after five minutes; the simulator's clock can be moved there.
RETRY_SECONDS = 310.0


@dataclass
class Stream:
    """A user who creates meetings one after the other; `at` has what is to be done at some of them."""

    tenant: Tenant
    at: dict[int, Callable[[], None]]
    meetings: list[int] = field(default_factory=list)

    def run(self) -> None:
        for number in range(EVENTS):
            if number in self.at:
                threading.Thread(target=self.at[number], daemon=True).start()
            self.meetings.append(self.tenant.meeting(started=False, emit=True).id)
            time.sleep(PAUSE_SECONDS)  # the stream's own pace

    def created(self) -> list[Delivery]:
        """What became of the events about the meetings."""
        deliveries = self.tenant.zoom.deliveries("meeting.created")
        return [one for one in deliveries if one.client_id == self.tenant.app.client_id]


def let_zoom_try_again(zoom: SimClient) -> None:
    """Move Zoom's clock to its first retry; the times that it writes on its events stay ours."""
    zoom.clock(advance=RETRY_SECONDS, skew=zoom.clock().skew - RETRY_SECONDS)


def names(release: Release) -> list[str]:
    return sorted(one["metadata"]["name"] for one in release.pods("receiver"))


def check_nothing_lost(stream: Stream) -> None:
    """Each event is taken in the end, and each meeting has its mapping."""
    wait_until(
        lambda: {one.state for one in stream.created()} == {"delivered"}, what="all events taken", limit_seconds=60
    )
    assert len(stream.created()) == EVENTS
    kept = {item["metadata"]["name"] for item in stream.tenant.mappings()}
    assert {str(each) for each in stream.meetings} <= kept


def test_receivers_are_deleted_one_after_the_other(tenant: Tenant, release: Release, measured: Measure) -> None:
    tenant.ready_credential()
    first, second = names(release)

    def delete(name: str) -> Callable[[], None]:
        return lambda: release.api.delete(core_path("pods", namespace=release.system, name=name))

    stream = Stream(tenant, at=dict(zip(BREAKS, (delete(first), delete(second)), strict=True)))
    stream.run()
    release.wait_ready()
    assert not {first, second} & set(names(release)), "both are gone"
    tries = [len(one.attempts) for one in stream.created()]
    measured(f"receivers deleted under {EVENTS} events: {sum(each > 1 for each in tries)} had to be sent again")
    check_nothing_lost(stream)
    # Pods that terminate answer until every proxy knows it: Zoom notices nothing.
    assert max(len(one.attempts) for one in stream.created()) == 1


def test_receivers_are_killed(tenant: Tenant, release: Release, zoom: SimClient, measured: Measure) -> None:
    tenant.ready_credential()

    before = restarts(release)

    def kill_all() -> None:
        for pod in release.pods("receiver"):
            container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
            release.cluster.node("ctr", "-n", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", container)

    stream = Stream(tenant, at={BREAKS[0]: kill_all})
    stream.run()
    release.wait_ready()
    assert restarts(release) == {name: count + 1 for name, count in before.items()}
    missed = [one for one in stream.created() if one.state == "pending"]
    measured(f"all receivers killed at once under {EVENTS} events: {len(missed)} had to be sent again")
    assert missed, "for a moment nobody was there"
    let_zoom_try_again(zoom)
    check_nothing_lost(stream)


def restarts(release: Release) -> dict[str, int]:
    """How often each receiver's container was started anew."""
    return {
        one["metadata"]["name"]: one["status"]["containerStatuses"][0]["restartCount"]
        for one in release.pods("receiver")
    }

"""The operator that leads ends or dies while a bot is on its way: another takes over, and nothing is done twice."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.api import core_path, wait_until
from tests.cluster.audit import read_calls
from tests.e2e.conftest import Measure
from tests.e2e.late_image import LateImages
from tests.e2e.test_bot import recorded
from tests.stack.release import Release
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

TAKE_OVER_SECONDS = 20
# The kubelet reports a container as running only after this hook: until then the bot is Joining.
SLOW_START = {"postStart": {"sleep": {"seconds": 8}}}


def delete_leader(release: Release, measured: Measure) -> None:
    """Delete the Pod that leads, and wait until another one does."""
    before, holder, began = release.leader(), release.lease()["holderIdentity"], time.monotonic()
    release.api.delete(core_path("pods", namespace=release.system, name=before))
    wait_until(lambda: other_holds(release, holder), what="another operator leads", limit_seconds=TAKE_OVER_SECONDS)
    measured(f"take-over after the leader's Pod was deleted: {time.monotonic() - began:.1f} s")
    assert release.wait_leader(other_than=before)


def other_holds(release: Release, before: str) -> bool:
    return release.lease().get("holderIdentity") not in (None, "", before)


def check_nothing_twice(tenant: Tenant, release: Release, zoom: SimClient, log: Path) -> None:
    """One Pod, one delivery of tokens, one token asked for."""
    calls = list(read_calls(release.cluster.copy_audit_log(log)))
    ours = f"system:serviceaccount:{release.system}:{release.name}-operator"
    made = Counter(
        (call.resource, call.name)
        for call in calls
        if call.user == ours and call.namespace == tenant.namespace and call.verb == "create" and call.code == 201
        if call.resource == "pods" or call.name.endswith("-zoom")
    )
    assert made, "the audit log has none of the operator's calls"
    assert max(made.values()) == 1, made
    assert sorted(resource for resource, _ in made) == ["pods", "secrets"], made
    assert len(zoom.calls("meetings.jointoken", client_id=tenant.app.client_id)) == 1


Interrupt = Callable[[], None]


@pytest.fixture
def interrupt(release: Release, measured: Measure) -> Interrupt:
    """Delete the leader."""
    return lambda: delete_leader(release, measured)


def start(tenant: Tenant, **container: Any) -> int:
    """Send a bot to a meeting of somebody who consented; the meeting."""
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    env = [{"name": "ZOOM_SIMULATOR_URL", "valueFrom": {"configMapKeyRef": {"name": "zoom-simulator", "key": "url"}}}]
    bot = {"name": "bot", "image": "bot-example", "env": env, **container}
    template = {"spec": {"containers": [bot]}}
    tenant.apply("MeetingBot", "notes", {"meeting": {"id": str(meeting.id)}, "template": template})
    return int(meeting.id)


def finish(tenant: Tenant, zoom: SimClient, meeting_id: int) -> None:
    zoom.act(meeting_id, "end")
    tenant.wait_phase("notes", "Succeeded")
    status = tenant.status("meetingbots", "notes")
    assert (status["attempts"], status.get("infrastructureRestarts", 0)) == (1, 0)


def test_while_the_bot_is_staged(
    tenant: Tenant,
    release: Release,
    interrupt: Interrupt,
    late_images: LateImages,
    zoom: SimClient,
    measured: Measure,
    tmp_path: Path,
) -> None:
    image = late_images.name()
    meeting_id = start(tenant, image=image)
    tenant.wait_reason("meetingbots", "notes", "ImagePullFailed")
    assert tenant.phase("notes") == "Staging"
    interrupt()
    late_images.arrive(image)
    tenant.wait_phase("notes", "Running", seconds=400)
    recorded(tenant, meeting_id, measured=measured, what="leader deleted during Staging")
    finish(tenant, zoom, meeting_id)
    check_nothing_twice(tenant, release, zoom, tmp_path / "audit.log")


def test_while_the_bot_joins(
    tenant: Tenant, release: Release, interrupt: Interrupt, zoom: SimClient, measured: Measure, tmp_path: Path
) -> None:
    meeting_id = start(tenant, lifecycle=SLOW_START)
    tenant.wait_phase("notes", "Joining")
    interrupt()
    tenant.wait_phase("notes", "Running")
    recorded(tenant, meeting_id, measured=measured, what="leader deleted during Joining")
    finish(tenant, zoom, meeting_id)
    check_nothing_twice(tenant, release, zoom, tmp_path / "audit.log")


def test_while_the_bot_runs(
    tenant: Tenant, release: Release, interrupt: Interrupt, zoom: SimClient, measured: Measure, tmp_path: Path
) -> None:
    meeting_id = start(tenant)
    tenant.wait_phase("notes", "Running")
    recorded(tenant, meeting_id, measured=measured, what="leader deleted during Running")
    interrupt()
    assert tenant.phase("notes") == "Running"
    finish(tenant, zoom, meeting_id)
    check_nothing_twice(tenant, release, zoom, tmp_path / "audit.log")


@pytest.mark.short
def test_a_leader_that_is_killed_is_followed(
    tenant: Tenant, release: Release, zoom: SimClient, measured: Measure, tmp_path: Path
) -> None:
    """SIGKILL to its process: it gives nothing up, the Lease has to run out."""
    meeting_id = start(tenant)
    tenant.wait_phase("notes", "Running")
    recorded(tenant, meeting_id, measured=measured, what="before the leader is killed")
    leader, holder = release.leader(), release.lease()["holderIdentity"]
    (container,) = tenant_container(release, leader)
    began = time.monotonic()
    release.cluster.node("ctr", "-n", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", container)
    wait_until(lambda: other_holds(release, holder), what="another operator leads", limit_seconds=TAKE_OVER_SECONDS)
    took = time.monotonic() - began
    measured(f"take-over after the leader was killed: {took:.1f} s")
    assert took > 1, "the killed leader cannot have handed over"
    finish(tenant, zoom, meeting_id)
    check_nothing_twice(tenant, release, zoom, tmp_path / "audit.log")


def tenant_container(release: Release, pod: str) -> list[str]:
    """The runtime's ids of a Pod's containers."""
    found = release.api.request("GET", core_path("pods", namespace=release.system, name=pod))
    return [one["containerID"].removeprefix("containerd://") for one in found["status"]["containerStatuses"]]

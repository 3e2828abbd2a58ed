"""What can be interrupted: the API server restarts, operator and receiver are killed, Zoom is away at the start."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.cluster.api import core_path, wait_until
from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient


class Scene:
    """A control plane, a node and a stack of one's own, for a test that breaks them."""

    def __init__(self, cluster: ControlPlane, kubelet: KubeletDouble, stack: Stack, tenant: Tenant) -> None:
        self.cluster, self.kubelet, self.stack, self.tenant = cluster, kubelet, stack, tenant

    def check_nothing_twice(self) -> None:
        """No bot has two Pods of an attempt, no Pod got two tokens, no join token was presented twice."""
        names = [record.name for record in self.kubelet.records(self.tenant.namespace)]
        assert max(Counter(names).values()) == 1, names
        assert all(
            max(record.starts.values(), default=0) <= 1 for record in self.kubelet.records(self.tenant.namespace)
        )
        created = Counter(
            call.name
            for call in self.cluster.calls()
            if call.verb == "create" and call.code == 201 and call.namespace == self.tenant.namespace
            if call.name.endswith("-zoom")
        )
        assert max(created.values(), default=0) <= 1, created


def let_zoom_try_again(zoom: SimClient) -> None:
    """Move Zoom's clock to its first retry, five minutes on; the time that it writes on its events stays ours."""
    minutes = 310.0
    zoom.clock(advance=minutes, skew=zoom.clock().skew - minutes)


@pytest.fixture
def scene(own_cluster: ControlPlane, zoom: SimClient, tmp_path: Path) -> Iterator[Scene]:
    """All of it, with one tenant."""
    namespace = f"test-{uuid4().hex[:8]}"
    own_cluster.api.create(core_path("namespaces"), {"metadata": {"name": namespace}})
    account = core_path("serviceaccounts", namespace=namespace, name="default")
    wait_until(lambda: own_cluster.api.get(account) is not None, what="default service account")
    with (
        KubeletDouble(own_cluster.kubeconfig("kubelet")) as kubelet,
        Stack(own_cluster, zoom_url=zoom.base_url, system="meetingbots-system", folder=tmp_path) as stack,
    ):
        tenant = Tenant(own_cluster, zoom, namespace)
        tenant.webhook_url = stack.webhook_url(tenant.app.client_id)
        zoom.change_app(tenant.app.client_id, webhook_url=tenant.webhook_url)
        yield Scene(own_cluster, kubelet, stack, tenant)


def test_the_api_server_restarts_in_the_middle_of_everything(scene: Scene, zoom: SimClient) -> None:
    tenant, of_others = scene.tenant, zoom.records().refresh_uses.keys()
    zoom.change_app(tenant.app.client_id, access_token_seconds=12)
    tenant.ready_credential()
    meetings = [tenant.meeting() for _ in range(6)]
    for number, meeting in enumerate(meetings):
        tenant.mapping(meeting.id, "alice")
        tenant.bot(f"notes-{number}", meeting.id, annotations={"kubelet.test/pull-seconds": str(0.3 * number)})
    scene.cluster.restart_apiserver(crash=True, down_seconds=3)
    for number in range(len(meetings)):
        tenant.wait_phase(f"notes-{number}", "Running")
    tenant.wait("all joins", lambda: all(tenant.visits(meeting.id) for meeting in meetings))
    scene.cluster.restart_apiserver(down_seconds=1)
    late = tenant.meeting(emit=True, started=False)
    let_zoom_try_again(zoom)  # should the receiver have answered 503
    tenant.wait("an event after it all", lambda: bool(tenant.get("meetingmappings", late.id)))
    tenant.wait_ready("zoomcredentials", "alice")
    visits = [visit for meeting in meetings for visit in tenant.visits(meeting.id)]
    conditions = [tenant.condition("meetingbots", f"notes-{number}", "TokenIssued") for number in range(len(meetings))]
    assert [visit.state for visit in visits] == ["recording"] * len(meetings), conditions
    for meeting in meetings:
        zoom.act(meeting.id, "end")
    for number in range(len(meetings)):
        tenant.wait_phase(f"notes-{number}", "Succeeded")
    scene.check_nothing_twice()
    assert all(uses <= 1 for token, uses in zoom.records().refresh_uses.items() if token not in of_others)


def test_the_operator_is_killed_again_and_again(scene: Scene, zoom: SimClient) -> None:
    tenant = scene.tenant
    tenant.ready_credential()
    meetings = [tenant.meeting() for _ in range(8)]
    for number, meeting in enumerate(meetings):
        tenant.mapping(meeting.id, "alice")
        tenant.bot(f"notes-{number}", meeting.id, annotations={"kubelet.test/pull-seconds": str(0.4 * number)})
        if number % 2:
            scene.stack.operator.kill()
            scene.stack.operator.start()
    for number in range(len(meetings)):
        tenant.wait_phase(f"notes-{number}", "Running")
    for number, meeting in enumerate(meetings):
        tenant.wait("join", lambda meeting=meeting: bool(tenant.visits(meeting.id)))  # type: ignore[misc]
        assert [visit.state for visit in tenant.visits(meeting.id)] == ["recording"], number
    scene.stack.operator.kill()
    for meeting in meetings:
        zoom.act(meeting.id, "end")
    scene.stack.operator.start()
    for number in range(len(meetings)):
        tenant.wait_phase(f"notes-{number}", "Succeeded")
    scene.check_nothing_twice()


def test_a_restart_causes_no_refresh(scene: Scene, zoom: SimClient) -> None:
    tenant = scene.tenant
    tenant.ready_credential()
    before = len(zoom.calls("oauth.token", client_id=tenant.app.client_id))
    scene.stack.operator.stop()
    scene.stack.operator.start()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    tenant.bot("notes", meeting.id)
    tenant.wait_phase("notes", "Running")
    assert len(zoom.calls("oauth.token", client_id=tenant.app.client_id)) == before


def test_zoom_is_away_when_the_operator_starts(own_cluster: ControlPlane, zoom: SimClient, tmp_path: Path) -> None:
    own_cluster.api.create(core_path("namespaces"), {"metadata": {"name": "early"}})
    tenant = Tenant(own_cluster, zoom, "early")
    tenant.app_secret()
    tenant.consent()
    tenant.credential()
    zoom.fault("*", "close", count=0, client_id=tenant.app.client_id)
    with Stack(own_cluster, zoom_url=zoom.base_url, system="meetingbots-system", folder=tmp_path) as stack:
        tenant.wait_reason("zoomcredentials", "alice", "ZoomUnavailable")
        assert stack.operator.running
        zoom.clear_faults()
        tenant.wait_ready("zoomcredentials", "alice")


def test_the_receiver_is_killed_and_zoom_comes_again(scene: Scene, zoom: SimClient) -> None:
    tenant = scene.tenant
    tenant.ready_credential()
    tenant.wait("the first sync", lambda: bool(tenant.condition("zoomcredentials", "alice", "MeetingsSynced")))
    scene.stack.receiver.kill()
    meetings = [tenant.meeting(started=False, emit=True) for _ in range(5)]
    wait_until(
        lambda: all(delivery.attempts for delivery in zoom.deliveries("meeting.created")), what="Zoom's first tries"
    )
    assert not tenant.get("meetingmappings", meetings[0].id)
    scene.stack.receiver.start()
    let_zoom_try_again(zoom)
    tenant.wait("Zoom's retries", lambda: all(tenant.get("meetingmappings", meeting.id) for meeting in meetings))

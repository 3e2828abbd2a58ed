"""Two releases with different settings that serve one namespace: what one has done, the other leaves alone."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.cluster.api import core_path
from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.cluster.kubelet.images import BUILT_IN
from tests.stack.connecting import invite, prepare
from tests.stack.person import Person
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant, custom_object
from tests.zoomsim.client import SimClient

NAMESPACE = "shared"
RELEASES = ("first", "second")
SECONDS = 90.0
MOST_WRITES = 40
"""Two operators that undo each other's writes make as many in a second."""


@pytest.fixture
def stacks(own_cluster: ControlPlane, zoom: SimClient) -> Iterator[list[Stack]]:
    """Two releases for one namespace, each with an image, an address, a link key and a Lease of its own."""
    own_cluster.api.create(core_path("namespaces"), {"metadata": {"name": NAMESPACE}})
    images = {f"bot-of-{name}": BUILT_IN["test/sleep"] for name in RELEASES}
    first, second = (
        Stack(
            own_cluster,
            zoom_url=zoom.base_url,
            system=name,
            served=(NAMESPACE,),
            settings={"BOT_IMAGE": f"bot-of-{name}"},
        )
        for name in RELEASES
    )
    with KubeletDouble(own_cluster.kubeconfig("kubelet"), images=images), first, second:
        yield [first, second]


def test_neither_undoes_what_the_other_has_done(
    own_cluster: ControlPlane, zoom: SimClient, stacks: list[Stack]
) -> None:
    tenant = Tenant(own_cluster, zoom, NAMESPACE, patience=SECONDS)
    prepare(tenant, public_url=stacks[0].receiver_url)
    link = invite(tenant)
    by_url = {stack.receiver_url: stack for stack in stacks}
    assert any(link.startswith(url) for url in by_url)
    uris = [f"{stack.receiver_url}/oauth/callback" for stack in stacks]
    tenant.app = zoom.change_app(tenant.app.client_id, redirect_uris=uris)
    with Person() as person:
        person.open(link)
        person.press()
        person.decide(tenant.user.id)
    tenant.wait_ready("zoomcredentials", "alice")

    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    later = (datetime.now(UTC) + timedelta(seconds=20)).isoformat(timespec="seconds")
    for name, spec in (("now", {}), ("staged", {"joinAt": later})):
        tenant.apply_object(custom_object("MeetingBot", name, {"meeting": {"id": str(meeting.id)}, **spec}))
    for name in ("now", "staged"):
        tenant.wait_phase(name, "Running")
        status = tenant.status("meetingbots", name)
        assert (status["attempts"], status.get("infrastructureRestarts", 0)) == (1, 0)
        assert status["token"]["kinds"] == ["LocalRecording"]

    calls = [call for call in own_cluster.calls() if call.namespace == NAMESPACE and not call.dry_run]
    pods = [call for call in calls if (call.resource, call.code) == ("pods", 201)]
    assert len(pods) == 2
    assert not [call for call in calls if (call.resource, call.verb) == ("pods", "delete")]
    for resource in ("zoomcredentials/status", "meetingbots/status"):
        written = Counter(call.name for call in calls if (call.resource, call.code) == (resource, 200))
        assert max(written.values()) <= MOST_WRITES, written

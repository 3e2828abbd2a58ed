"""A cluster without IPv4: API server, node, Zoom, operator and receiver have only the address `::1`."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.api import core_path
from tests.cluster.controlplane import ControlPlane
from tests.cluster.crds import crd_files, load_crds
from tests.cluster.flags import HOST_IPV6
from tests.cluster.kubelet import KubeletDouble
from tests.stack.connecting import invite, prepare
from tests.stack.person import Person
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.server import serving_in_thread

ROOT = Path(__file__).resolve().parents[2]
NAMESPACE = "ipv6-only"
SECONDS = 90.0


def has_ipv6() -> bool:
    """Whether this machine can listen on `::1`."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind((HOST_IPV6, 0))
    except OSError:
        return False
    return True


pytestmark = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback address")


@pytest.fixture
def ipv6_cluster(binaries: Path) -> Iterator[ControlPlane]:
    """A control plane on `::1`, with an IPv6 range for Services."""
    with ControlPlane(binaries=binaries, crds=load_crds(crd_files(ROOT / "crds")), host=HOST_IPV6) as running:
        running.api.create(core_path("namespaces"), {"metadata": {"name": NAMESPACE}})
        yield running


@pytest.fixture
def ipv6_zoom() -> Iterator[SimClient]:
    """A Zoom on `::1`."""
    with serving_in_thread(host=HOST_IPV6) as zoom:
        yield zoom


def test_from_a_consent_to_a_bot_with_a_token(ipv6_cluster: ControlPlane, ipv6_zoom: SimClient) -> None:
    stack = Stack(ipv6_cluster, zoom_url=ipv6_zoom.base_url, system=NAMESPACE, served=(NAMESPACE,))
    node = KubeletDouble(ipv6_cluster.kubeconfig("kubelet"), address=HOST_IPV6)
    with node, stack, Person() as person:
        tenant = Tenant(ipv6_cluster, ipv6_zoom, NAMESPACE, patience=SECONDS)
        prepare(tenant, public_url=stack.receiver_url)
        tenant.app = ipv6_zoom.change_app(tenant.app.client_id, webhook_url=stack.webhook_url(tenant.app.client_id))

        link = invite(tenant)
        assert link.startswith(f"http://[::1]:{stack.receiver_port}/connect/")
        person.open(link)
        person.press()
        person.decide(tenant.user.id)
        tenant.wait_ready("zoomcredentials", "alice")

        meeting = tenant.meeting(emit=True)
        tenant.wait_mapped(meeting.id)

        tenant.bot("recorder", meeting.id, tokenEndpoint=True)
        tenant.wait("the bot records", lambda: [visit.state for visit in tenant.visits(meeting.id)] == ["recording"])
        tenant.wait_phase("recorder", "Running")
        assert tenant.status("meetingbots", "recorder")["token"]["kinds"] == ["LocalRecording"]
        [pod] = tenant.pods()
        assert pod["status"]["podIP"] == HOST_IPV6
        endpoint = {item["name"]: item.get("value", "") for item in pod["spec"]["containers"][0]["env"]}
        assert endpoint["ZOOM_TOKEN_URL"].startswith(f"http://[::1]:{stack.token_port}/")

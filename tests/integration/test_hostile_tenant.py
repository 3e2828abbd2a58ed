"""A hostile tenant at full tilt: the others' credentials, bots, webhooks and tokens, and the bounds of its share.

How long the others wait is measured by `make bench PART=hostile`.
"""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.cluster.api import core_path, wait_until
from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.integration.test_receiver_stress import good_event
from tests.integration.test_rejoin import ask, own_token
from tests.stack.event_sender import counts, send_at_pace
from tests.stack.hostile_tenant import HostileTenant, Targets, flood
from tests.stack.hung_server import HungServer
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.event_loop import run

CREDENTIAL_WORKERS_OF_A_NAMESPACE = 16
EVENTS = 60
PER_SECOND = 10


@pytest.fixture
def hung() -> Iterator[HungServer]:
    with HungServer() as server:
        yield server


@pytest.fixture
def admission() -> Iterator[HungServer]:
    """An admission webhook that never answers."""
    with HungServer() as server:
        yield server


@pytest.fixture
def installation(own_cluster: ControlPlane, zoom: SimClient, hung: HungServer, tmp_path: Path) -> Iterator[Stack]:
    """Operator, receiver and node; the administrator allows the token URL of the hostile tenant."""
    settings = {"ALLOWED_TOKEN_URL_HOSTS": f"private:localhost:{hung.port}"}
    with Stack(
        own_cluster, zoom_url=zoom.base_url, system="meetingbots-system", settings=settings, folder=tmp_path
    ) as running:
        yield running


def new_tenant(cluster: ControlPlane, zoom: SimClient, stack: Stack) -> Tenant:
    name = f"test-{uuid4().hex[:8]}"
    cluster.api.create(core_path("namespaces"), {"metadata": {"name": name}})
    account = core_path("serviceaccounts", namespace=name, name="default")
    wait_until(lambda: cluster.api.get(account) is not None, what="default service account")
    tenant = Tenant(cluster, zoom, name)
    tenant.webhook_url = stack.webhook_url(tenant.app.client_id)
    return tenant


def send(tenant: Tenant, stack: Stack, meetings: list[int]) -> dict[int, int]:
    requests = [good_event(tenant, meeting) for meeting in meetings]
    return counts(run(send_at_pace(requests, port=stack.receiver_port, per_second=PER_SECOND)))


@pytest.mark.timeout(900)
def test_a_hostile_tenant_at_full_tilt_stops_nobody(
    own_cluster: ControlPlane, zoom: SimClient, installation: Stack, hung: HungServer, admission: HungServer
) -> None:
    good, hostile = (new_tenant(own_cluster, zoom, installation) for _ in range(2))
    attacker = HostileTenant(
        tenant=hostile, victim_client_id=good.app.client_id, hung_port=hung.port, admission_port=admission.port
    )
    targets = Targets(
        receiver_port=installation.receiver_port,
        token_port=installation.token_port,
        client_id=hostile.app.client_id,
        secret=hostile.app.webhook_secret_token,
        victim_client_id=good.app.client_id,
    )
    pids = installation.operator.pid, installation.receiver.pid
    with KubeletDouble(own_cluster.kubeconfig("kubelet")) as kubelet:
        attacker.plant(failing_bots=3)
        wait_until(lambda: hung.open > 0, what="the operator asks the token URLs that hang")
        with attacker.churn(), flood(targets) as end:
            # A new consent, webhooks, a bot with its token, and a further token, all during the attack.
            good.ready_credential()
            meetings = list(range(91_000_000_000, 91_000_000_000 + EVENTS))
            answers = send(good, installation, meetings)
            meeting = good.meeting()
            good.mapping(meeting.id, "alice")
            good.bot("notes", meeting.id, image="test/sleep", tokenEndpoint=True)
            good.wait_phase("notes", "Running")
            seen = kubelet.record(good.namespace, good.status("meetingbots", "notes")["podName"]).environment["bot"]
            again = ask(seen["ZOOM_TOKEN_URL"], own_token(seen))
            flooded = end()
    print(f"good answers {answers}, hostile {flooded}, at most {hung.most} connections hung")
    assert set(answers) <= {204, 503}
    assert 204 in answers
    assert seen["ZOOM_JOIN_TOKEN"]
    assert again.status == 200, again.text

    # What is hostile keeps to its share and is refused.
    assert admission.accepted, "the admission webhook of the hostile namespace was asked"
    assert 0 < hung.most <= CREDENTIAL_WORKERS_OF_A_NAMESPACE
    assert set(flooded["forged"]) <= {401, 503}
    assert {401} <= set(flooded["small"]) <= {401, 503}
    assert {401} <= set(flooded["garbage"]) <= {401, 429, 503}
    assert hostile.condition("zoomcredentials", "hung-1")["status"] == "False"

    # What was answered with 503 comes again, as Zoom sends it; both processes are the same ones.
    missing = set(meetings)

    def all_written() -> bool:
        missing.difference_update(int(item["metadata"]["name"]) for item in good.mappings())
        send(good, installation, sorted(missing))
        return not missing

    good.wait("Zoom's retries", all_written)
    assert (installation.operator.running, installation.receiver.running) == (True, True)
    assert (installation.operator.pid, installation.receiver.pid) == pids


def test_hung_token_urls_of_one_tenant_leave_workers_for_another(
    own_cluster: ControlPlane, zoom: SimClient, installation: Stack, hung: HungServer
) -> None:
    good, hostile = (new_tenant(own_cluster, zoom, installation) for _ in range(2))
    hostile.app_secret()
    grant = {"accessTokenURL": {"url": f"https://localhost:{hung.port}/token"}}
    for number in range(120):
        hostile.credential(f"hung-{number}", grant=grant)
    wait_until(lambda: hung.open > 1, what="the hostile tenant's share is in use")
    good.ready_credential()
    assert hung.most <= CREDENTIAL_WORKERS_OF_A_NAMESPACE
    before = hung.accepted
    wait_until(lambda: hung.accepted > before, what="the hostile tenant's credentials have their turn, too")

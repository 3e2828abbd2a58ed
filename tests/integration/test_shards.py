"""Two shards behind one receiver: a dead one stops only its own namespaces; a namespace moves to another shard."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from meetingbots.models.names import RECEIVER_SECRET

from tests.cluster.api import core_path, wait_until
from tests.cluster.controlplane import ControlPlane
from tests.cluster.crds import crd_files, load_crds
from tests.cluster.kubelet import KubeletDouble
from tests.stack.shards import Shards
from tests.stack.tenant import GROUP, Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.server import serving_in_thread
from tests.zoomsim.world import Meeting

ROOT = Path(__file__).resolve().parents[2]
NAMESPACES = ("east", "west", "moving")
SYSTEM = "meetingbots-system"
PATIENT = {"tokenWaitSeconds": 90}
"""A slow machine delays the token; the bot then waits for it."""


@dataclass(frozen=True)
class Installation:
    """A cluster with a node and a receiver; each test starts its operators."""

    cluster: ControlPlane
    kubelet: KubeletDouble
    shards: Shards
    zoom: SimClient

    def tenant(self, namespace: str) -> Tenant:
        """A customer in a namespace, with an app that sends its events to the receiver."""
        tenant = Tenant(self.cluster, self.zoom, namespace)
        tenant.webhook_url = self.shards.webhook_url(tenant.app.client_id)
        self.zoom.change_app(tenant.app.client_id, webhook_url=tenant.webhook_url)
        return tenant

    def check_nothing_twice(self, namespace: str) -> None:
        """No bot had two Pods, no Pod was started twice, and no Pod got two tokens."""
        records = self.kubelet.records(namespace)
        names = [record.name for record in records]
        assert max(Counter(names).values()) == 1, names
        assert all(name.endswith("-1") for name in names), names
        assert all(max(record.starts.values(), default=0) <= 1 for record in records)
        created = Counter(
            call.name
            for call in self.cluster.calls()
            if (call.verb, call.code, call.namespace) == ("create", 201, namespace) and call.name.endswith("-zoom")
        )
        assert created == dict.fromkeys((f"{name}-zoom" for name in names), 1)


@pytest.fixture(scope="module")
def installation(binaries: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    crds = load_crds(crd_files(ROOT / "crds"))
    folder = tmp_path_factory.mktemp("shards")
    with ControlPlane(binaries=binaries, crds=crds, audit=True) as cluster, serving_in_thread() as zoom:
        for name in NAMESPACES:
            cluster.api.create(core_path("namespaces"), {"metadata": {"name": name}})
        for name in NAMESPACES:
            account = core_path("serviceaccounts", namespace=name, name="default")
            wait_until(lambda account=account: cluster.api.get(account) is not None, what=f"account of {name}")  # type: ignore[misc]
        with (
            KubeletDouble(cluster.kubeconfig("kubelet")) as kubelet,
            Shards(cluster, zoom_url=zoom.base_url, system=SYSTEM, served=NAMESPACES, folder=folder) as shards,
        ):
            yield Installation(cluster, kubelet, shards, zoom)


def wait_recording(tenant: Tenant, meeting: Meeting) -> None:
    """Wait until one bot, and no other, records the meeting."""

    def states() -> list[str]:
        return [visit.state for visit in tenant.visits(meeting.id)]

    tenant.wait(f"one bot records {meeting.id}", lambda: states() == ["recording"])


def test_a_dead_shard_stops_only_its_own_namespaces(installation: Installation) -> None:
    shards = installation.shards
    first = shards.start("a", served=["east"])
    second = shards.start("b", served=["west"])
    east, west = installation.tenant("east"), installation.tenant("west")
    for tenant in (east, west):
        tenant.app_secret()
        tenant.consent()
        tenant.credential()
    shards.wait_receiver()
    # This includes that the receiver knows the app.
    east.wait_ready("zoomcredentials", "alice")
    west.wait_ready("zoomcredentials", "alice")
    projected = shards.api.get(core_path("secrets", namespace=SYSTEM, name=RECEIVER_SECRET)) or {}
    assert {"east.zoom-app", "west.zoom-app"} <= projected["data"].keys()
    assert all(shards.holder(shard) for shard in ("a", "b"))

    first.kill()
    meetings = {tenant.namespace: tenant.meeting(emit=True) for tenant in (east, west)}
    for tenant in (east, west):
        meeting = meetings[tenant.namespace]
        tenant.wait_mapped(meeting.id)
        tenant.bot("notes", meeting.id, **PATIENT)
    west.wait_phase("notes", "Running")
    wait_recording(west, meetings["west"])
    assert not east.pods()

    second.stop()
    shards.start("b", served=["west", "east"])
    east.wait_phase("notes", "Running")
    wait_recording(east, meetings["east"])
    for namespace in ("east", "west"):
        installation.check_nothing_twice(namespace)


def test_a_namespace_moves_while_both_shards_serve_it(installation: Installation) -> None:
    """Tokens are refreshed all the time, bots of every stage are under way, and a refresh is in flight at the end."""
    shards, zoom, tenant = installation.shards, installation.zoom, installation.tenant("moving")
    of_others = zoom.records().refresh_uses.keys()
    old = shards.start("old", served=["moving"])
    zoom.change_app(tenant.app.client_id, access_token_seconds=20)
    tenant.ready_credential()
    later = (datetime.now(UTC) + timedelta(seconds=12)).isoformat(timespec="seconds")
    meetings = [tenant.meeting() for _ in range(6)]
    for meeting in meetings:
        tenant.mapping(meeting.id, "alice")
    tenant.bot("before", meetings[0].id, **PATIENT)
    tenant.bot("staged", meetings[1].id, joinAt=later, **PATIENT)
    tenant.wait_phase("before", "Running")
    tenant.wait("staged has a Pod", lambda: bool(tenant.status("meetingbots", "staged").get("podName")))

    new = shards.start("new", served=["moving"])
    new.wait_ready()
    for number in (2, 3, 4):
        tenant.bot(f"both-{number}", meetings[number].id, **PATIENT)
    for number in (2, 3, 4):
        tenant.wait_phase(f"both-{number}", "Running")

    zoom.fault("oauth.token", "delay", seconds=3.0, client_id=tenant.app.client_id)
    path = f"{GROUP}/namespaces/moving/zoomcredentials/alice"
    shards.api.patch(path, {"metadata": {"annotations": {"meetingbots.dev/refresh-requested-at": later}}})
    tenant.wait("a refresh is in flight", lambda: not zoom.faults())
    old.stop()
    tenant.bot("after", meetings[5].id, **PATIENT)
    for name in ("staged", "after"):
        tenant.wait_phase(name, "Running")
    for meeting in meetings:
        wait_recording(tenant, meeting)
    tenant.wait_ready("zoomcredentials", "alice")
    refreshed = tenant.status("zoomcredentials", "alice")["lastRefreshTime"]
    tenant.wait(
        "the new shard refreshes", lambda: tenant.status("zoomcredentials", "alice")["lastRefreshTime"] > refreshed
    )
    for meeting in meetings:
        zoom.act(meeting.id, "end")
    installation.check_nothing_twice("moving")
    uses = {token: count for token, count in zoom.records().refresh_uses.items() if token not in of_others}
    assert len(uses) >= 2
    assert set(uses.values()) == {1}

"""What a cluster does to bots: a node is drained, a quota is full, the API server is away for a minute."""

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

from tests.cluster.api import core_path, wait_until
from tests.e2e.conftest import Measure
from tests.e2e.test_bot import OLDEST_SECONDS, recorded
from tests.e2e.test_receiver_goes import let_zoom_try_again
from tests.kind.cluster import KindCluster
from tests.stack.release import Release
from tests.stack.tenant import Tenant
from tests.zoomsim import events
from tests.zoomsim.client import SimClient

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

AWAY_SECONDS = 60
# A watch tries again every 3 s, and waits for a connection for 5 s.
NOTICED_SECONDS = 15
MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
ASIDE = "/etc/kubernetes/kube-apiserver.yaml"


def running_bot(tenant: Tenant, name: str) -> int:
    """A bot that records; its meeting."""
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    tenant.bot(name, meeting.id)
    tenant.wait_phase(name, "Running")
    return int(meeting.id)


@pytest.fixture
def uncordoned(kind_cluster: KindCluster) -> Iterator[Callable[[], None]]:
    """Lets the node take Pods again, at the latest at the end."""

    def uncordon() -> None:
        kind_cluster.kubectl("uncordon", kind_cluster.node_name)

    yield uncordon
    uncordon()


def test_a_drained_node_costs_a_pod_and_not_the_bot(
    tenant: Tenant, kind_cluster: KindCluster, uncordoned: Callable[[], None], zoom: SimClient, measured: Measure
) -> None:
    tenant.ready_credential()
    meeting_id = running_bot(tenant, "notes")
    recorded(tenant, meeting_id, measured=measured, what="before the drain")
    first = tenant.status("meetingbots", "notes")["podName"]
    # Only the bot: there is but one node, and the simulator would forget everything.
    selector = "meetingbots.dev/bot=notes"
    kind_cluster.kubectl(
        *("drain", kind_cluster.node_name, "--ignore-daemonsets", "--force", "--delete-emptydir-data"),
        *(f"--pod-selector={selector}", "--timeout=90s"),
        limit_seconds=120,
    )
    condition = tenant.wait_reason("meetingbots", "notes", "Unschedulable")
    assert "unschedulable" in condition["message"]
    second = tenant.status("meetingbots", "notes")["podName"]
    assert second != first
    assert len(zoom.calls("meetings.jointoken", client_id=tenant.app.client_id)) == 1, "no token while it cannot start"
    uncordoned()
    tenant.wait("the second join", lambda: len(tenant.visits(meeting_id)) == 2)
    visit = tenant.visits(meeting_id)[1]
    assert visit.state == "recording"
    assert visit.token_age_seconds is not None
    measured(f"token age at the join, after the drain: {visit.token_age_seconds:.2f} s")
    assert visit.token_age_seconds < OLDEST_SECONDS
    tenant.wait_phase("notes", "Running")
    status = tenant.status("meetingbots", "notes")
    assert (status["attempts"], status["infrastructureRestarts"]) == (1, 1)
    zoom.act(meeting_id, "end")
    tenant.wait_phase("notes", "Succeeded")


def test_a_full_quota_is_reported_until_it_frees_up(tenant: Tenant, zoom: SimClient, measured: Measure) -> None:
    tenant.ready_credential()
    quotas = core_path("resourcequotas", namespace=tenant.namespace)
    tenant.cluster.api.create(quotas, {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "0"}}})
    tenant.wait("the quota counts", lambda: "hard" in tenant.core("resourcequotas", "few").get("status", {}))
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    tenant.bot("notes", meeting.id)
    condition = tenant.wait_reason("meetingbots", "notes", "QuotaExceeded")
    assert "few" in condition["message"]
    assert not tenant.pods()
    assert not zoom.calls("meetings.jointoken", client_id=tenant.app.client_id)
    tenant.cluster.api.patch(f"{quotas}/few", {"spec": {"hard": {"pods": "1"}}})
    tenant.wait_phase("notes", "Running")
    recorded(tenant, meeting.id, measured=measured, what="after the quota was raised")


def test_the_api_server_is_away_for_a_minute(
    tenant: Tenant, release: Release, zoom: SimClient, measured: Measure
) -> None:
    tenant.ready_credential()
    running = running_bot(tenant, "runs")
    recorded(tenant, running, measured=measured, what="before the API server went away")
    waiting = tenant.meeting()
    tenant.mapping(waiting.id, "alice")
    planned = tenant.meeting(started=False)
    payload = {"account_id": tenant.account.id, "object": events.planned(planned)}
    mine = (tenant.app.client_id,)
    zoom.emit("meeting.created", payload, client_ids=mine, delay_seconds=AWAY_SECONDS / 2)
    away = without_api_server(release, seconds=AWAY_SECONDS)
    began = time.monotonic()
    tenant.bot("afterwards", waiting.id)
    tenant.wait("the Pod of the next bot", lambda: len(tenant.pods()) == 2, seconds=180)
    noticed = time.monotonic() - began
    # The scheduler has to come back, too.
    tenant.wait_phase("afterwards", "Running", seconds=180)
    took = time.monotonic() - began
    measured(
        f"API server away for {away:.0f} s: the next bot's Pod {noticed:.1f} s, Running {took:.1f} s after its return"
    )
    assert noticed < NOTICED_SECONDS
    recorded(tenant, waiting.id, measured=measured, what="after the API server's return")
    assert [visit.state for visit in tenant.visits(running)] == ["recording"]
    assert tenant.condition("zoomcredentials", "alice")["status"] == "True"
    (delivery,) = [one for one in zoom.deliveries("meeting.created") if one.client_id == tenant.app.client_id]
    assert (delivery.state, [one.status for one in delivery.attempts]) == ("pending", [503]), "it could not be written"
    let_zoom_try_again(zoom)
    tenant.wait("what Zoom reported meanwhile", lambda: bool(tenant.get("meetingmappings", planned.id)))
    for meeting_id, name in ((running, "runs"), (waiting.id, "afterwards")):
        zoom.act(meeting_id, "end")
        tenant.wait_phase(name, "Succeeded")
        assert tenant.status("meetingbots", name)["attempts"] == 1
    release.wait_ready()
    restarts = [one["status"]["containerStatuses"][0]["restartCount"] for one in release.pods()]
    measured(f"restarts of the four Pods of operator and receiver by then: {restarts}")


def without_api_server(release: Release, *, seconds: float) -> float:
    """Take the API server's Pod from its node for so long; gives for how many seconds it was away, once it is back."""
    node = release.cluster.node
    node("mv", MANIFEST, ASIDE)
    try:
        wait_until(lambda: not answers(release), what="the API server is away", limit_seconds=120, every_seconds=0.2)
        began = time.monotonic()
        time.sleep(seconds)  # the outage itself
        assert not answers(release)
    finally:
        node("mv", ASIDE, MANIFEST)
    wait_until(lambda: answers(release), what="the API server is back", limit_seconds=180, every_seconds=0.2)
    return time.monotonic() - began


def answers(release: Release) -> bool:
    with contextlib.suppress(OSError):
        return release.api.raw("GET", "/readyz")[0] == 200
    return False

"""A bot's time on a cluster: moved, brought forward, missed and made up for; and what is over stays over."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.cluster.api import core_path, wait_until
from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient


def moment(seconds: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)


def text(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def started(kubelet: KubeletDouble, tenant: Tenant, bot: str) -> float:
    pod = tenant.status("meetingbots", bot)["podName"]
    return kubelet.record(tenant.namespace, pod).started["bot"]


def test_a_bot_that_is_moved_gives_its_pod_back_and_comes_at_the_new_time(
    tenant: Tenant, kubelet: KubeletDouble
) -> None:
    tenant.bot("moved", 81234567890, image="test/sleep", tokens=[], joinAt=text(moment(60)), leadSeconds=90)
    tenant.wait("staged", lambda: bool(tenant.pods()))
    later = moment(300)
    tenant.bot("moved", 81234567890, image="test/sleep", tokens=[], joinAt=text(later), leadSeconds=30)
    tenant.wait_phase("moved", "Scheduled")
    tenant.wait("the staged Pod is gone", lambda: not tenant.pods())
    sooner = moment(4)
    tenant.bot("moved", 81234567890, image="test/sleep", tokens=[], joinAt=text(sooner), leadSeconds=30)
    tenant.wait_phase("moved", "Running")
    assert started(kubelet, tenant, "moved") >= sooner.timestamp()
    assert tenant.status("meetingbots", "moved")["attempts"] == 1


def test_a_bot_created_late_but_within_its_deadline_joins_at_once(tenant: Tenant, kubelet: KubeletDouble) -> None:
    tenant.bot("late", 81234567890, image="test/sleep", tokens=[], joinAt=text(moment(-60)))
    tenant.wait_phase("late", "Running")


def test_what_is_over_never_runs_again(tenant: Tenant, kubelet: KubeletDouble) -> None:
    tenant.bot("done", 81234567890, image="test/exit", args=["0"], tokens=[])
    tenant.bot("expired", 81234567890, image="test/exit", args=["0"], tokens=[], joinAt="2020-01-01T00:00:00Z")
    tenant.wait_phase("done", "Succeeded")
    tenant.wait_phase("expired", "Expired")
    soon = text(moment(1))
    tenant.bot("done", 81234567890, image="test/exit", args=["1"], tokens=[], joinAt=soon)
    tenant.bot("expired", 81234567890, image="test/exit", args=["1"], tokens=[], joinAt=soon)
    tenant.wait(
        "the edit is reported as ignored",
        lambda: tenant.condition("meetingbots", "done", "SpecChangeIgnored").get("status") == "True",
    )
    # A bot that came later is through, so these two have had their turn as well.
    tenant.bot("other", 81234567890, image="test/exit", args=["0", "2"], tokens=[])
    tenant.wait_phase("other", "Succeeded")
    assert (tenant.phase("done"), tenant.phase("expired")) == ("Succeeded", "Expired")
    assert len(kubelet.records(tenant.namespace)) == 2


@pytest.fixture
def own_stack(
    own_cluster: ControlPlane, zoom: SimClient, tmp_path: Path
) -> Iterator[tuple[Stack, KubeletDouble, Tenant]]:
    """Operator and node of one's own, for a test that stops them."""
    name = f"test-{uuid4().hex[:8]}"
    own_cluster.api.create(core_path("namespaces"), {"metadata": {"name": name}})
    account = core_path("serviceaccounts", namespace=name, name="default")
    wait_until(lambda: own_cluster.api.get(account) is not None, what="default service account")
    with (
        KubeletDouble(own_cluster.kubeconfig("kubelet")) as kubelet,
        Stack(own_cluster, zoom_url=zoom.base_url, system="meetingbots-system", folder=tmp_path) as stack,
    ):
        yield stack, kubelet, Tenant(own_cluster, zoom, name)


def test_an_operator_that_was_down_across_join_at_makes_up_for_it(
    own_stack: tuple[Stack, KubeletDouble, Tenant], zoom: SimClient
) -> None:
    stack, kubelet, tenant = own_stack
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    join_at = moment(30)
    common: dict[str, Any] = {"joinAt": text(join_at), "leadSeconds": 60}
    tenant.bot("patient", meeting.id, **common)
    tenant.bot("strict", meeting.id, startDeadlineSeconds=1, **common)
    tenant.wait("both are staged", lambda: len(tenant.pods()) == 2)
    stack.operator.kill()
    wait_until(lambda: datetime.now(UTC) > join_at + timedelta(seconds=2), what="joinAt is past")
    assert not zoom.calls("meetings.jointoken", client_id=tenant.app.client_id)
    stack.operator.start()
    tenant.wait_phase("patient", "Running")
    tenant.wait("join", lambda: bool(tenant.visits(meeting.id)))
    (visit,) = tenant.visits(meeting.id)
    assert visit.state == "recording"
    tenant.wait_reason("meetingbots", "strict", "StartDeadlineExceeded")
    tenant.wait("only the patient one has a Pod", lambda: len(tenant.pods()) == 1)
    assert len(kubelet.records(tenant.namespace)) == 2

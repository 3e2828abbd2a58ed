"""A tenant's odd objects stop neither operator nor receiver, also after a restart."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest
from meetingbots.kube.bounded_json import decode

from tests.cluster.api import core_path, wait_until
from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.stack.poison import Poison, poisonous_objects
from tests.stack.stack import Stack
from tests.stack.tenant import GROUP, Tenant
from tests.zoomsim.client import SimClient


@pytest.fixture
def installation(own_cluster: ControlPlane, zoom: SimClient) -> Iterator[Stack]:
    with (
        KubeletDouble(own_cluster.kubeconfig("kubelet")),
        Stack(own_cluster, zoom_url=zoom.base_url, system="meetingbots-system") as running,
    ):
        yield running


def new_namespace(cluster: ControlPlane) -> str:
    name = f"test-{uuid4().hex[:8]}"
    cluster.api.create(core_path("namespaces"), {"metadata": {"name": name}})
    account = core_path("serviceaccounts", namespace=name, name="default")
    wait_until(lambda: cluster.api.get(account) is not None, what="default service account")
    return name


def store(cluster: ControlPlane, poison: Poison, *, namespace: str) -> int:
    status, _ = cluster.api.raw("POST", f"{poison.group}/namespaces/{namespace}/{poison.plural}", poison.body)
    return status


def reason(cluster: ControlPlane, namespace: str, bot: str) -> str:
    """The reason of Ready of an object that `json.loads` cannot read."""
    _, raw = cluster.api.raw("GET", f"{GROUP}/namespaces/{namespace}/meetingbots/{bot}")
    conditions = decode(raw).get("status", {}).get("conditions", [])
    return next((str(one["reason"]) for one in conditions if one["type"] == "Ready"), "")


def works(tenant: Tenant, bot: str) -> None:
    """A webhook makes a mapping, and a bot joins with its token."""
    meeting = tenant.meeting(emit=True)
    tenant.wait_mapped(meeting.id)
    tenant.bot(bot, meeting.id)
    tenant.wait_phase(bot, "Running")
    assert tenant.condition("meetingbots", bot, "TokenIssued")["status"] == "True"


def test_odd_objects_of_one_tenant_stop_nobody_else(
    own_cluster: ControlPlane, zoom: SimClient, installation: Stack
) -> None:
    tenant = Tenant(own_cluster, zoom, new_namespace(own_cluster))
    tenant.webhook_url = installation.webhook_url(tenant.app.client_id)
    zoom.change_app(tenant.app.client_id, webhook_url=tenant.webhook_url)
    tenant.ready_credential()
    works(tenant, "before")

    hostile = new_namespace(own_cluster)
    stored = {f"{one.plural}/{one.name}": store(own_cluster, one, namespace=hostile) for one in poisonous_objects()}
    # What the API server rejects needs no defence; what it stores must at least include deep templates.
    assert stored["meetingbots/maps-1100"] == stored["meetingbots/lists-1100"] == 201, stored
    works(tenant, "beside")
    assert installation.operator.running
    assert installation.receiver.running

    installation.operator.kill()
    installation.receiver.kill()
    installation.start()
    works(tenant, "after-a-restart")
    # The owner sees why a deep bot does not start.
    wait_until(
        lambda: {reason(own_cluster, hostile, name) for name in ("maps-1100", "lists-1100")} == {"TemplateInvalid"},
        what="deep templates are refused",
    )

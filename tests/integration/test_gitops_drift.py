"""What a team keeps in Git, on a running cluster: the operator's and the receiver's writes are no drift to any tool."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.stack.tenant import Tenant

TEAM = Path(__file__).resolve().parents[2] / "examples" / "gitops" / "team"
IN_THE_EXAMPLE = "81234567890"
# As Flux and Argo CD's ServerSideApply do it, and as Argo CD does without.
WAYS = {"server-side": ("--server-side", "--field-manager=gitops"), "client-side": ()}


def manifests(cluster: ControlPlane, *, meeting_id: int, namespace: str) -> str:
    """The folder as kustomize builds it, with a meeting and a namespace of the test's own."""
    built = cluster.kubectl("kustomize", str(TEAM)).replace(IN_THE_EXAMPLE, str(meeting_id))
    items = [{**item, "metadata": {**item["metadata"], "namespace": namespace}} for item in yaml.safe_load_all(built)]
    return yaml.safe_dump_all(items)


def kept(tenant: Tenant, text: str) -> list[dict[str, Any]]:
    """What a tool looks at of each object in Git: everything but the status and the server's own bookkeeping."""
    items = yaml.safe_load_all(text)
    found = [tenant.get(f"{item['kind'].lower()}s", item["metadata"]["name"]) for item in items]
    fields = ("uid", "labels", "ownerReferences")
    return [{"spec": item["spec"], **{field: item["metadata"].get(field) for field in fields}} for item in found]


def managed(tenant: Tenant, plural: str, name: str) -> dict[str, Any]:
    """Which fields the API server has recorded for each manager."""
    return {one["manager"]: one["fieldsV1"] for one in tenant.get(plural, name)["metadata"]["managedFields"]}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_the_operator_writes_is_no_drift(
    way: tuple[str, ...], cluster: ControlPlane, tenant: Tenant, kubelet: KubeletDouble
) -> None:
    meeting = tenant.meeting(started=False)
    text = manifests(cluster, meeting_id=meeting.id, namespace=tenant.namespace)
    tenant.app_secret()
    tenant.consent("alice")
    tenant.secret("weekly", passcode="open")
    cluster.kubectl("apply", *way, "--filename=-", stdin=text)
    tenant.wait_ready("zoomcredentials", "alice")
    tenant.wait_reason("zoomcredentials", "bob", "WaitingForConsent")
    tenant.wait_phase("weekly-2030-01-07", "Scheduled")
    tenant.zoom.act(meeting.id, "start", emit=True)
    tenant.wait("the mapping is written", lambda: tenant.status("meetingmappings", meeting.id).get("phase") == "Live")

    assert cluster.kubectl("diff", *way, "--filename=-", stdin=text) == ""
    before = kept(tenant, text)
    cluster.kubectl("apply", *way, "--filename=-", stdin=text)
    assert kept(tenant, text) == before
    assert tenant.phase("weekly-2030-01-07") == "Scheduled"
    # The status is one field to the API server, and the tool's own fields stay.
    for plural, name in (("meetingbots", "weekly-2030-01-07"), ("meetingmappings", str(meeting.id))):
        fields = managed(tenant, plural, name)
        assert fields["meetingbots"]["f:status"] == {}
        tool = "gitops" if "--server-side" in way else "kubectl-client-side-apply"
        assert "f:spec" in fields[tool]


def tokens_asked(tenant: Tenant) -> int:
    """How often Zoom was asked for tokens of the tenant's app."""
    return len(tenant.zoom.calls("oauth.token", client_id=tenant.app.client_id))


def test_a_pruned_credential_keeps_its_consent(tenant: Tenant) -> None:
    tenant.ready_credential()
    tokens, asked = tenant.secret_values("alice-zoom-token"), tokens_asked(tenant)
    assert tokens["refresh_token"]
    assert asked > 0
    tenant.delete("zoomcredentials", "alice")
    tenant.wait("it is gone", lambda: not tenant.get("zoomcredentials", "alice"))
    tenant.credential("alice")
    tenant.wait_ready("zoomcredentials", "alice")
    assert tenant.secret_values("alice-zoom-token") == tokens
    assert tokens_asked(tenant) == asked

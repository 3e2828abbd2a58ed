"""The rights that operator and receiver have: enough for everything, and Secrets by name only."""

from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient

OURS = ("system:serviceaccount:meetingbots-system:operator", "system:serviceaccount:meetingbots-system:receiver")


def test_nothing_is_forbidden_and_no_secret_is_listed(
    tenant: Tenant, kubelet: KubeletDouble, cluster: ControlPlane, zoom: SimClient
) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting(emit=True)
    tenant.bot("notes", meeting.id, ttlSecondsAfterFinished=0, joinAt="2999-01-01T00:00:00Z")
    tenant.wait_phase("notes", "Scheduled")
    tenant.bot("now", meeting.id, credentialRef={"name": "alice"})
    tenant.wait_phase("now", "Running")
    tenant.wait("join", lambda: bool(tenant.visits(meeting.id)))
    zoom.act(meeting.id, "end")
    tenant.wait_phase("now", "Succeeded")
    mine = [call for call in cluster.calls() if call.user in OURS]
    assert {call.user for call in mine} == set(OURS)
    forbidden = {
        (call.verb, call.resource)
        for call in mine
        if call.code == 403 and call.namespace in (tenant.namespace, "meetingbots-system", "")
    }
    assert not forbidden
    broad = {
        (call.user, call.verb)
        for call in mine
        if call.resource == "secrets" and call.verb in ("list", "watch") and call.name != "meetingbots-receiver"
    }
    assert not broad

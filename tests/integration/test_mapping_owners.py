"""The garbage collector and the mappings: a credential that is made anew loses none, people's own are never taken."""

import json
import time
from pathlib import Path

from tests.cluster.controlplane import ControlPlane
from tests.integration.test_mapping_life import ask_for_sync, manifest, roles
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient

MEETINGS = 60


def owners(tenant: Tenant, meeting_id: object) -> list[str]:
    metadata = tenant.get("meetingmappings", meeting_id).get("metadata", {})
    return [owner["uid"] for owner in metadata.get("ownerReferences", [])]


def test_a_replaced_credential_has_all_its_mappings_again(
    tenant: Tenant, cluster: ControlPlane, zoom: SimClient, tmp_path: Path
) -> None:
    tenant.ready_credential()
    for _ in range(MEETINGS):
        tenant.meeting(started=False)
    # Instant, and so in no list of Zoom's.
    running = tenant.meeting(started=False, type=1)
    zoom.act(running.id, "start")
    ask_for_sync(tenant, "alice")
    tenant.wait("all of them", lambda: len(tenant.mappings()) == MEETINGS + 2)
    before = {item["metadata"]["name"] for item in tenant.mappings()}
    assert str(running.id) in before
    file = tmp_path / "alice.json"
    file.write_text(json.dumps(tenant.credential_object()))
    cluster.kubectl("replace", "--force", "-n", tenant.namespace, "-f", str(file))
    uid = tenant.get("zoomcredentials", "alice")["metadata"]["uid"]
    tenant.wait_ready("zoomcredentials", "alice")
    tenant.wait(
        "synced anew",
        lambda: tenant.condition("zoomcredentials", "alice", "MeetingsSynced").get("status") == "True",
    )
    tenant.wait("nothing is missing", lambda: {item["metadata"]["name"] for item in tenant.mappings()} == before)
    tenant.wait("all are the new one's", lambda: {*map(str, owned_by(tenant))} == {uid})
    time.sleep(4)  # the garbage collector's turn, if it had one
    assert {item["metadata"]["name"] for item in tenant.mappings()} == before
    assert tenant.status("meetingmappings", running.id)["phase"] == "Live"
    zoom.act(running.id, "end")
    tenant.wait("its end is heard", lambda: tenant.status("meetingmappings", running.id).get("phase") == "Ended")


def owned_by(tenant: Tenant) -> set[str]:
    """The uids of all owners, with an empty one for a mapping that has none."""
    return {
        owner["uid"] for item in tenant.mappings() for owner in item["metadata"].get("ownerReferences") or [{"uid": ""}]
    }


def test_people_take_a_found_mapping_over_without_any_event(tenant: Tenant, cluster: ControlPlane) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting(started=False, emit=True)
    tenant.wait("found", lambda: roles(tenant, meeting.id) == {"alice": "Host"})
    assert owners(tenant, meeting.id)
    cluster.kubectl("apply", "-f", "-", stdin=manifest(tenant, meeting.id, "dora"))
    # Nothing is heard of the meeting, and the sweep is minutes away.
    tenant.wait("nobody owns it", lambda: not owners(tenant, meeting.id), seconds=30)
    tenant.delete("zoomcredentials", "alice")
    tenant.wait("freed", lambda: roles(tenant, meeting.id) == {})
    time.sleep(2)  # the garbage collector's turn, if it had one
    assert tenant.get("meetingmappings", meeting.id)["spec"]["credentials"] == [{"name": "dora"}]

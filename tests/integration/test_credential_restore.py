"""A consent outlives what happens to the cluster: a shutdown with tokens in hand, a restore with new UIDs."""

import threading
import time
from pathlib import Path
from typing import Any

import httpx

from tests.cluster.api import core_path
from tests.cluster.controlplane import ControlPlane
from tests.stack.stack import Stack
from tests.stack.tenant import GROUP, Tenant
from tests.zoomsim.client import SimClient

ZOOM_TAKES = 4.0
"""Seconds for a renewal."""
AWAY = 8.0
"""Seconds without an API server after the operator got SIGTERM."""


def test_tokens_that_are_not_stored_yet_are_stored_before_the_operator_ends(
    own_cluster: ControlPlane, zoom: SimClient, tmp_path: Path
) -> None:
    own_cluster.api.create(core_path("namespaces"), {"metadata": {"name": "acme"}})
    tenant = Tenant(own_cluster, zoom, "acme")
    with Stack(own_cluster, zoom_url=zoom.base_url, system="meetingbots-system", folder=tmp_path) as stack:
        tenant.app_secret()
        tenant.consent()
        tenant.credential(meetingSync={"enabled": False})
        tenant.wait_ready("zoomcredentials", "alice")
        old = tenant.secret_values("alice-zoom-token")["refresh_token"]
        zoom.fault("oauth.token", "delay", seconds=ZOOM_TAKES, client_id=tenant.app.client_id)
        own_cluster.api.patch(
            f"{GROUP}/namespaces/acme/zoomcredentials/alice",
            {"metadata": {"annotations": {"meetingbots.dev/refresh-requested-at": "now"}}},
        )
        tenant.wait("Zoom is being asked", lambda: not zoom.faults())
        own_cluster.stop_apiserver(crash=True)
        time.sleep(ZOOM_TAKES + 1)  # the answer comes, and can be stored nowhere
        end = threading.Thread(target=stack.operator.stop)
        end.start()
        time.sleep(AWAY)
        assert stack.operator.running, "it does not end with the only copy in its hands"
        own_cluster.start_apiserver()
        end.join()
        new = tenant.secret_values("alice-zoom-token")
        assert new["refresh_token"] != old
        headers = {"authorization": f"Bearer {new['access_token']}"}
        assert httpx.get(f"{zoom.api_url}/users/me", headers=headers, trust_env=False).status_code == 200
        assert not stack.operator.running


def test_a_backup_is_restored_with_new_uids(tenant: Tenant, cluster: ControlPlane, zoom: SimClient) -> None:
    tenant.ready_credential()
    planned = tenant.meeting(started=False, emit=True)
    tenant.wait("mapped", lambda: bool(tenant.get("meetingmappings", planned.id)))
    mappings = f"{GROUP}/namespaces/{tenant.namespace}/meetingmappings"
    credentials = f"{GROUP}/namespaces/{tenant.namespace}/zoomcredentials"
    secrets = core_path("secrets", namespace=tenant.namespace)
    places = [
        *((secrets, name) for name in ("zoom-app", "alice", "alice-zoom-token")),
        # As backups do: mappings come back before their owner, and with its former uid.
        *((mappings, item["metadata"]["name"]) for item in tenant.mappings()),
        (credentials, "alice"),
    ]
    backup = [(place, name, cluster.api.get(f"{place}/{name}") or {}) for place, name in places]
    for place, name, _ in reversed(backup):
        cluster.api.delete(f"{place}/{name}")
    tenant.wait("all is gone", lambda: not tenant.mappings() and not tenant.get("zoomcredentials", "alice"))
    for place, _, item in backup:
        cluster.api.create(place, restored(item))
    uid = tenant.get("zoomcredentials", "alice")["metadata"]["uid"]
    assert uid != backup[-1][2]["metadata"]["uid"]
    tenant.wait_ready("zoomcredentials", "alice")
    names = {name for place, name, _ in backup if place == mappings}

    def owned() -> set[tuple[str, str]]:
        items = [item["metadata"] for item in tenant.mappings()]
        return {(item["name"], owner["uid"]) for item in items for owner in item.get("ownerReferences", [])}

    tenant.wait("all of them are the new one's", lambda: owned() == {(name, uid) for name in names})
    time.sleep(4)  # the garbage collector's turn, if it had one
    assert owned() == {(name, uid) for name in names}
    zoom.act(planned.id, "start")
    tenant.wait("events arrive", lambda: tenant.status("meetingmappings", planned.id).get("phase") == "Live")


def restored(item: dict[str, Any]) -> dict[str, Any]:
    """The object as a backup gives it back: without what the API server alone may set, and without a status."""
    kept = {
        key: item["metadata"][key]
        for key in ("name", "labels", "annotations", "ownerReferences")
        if key in item["metadata"]
    }
    rest = {key: value for key, value in item.items() if key not in ("metadata", "status")}
    # A mapping has no status of its own right (no sub-resource), and comes back with it.
    status = {"status": item["status"]} if item["kind"] == "MeetingMapping" else {}
    return {**rest, **status, "metadata": kept}

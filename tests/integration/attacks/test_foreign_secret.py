"""A Secret with the name of a join Secret that the operator did not create: neither a delivery nor deleted."""

from __future__ import annotations

from typing import Any

import pytest
from meetingbots.bots.manifests.environment import FROM_SECRET

from tests.cluster.api import core_path
from tests.integration.attacks.installation import Installation
from tests.stack.tenant import GROUP, Tenant

DELIVERED = {
    "meetingbots.dev/delivered-at": "2026-11-24T12:00:00+00:00",
    "meetingbots.dev/token-kinds": "LocalRecording",
    "meetingbots.dev/credential": "alice",
    "meetingbots.dev/token-reason": "",
    "meetingbots.dev/token-message": "",
    "meetingbots.dev/joined-with": "",
}
LABELS = {"app.kubernetes.io/managed-by": "meetingbots", "meetingbots.dev/bot": "notes"}
KINDS = {"plain": "plain", "forged": "forged", "owned": "of another Pod"}


def foreign(name: str, kind: str, *, owner: dict[str, Any]) -> dict[str, Any]:
    """A Secret of that name: one of somebody's, or one that claims to be a delivery."""
    metadata: dict[str, Any] = {"name": name}
    if kind != "plain":
        metadata |= {"labels": LABELS, "annotations": DELIVERED}
    if kind == "of another Pod":
        reference = {"apiVersion": "v1", "kind": "Pod", "name": owner["name"], "uid": owner["uid"]}
        metadata["ownerReferences"] = [reference]
    return {"metadata": metadata, "stringData": dict.fromkeys(FROM_SECRET, "somebody's own")}


def suspended_bot(tenant: Tenant, name: str, meeting_id: int) -> str:
    """A bot that does nothing yet; returns the name that its first Pod gets."""
    tenant.bot(name, meeting_id, image="test/sleep", suspend=True)
    uid = tenant.get("meetingbots", name)["metadata"]["uid"]
    return f"{name}-{uid[:5]}-1"


@pytest.mark.timeout(300)
def test_a_foreign_secret_is_no_delivery_and_stays(installation: Installation) -> None:
    tenant, api = installation.tenant(), installation.cluster.api
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    container = {"containers": [{"name": "x", "image": "test/sleep"}]}
    other = api.create(
        core_path("pods", namespace=tenant.namespace), {"metadata": {"name": "other"}, "spec": container}
    )
    secrets = core_path("secrets", namespace=tenant.namespace)
    uids = {}
    pods = {name: suspended_bot(tenant, name, meeting.id) for name in KINDS}
    for name, kind in KINDS.items():
        made = api.create(secrets, foreign(f"{pods[name]}-zoom", kind, owner=other["metadata"]))
        uids[name] = made["metadata"]["uid"]
        api.patch(f"{GROUP}/namespaces/{tenant.namespace}/meetingbots/{name}", {"spec": {"suspend": False}})
    for name, pod in pods.items():
        tenant.wait(f"{name} has started", lambda pod=pod: _started(tenant, pod))  # type: ignore[misc]
        tenant.wait_phase(name, "Running")
        assert tenant.condition("meetingbots", name, "TokenIssued").get("status") != "True", name
    installation.restart_operator()
    for name, pod in pods.items():
        api.patch(f"{GROUP}/namespaces/{tenant.namespace}/meetingbots/{name}", {"spec": {"suspend": True}})
        tenant.wait(f"{name} has ended", lambda pod=pod: not tenant.core("pods", pod))  # type: ignore[misc]
    for name, pod in pods.items():
        assert tenant.core("secrets", f"{pod}-zoom")["metadata"]["uid"] == uids[name], name


def _started(tenant: Tenant, pod: str) -> bool:
    statuses = tenant.core("pods", pod).get("status", {}).get("containerStatuses", [])
    return any("running" in one["state"] for one in statuses)

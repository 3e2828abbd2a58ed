"""Credentials without app Secrets in one namespace do not fill the receiver's Secret."""

from __future__ import annotations

import pytest

from tests.cluster.api import core_path
from tests.integration.attacks.installation import Installation, wait_known
from tests.stack.tenant import Tenant

NAMESPACE_BYTES = 64 * 1024
CREDENTIALS = 150
"""With names as long as allowed, more than twice a namespace's share; 1,886 with short names fill all of 1 MiB."""
RECEIVER_SECRET = core_path("secrets", namespace="meetingbots-system", name="meetingbots-receiver")


def share(installation: Installation, tenant: Tenant) -> int:
    """Bytes of the namespace's entries in the receiver's Secret."""
    data = (installation.cluster.api.get(RECEIVER_SECRET) or {}).get("data") or {}
    return sum(len(key) + len(value) for key, value in data.items() if key.startswith(f"{tenant.namespace}."))


def is_reported(tenant: Tenant) -> bool:
    events = tenant.cluster.api.get(f"/apis/events.k8s.io/v1/namespaces/{tenant.namespace}/events") or {}
    return any(one["reason"] == "ReceiverShareExceeded" for one in events.get("items", ()))


@pytest.mark.timeout(400)
def test_many_credentials_without_secrets_leave_room_for_the_others(installation: Installation) -> None:
    hostile, good = installation.tenant(), installation.tenant()
    for number in range(CREDENTIALS):
        secret = f"{number:03d}".ljust(253, "a")
        hostile.credential(f"empty-{number}", appSecretRef={"name": secret}, grant={"connect": {}})
    hostile.wait("the full share is reported", lambda: is_reported(hostile), seconds=180)
    good.ready_credential()
    wait_known(installation.stack, good)
    meeting = good.meeting(emit=True)
    good.wait("a webhook makes a mapping", lambda: bool(good.get("meetingmappings", meeting.id)))
    assert NAMESPACE_BYTES / 2 < share(installation, hostile) <= NAMESPACE_BYTES

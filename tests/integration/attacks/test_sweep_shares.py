"""The sweep's questions to Zoom are shared between namespaces, however many doubtful meetings one of them has."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.integration.attacks import misbehaving
from tests.integration.attacks.installation import PATIENCE, Installation, new_namespace
from tests.integration.attacks.test_frozen_leader import running
from tests.stack.rights import grant
from tests.stack.tenant import GROUP, Tenant, custom_object

DOUBTFUL = 300
QUESTIONS = 100
"""Per sweep (mappings/reconcile/stale_check.py)."""
IDLE_SECONDS = 40 * 86_400


def doubtful(tenant: Tenant, number: int) -> str:
    """A mapping of a meeting that no list has and that had no event for 40 days; Zoom does not know the meeting."""
    name = str(93_000_000_000 + number)
    body = custom_object("MeetingMapping", name, {"meetingId": name})
    created = int((time.time() - IDLE_SECONDS) * 1000)
    entry = {"name": "alice", "role": "Host", "source": "Webhook"}
    body["metadata"]["labels"] = {"credential.meetingbots.dev/alice": ""}
    body["status"] = {"phase": "Scheduled", "credentials": [entry], "eventTimes": {"existence": created}}
    tenant.cluster.api.create(f"{GROUP}/namespaces/{tenant.namespace}/meetingmappings", body)
    return name


def questions(tenant: Tenant) -> int:
    return len(tenant.zoom.calls("meetings.get", client_id=tenant.app.client_id))


@pytest.mark.timeout(600)
def test_many_doubtful_meetings_of_one_namespace_leave_questions_to_the_others(
    installation: Installation, tmp_path: Path
) -> None:
    cluster, zoom = installation.cluster, installation.zoom
    # In the order of a list, the hostile namespace comes first.
    hostile = Tenant(cluster, zoom, new_namespace(cluster, prefix="a-hostile"), patience=PATIENCE)
    good = Tenant(cluster, zoom, new_namespace(cluster, prefix="z-good"), patience=PATIENCE)
    for tenant in (hostile, good):
        tenant.ready_credential()
    installation.stack.operator.stop()
    try:
        for number in range(DOUBTFUL):
            doubtful(hostile, number)
        mine = doubtful(good, 0)
        order = misbehaving.Order(
            kubeconfig=grant(cluster, "operator", system="sweeping-system", served=()),
            zoom_url=zoom.base_url,
            namespaces=(),
            trace=tmp_path / "trace",
        )
        with running(misbehaving.start(order)):
            good.wait(
                "the good tenant's mapping is removed", lambda: not good.get("meetingmappings", mine), seconds=240
            )
            hostile.wait(
                "the sweep's last question", lambda: questions(hostile) + questions(good) >= QUESTIONS, seconds=60
            )
            assert questions(hostile) < QUESTIONS
    finally:
        installation.stack.operator.start()

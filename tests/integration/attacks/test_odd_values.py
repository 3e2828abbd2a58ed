"""Odd values in every field of every kind, and in every Secret, are reported on the object and stop nobody else."""

from __future__ import annotations

import json
import re

import pytest

from tests.cluster.api import core_path
from tests.integration.attacks.installation import Installation, wait_known
from tests.integration.attacks.odd_values import Odd, odd_objects, odd_secrets, token_secret, users_of
from tests.stack.tenant import GROUP, Tenant

FEWEST_STORED = 40
"""So many odd objects pass the API server's own rules."""
DEFECTS = re.compile(r"defect|is skipped|restart in|is not settled|Traceback")
PLURALS = {"MeetingBot": "meetingbots", "ZoomCredential": "zoomcredentials", "MeetingMapping": "meetingmappings"}


def store(tenant: Tenant, odd: Odd) -> bool:
    """Whether the API server takes the object; what it refuses needs no defence."""
    path = f"{GROUP}/namespaces/{tenant.namespace}/{PLURALS[odd.body['kind']]}"
    status, answer = tenant.cluster.api.raw("POST", path, json.dumps(odd.body).encode())
    assert status in (201, 422), (odd.field, status, answer[:300])
    return status == 201


def unreported(tenant: Tenant) -> list[str]:
    """The bots and credentials without a condition Ready."""
    found = []
    for plural in ("meetingbots", "zoomcredentials"):
        for one in (tenant.cluster.api.get(f"{GROUP}/namespaces/{tenant.namespace}/{plural}") or {})["items"]:
            conditions = one.get("status", {}).get("conditions", ())
            if not any(condition["type"] == "Ready" for condition in conditions):
                found.append(f"{plural}/{one['metadata']['name']}")
    return found


def works(tenant: Tenant, bot: str) -> None:
    """A webhook makes a mapping, and a bot joins with its token."""
    meeting = tenant.meeting(emit=True)
    tenant.wait("mapping", lambda: bool(tenant.get("meetingmappings", meeting.id)))
    tenant.bot(bot, meeting.id)
    tenant.wait_phase(bot, "Running")
    tenant.wait("token", lambda: tenant.condition("meetingbots", bot, "TokenIssued").get("status") == "True")


@pytest.mark.timeout(400)
def test_odd_values_are_reported_and_stop_nobody_else(installation: Installation) -> None:
    good, hostile = installation.tenant(), installation.tenant()
    for tenant in (good, hostile):
        tenant.ready_credential()
    wait_known(installation.stack, good)
    meeting = hostile.meeting()
    hostile.mapping(meeting.id, "alice")
    secrets = core_path("secrets", namespace=hostile.namespace)
    for name, data in odd_secrets():
        hostile.cluster.api.create(secrets, {"metadata": {"name": name}, "data": data})
        hostile.cluster.api.create(secrets, token_secret(name, data))
        for user in users_of(name, meeting_id=meeting.id):
            assert store(hostile, user), user.field
    stored = sum(store(hostile, odd) for odd in odd_objects())
    assert stored >= FEWEST_STORED, stored
    hostile.wait("all are reported", lambda: not unreported(hostile), seconds=180)
    works(good, "beside")
    installation.restart_operator()
    works(good, "after-a-restart")
    for program in (installation.stack.operator, installation.stack.receiver):
        assert program.running
        assert not [line[:300] for line in program.text().splitlines() if DEFECTS.search(line)]

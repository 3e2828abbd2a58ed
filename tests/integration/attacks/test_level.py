"""A plain user's consent that calls itself `level: Account` learns nothing of the user's colleagues."""

from __future__ import annotations

import pytest

from tests.integration.attacks.installation import wait_known
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.world import User

EVENTS = 4
"""Creation and start of two meetings."""


@pytest.mark.usefixtures("kubelet")
def test_level_account_of_a_plain_user_reaches_no_meeting_of_a_colleague(
    tenant: Tenant, zoom: SimClient, stack: Stack
) -> None:
    tenant.app_secret()
    tenant.consent()
    tenant.credential(level="Account")
    tenant.wait("identified", lambda: bool(tenant.status("zoomcredentials", "alice").get("userId")), seconds=90)
    wait_known(stack, tenant)
    email = f"colleague-{tenant.namespace}@tenant.example"
    colleague = zoom.add_user(User(account_id=tenant.account.id, email=email))

    # The colleague uses the same app elsewhere, so that Zoom sends the colleague's events to it.
    zoom.consent(client_id=tenant.app.client_id, user=colleague.id)
    theirs = tenant.meeting(host_id=colleague.id, emit=True)
    own = tenant.meeting(emit=True)
    tenant.wait("the own meeting is mapped", lambda: bool(tenant.get("meetingmappings", own.id)), seconds=90)

    def answered() -> bool:
        sent = [one for one in zoom.deliveries() if one.client_id == tenant.app.client_id]
        return len(sent) >= EVENTS and all(one.state == "delivered" for one in sent)

    tenant.wait("all events are answered", answered, seconds=90)
    assert not tenant.get("meetingmappings", theirs.id)

    tenant.bot("spy", theirs.id, tokenPolicy="Required", tokenWaitSeconds=1)
    tenant.wait_reason("meetingbots", "spy", "NoMapping", seconds=90)
    assert not zoom.calls("meetings.jointoken", client_id=tenant.app.client_id)

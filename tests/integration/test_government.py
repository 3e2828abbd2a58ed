"""Zoom and Zoom for Government in one release: a bot learns from its credential where a lone meeting ID belongs."""

import pytest

from tests.cluster.kubelet import KubeletDouble
from tests.stack.tenant import Tenant

SECONDS = 60.0


def environment(tenant: Tenant, kubelet: KubeletDouble, bot: str) -> dict[str, str]:
    tenant.wait_phase(bot, "Running", seconds=SECONDS)
    return kubelet.record(tenant.namespace, tenant.status("meetingbots", bot)["podName"]).environment["bot"]


@pytest.fixture
def government(tenant: Tenant) -> Tenant:
    """A customer with an app of Zoom for Government."""
    tenant.app_secret(environment="zoomgov.com")
    tenant.consent()
    tenant.credential()
    tenant.wait_ready("zoomcredentials", "alice", seconds=SECONDS)
    return tenant


def test_a_lone_meeting_id_gets_the_host_of_its_credential(government: Tenant, kubelet: KubeletDouble) -> None:
    meeting = government.meeting()
    government.mapping(meeting.id, "alice")
    government.bot("by-id", {"id": str(meeting.id), "passcode": "Secret.1"})
    government.bot("by-link", {"url": f"https://zoom.us/j/{meeting.id}"})
    found = environment(government, kubelet, "by-id")
    assert found["ZOOM_JOIN_TOKEN"]
    assert found["ZOOM_HOST"] == "zoomgov.com"
    assert found["ZOOM_MEETING_URL"] == f"https://zoomgov.com/j/{meeting.id}?pwd=Secret.1"
    assert environment(government, kubelet, "by-link")["ZOOM_HOST"] == "zoom.us"


def test_a_bot_without_a_token_joins_where_its_credential_is(government: Tenant, kubelet: KubeletDouble) -> None:
    government.zoom.change_account(government.account.id, local_recording=False)
    meeting = government.meeting()
    government.mapping(meeting.id, "alice")
    government.bot("refused", meeting.id)
    found = environment(government, kubelet, "refused")
    assert (found["ZOOM_JOIN_TOKEN"], found["ZOOM_TOKEN_REASON"]) == ("", "LocalRecordingDisabled")
    assert found["ZOOM_HOST"] == "zoomgov.com"

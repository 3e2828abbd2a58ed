"""Notices about bots reach the namespace's webhook in order, at least once, and verify with the official library."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks.webhooks import Webhook

from tests.cluster.api import core_path, wait_until
from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.stack.customer_site import CustomerSite
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient

KEY = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
LIMIT = 120.0


@dataclass(frozen=True)
class Platform:
    """A customer with a webhook, and the installation that calls it."""

    stack: Stack
    tenant: Tenant
    site: CustomerSite

    def notices(self, bot: str) -> list[dict[str, Any]]:
        """The accepted notices about a bot, verified."""
        found = [Webhook(KEY).verify(body, headers) for headers, body in list(self.site.notices)]
        return [one for one in found if one["data"]["name"] == bot and one["type"].startswith("bot.")]

    def types(self, bot: str) -> list[str]:
        return [one["type"].removeprefix("bot.") for one in self.notices(bot)]

    def wait_types(self, bot: str, *types: str) -> None:
        self.tenant.wait(f"{bot}: {types}", lambda: self.types(bot) == list(types), seconds=LIMIT)

    def restart(self) -> None:
        """Kill the operator, and start it again."""
        self.stack.operator.kill()
        self.stack.operator.start()


@pytest.fixture
def platform(own_cluster: ControlPlane, zoom: SimClient, tmp_path: Path) -> Iterator[Platform]:
    namespace = f"test-{uuid4().hex[:8]}"
    own_cluster.api.create(core_path("namespaces"), {"metadata": {"name": namespace}})
    account = core_path("serviceaccounts", namespace=namespace, name="default")
    wait_until(lambda: own_cluster.api.get(account) is not None, what="default service account")
    tenant = Tenant(own_cluster, zoom, namespace, patience=LIMIT)
    site = CustomerSite(folder=tmp_path, key="", token=str)
    stack = Stack(
        own_cluster,
        zoom_url=zoom.base_url,
        system="meetingbots-system",
        folder=tmp_path / "stack",
        settings={"ALLOWED_NOTIFY_URL_HOSTS": "private:localhost"},
        environment={"SSL_CERT_FILE": str(site.certificate)},
    )
    with site, KubeletDouble(own_cluster.kubeconfig("kubelet")), stack:
        zoom.change_app(tenant.app.client_id, webhook_url=stack.webhook_url(tenant.app.client_id))
        tenant.secret("meetingbots-notify", url=f"{site.base_url}/notify", secret=KEY)
        yield Platform(stack, tenant, site)


def test_a_killed_operator_loses_and_repeats_no_notice(platform: Platform, zoom: SimClient) -> None:
    tenant, site = platform.tenant, platform.site
    tenant.ready_credential()
    meeting = tenant.meeting(emit=True)
    tenant.mapping(meeting.id, "alice")
    tenant.bot("recorder", meeting.id, bypassWaitingRoom=False, tokenEndpoint=True)
    platform.wait_types("recorder", "scheduled", "joining", "waiting")

    site.accepts = False
    (visit,) = tenant.visits(meeting.id)
    zoom.answer(visit.id, "granted")
    tenant.wait("a refused notice", lambda: any(b"bot.admitted" in body for body in list(site.refused)))
    tenant.wait("it records", lambda: recording(tenant) == "True")
    platform.stack.operator.kill()
    site.accepts = True
    platform.stack.operator.start()
    platform.wait_types("recorder", "scheduled", "joining", "waiting", "admitted", "recording")
    assert not any(b"bot.recording" in body for body in site.refused), "a later notice overtook the refused one"

    zoom.act(meeting.id, "end")
    platform.wait_types("recorder", "scheduled", "joining", "waiting", "admitted", "recording", "done")
    check_facts(platform.notices("recorder"), meeting_id=str(meeting.id))

    platform.restart()
    denied = tenant.meeting(host_answer="denied")
    tenant.bot("refused", denied.id, tokenWaitSeconds=1, tokenEndpoint=True, retry={"limit": 0})
    platform.wait_types("refused", "scheduled", "joining", "admitted", "failed")
    first, last = platform.notices("refused")[1], platform.notices("refused")[-1]
    assert (first["data"]["reason"], first["data"]["tokens"]) == ("NoMapping", [])
    assert (last["data"]["reason"], last["data"]["phase"]) == ("BotFailed", "Failed")
    assert platform.types("recorder")[-1] == "done", "the restart repeated notices"
    ids = [headers["webhook-id"] for headers, _ in site.notices]
    assert len(ids) == len(set(ids))


def recording(tenant: Tenant) -> Any:
    return tenant.condition("meetingbots", "recorder", "Recording").get("status")


def check_facts(notices: list[dict[str, Any]], *, meeting_id: str) -> None:
    """Check what the notices of a recorded meeting hold, and that no secret is among it."""
    last = notices[-1]["data"]
    assert (last["meetingId"], last["phase"], last["reason"]) == (meeting_id, "Succeeded", "Succeeded")
    times = [last[name] for name in ("joinAt", "waitingRoomTime", "admittedTime", "recordingTime", "completionTime")]
    assert times[1:] == sorted(times[1:])
    by_type = {one["type"]: one["timestamp"] for one in notices}
    assert by_type["bot.admitted"] == last["admittedTime"]
    assert by_type["bot.recording"] == last["recordingTime"]
    assert 'token":' not in json.dumps(notices)

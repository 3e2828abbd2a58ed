"""How far a bot is in its meeting: the waiting room, its end, removal, and reports that come late or at a bad time."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.cluster.api import core_path, wait_until
from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.integration.test_bots_end import ready_meeting
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient

LIMIT = 120.0
IN_WAITING_ROOM = ("False", "InWaitingRoom")


def progress(tenant: Tenant, kind: str, bot: str = "notes") -> tuple[str, str]:
    """Status and reason of Admitted or Recording."""
    found = tenant.condition("meetingbots", bot, kind)
    return found.get("status", ""), found.get("reason", "")


def wait_progress(tenant: Tenant, *, admitted: tuple[str, str], recording: tuple[str, str], bot: str = "notes") -> None:
    tenant.wait(
        f"{bot}: Admitted {admitted}, Recording {recording}",
        lambda: (progress(tenant, "Admitted", bot), progress(tenant, "Recording", bot)) == (admitted, recording),
        seconds=LIMIT,
    )


def seen(tenant: Tenant, bot: str = "notes") -> dict[str, Any]:
    found: dict[str, Any] = tenant.status("meetingbots", bot)["inMeeting"]
    return found


def report(environment: dict[str, str], state: str, *, token: str) -> int:
    """Report a state as a bot does; returns the HTTP status."""
    body = json.dumps({"state": state, "code": 0, "message": ""}).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(environment["ZOOM_REPORT_URL"], data=body, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def environment_of(tenant: Tenant, kubelet: KubeletDouble, bot: str = "notes") -> dict[str, str]:
    """The environment of the bot's current Pod."""
    return kubelet.record(tenant.namespace, tenant.status("meetingbots", bot)["podName"]).environment["bot"]


def test_the_waiting_room_and_a_removal(tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient) -> None:
    meeting = ready_meeting(tenant)
    soon = {"retrySeconds": 10}
    tenant.bot("notes", meeting.id, bypassWaitingRoom=False, tokenEndpoint=True, onBehalf=soon)
    wait_progress(tenant, admitted=IN_WAITING_ROOM, recording=IN_WAITING_ROOM)
    tenant.wait_phase("notes", "Running", seconds=LIMIT)
    (visit,) = tenant.visits(meeting.id)
    zoom.answer(visit.id, "granted")
    wait_progress(tenant, admitted=("True", "Admitted"), recording=("True", "Recording"))
    first = seen(tenant)
    zoom.put_in_waiting_room(visit.id)
    wait_progress(tenant, admitted=IN_WAITING_ROOM, recording=IN_WAITING_ROOM)
    # Zoom's event may come first. The bot looks twice a second, and reports no state that is over before its look.
    tenant.wait("the bot reports it too", lambda: seen(tenant)["source"] == "Bot", seconds=LIMIT)
    zoom.answer(visit.id, "granted")
    wait_progress(tenant, admitted=("True", "Admitted"), recording=("True", "Recording"))
    zoom.put_out(visit.id)
    tenant.wait("a second Pod joins", lambda: len(tenant.visits(meeting.id)) == 2, seconds=LIMIT)
    wait_progress(tenant, admitted=IN_WAITING_ROOM, recording=IN_WAITING_ROOM)
    now, status = seen(tenant), tenant.status("meetingbots", "notes")
    assert status["lastAttempt"]["exitCode"] == 75
    kept = ("waitingRoomTime", "admittedTime", "recordingTime")
    assert [now[name] for name in kept] == [first[name] for name in kept]
    assert "leftTime" in now


def test_a_bot_that_is_not_admitted_in_time_leaves(tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient) -> None:
    meeting = ready_meeting(tenant)
    common: dict[str, Any] = {"admissionDeadlineSeconds": 3, "tokenEndpoint": True}
    tenant.bot("admitted", meeting.id, **common)
    wait_progress(tenant, admitted=("True", "Admitted"), recording=("True", "Recording"), bot="admitted")
    tenant.bot("notes", meeting.id, bypassWaitingRoom=False, **common)
    tenant.bot("silent", meeting.id, image="test/sleep", admissionDeadlineSeconds=3)
    tenant.wait_phase("silent", "Running", seconds=LIMIT)
    tenant.wait_phase("notes", "Failed", seconds=LIMIT)
    assert tenant.condition("meetingbots", "notes")["reason"] == "NotAdmitted"
    assert progress(tenant, "Admitted")[0] == "False"
    assert "admittedTime" not in seen(tenant)
    tenant.wait(
        "it left the waiting room",
        lambda: (
            {one.state for one in zoom.participants() if one.meeting_id == str(meeting.id)} == {"left", "recording"}
        ),
        seconds=LIMIT,
    )
    assert (tenant.phase("admitted"), tenant.phase("silent")) == ("Running", "Running")


def test_a_report_of_an_earlier_pod_changes_nothing(tenant: Tenant, kubelet: KubeletDouble) -> None:
    meeting = ready_meeting(tenant)
    tenant.bot("notes", meeting.id, image="test/sleep", tokenEndpoint=True)
    tenant.wait_phase("notes", "Running", seconds=LIMIT)
    old = environment_of(tenant, kubelet)
    old_token = Path(old["ZOOM_TOKEN_URL_TOKEN_FILE"]).read_text()
    assert report(old, "recording", token=old_token) == 204
    wait_progress(tenant, admitted=("True", "Admitted"), recording=("True", "Recording"))
    first = tenant.status("meetingbots", "notes")["podName"]
    kubelet.evict(tenant.namespace, first)
    tenant.wait(
        "the second Pod runs",
        lambda: tenant.status("meetingbots", "notes")["podName"] != first and tenant.phase("notes") == "Running",
        seconds=LIMIT,
    )
    wait_progress(tenant, admitted=("Unknown", "NotReported"), recording=("Unknown", "NotReported"))
    before = seen(tenant)
    # The token of a Pod that still exists is valid (409); that of a deleted one is not (401). It may go meanwhile.
    existed = bool(tenant.core("pods", first))
    answer = report(old, "left", token=old_token)
    assert answer in {409 if existed else 401, 409 if tenant.core("pods", first) else 401}
    new = environment_of(tenant, kubelet)
    assert report(new, "waiting_room", token=Path(new["ZOOM_TOKEN_URL_TOKEN_FILE"]).read_text()) == 204
    wait_progress(tenant, admitted=IN_WAITING_ROOM, recording=IN_WAITING_ROOM)
    after = seen(tenant)
    assert (after["recordingTime"], after.get("leftTime")) == (before["recordingTime"], before.get("leftTime"))


def test_a_report_while_the_api_server_is_away_is_taken_when_repeated(
    own_cluster: ControlPlane, zoom: SimClient, tmp_path: Path
) -> None:
    namespace = f"test-{uuid4().hex[:8]}"
    own_cluster.api.create(core_path("namespaces"), {"metadata": {"name": namespace}})
    account = core_path("serviceaccounts", namespace=namespace, name="default")
    wait_until(lambda: own_cluster.api.get(account) is not None, what="default service account")
    with (
        KubeletDouble(own_cluster.kubeconfig("kubelet")) as kubelet,
        Stack(own_cluster, zoom_url=zoom.base_url, system="meetingbots-system", folder=tmp_path),
    ):
        tenant = Tenant(own_cluster, zoom, namespace, patience=LIMIT)
        meeting = tenant.meeting()
        tenant.bot("notes", meeting.id, image="test/sleep", tokenEndpoint=True, tokenWaitSeconds=1)
        tenant.wait_phase("notes", "Running")
        environment = environment_of(tenant, kubelet)
        token = Path(environment["ZOOM_TOKEN_URL_TOKEN_FILE"]).read_text()
        own_cluster.stop_apiserver()
        try:
            assert report(environment, "recording", token=token) == 503
        finally:
            own_cluster.start_apiserver()
        tenant.wait("the repeated report is taken", lambda: report(environment, "recording", token=token) == 204)
        wait_progress(tenant, admitted=("True", "Admitted"), recording=("True", "Recording"))
        assert seen(tenant)["source"] == "Bot"

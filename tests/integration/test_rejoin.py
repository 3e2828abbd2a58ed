"""A further token for a rejoin inside the Pod, on a real API server: TokenRequest, TokenReview, rights, Zoom."""

import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.api import core_path
from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.join import JoinRequest


@dataclass(frozen=True)
class Answer:
    """What the endpoint said."""

    status: int
    text: str
    retry_after: str | None


def ask(url: str, token: str, *, method: str = "POST") -> Answer:
    request = urllib.request.Request(url, method=method, headers={"Authorization": f"Bearer {token}"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=90) as answer:  # noqa: S310 - loopback
            return Answer(answer.status, answer.read().decode(), answer.headers.get("Retry-After"))
    except urllib.error.HTTPError as error:
        return Answer(error.code, error.read().decode(), error.headers.get("Retry-After"))


@pytest.fixture
def seen(tenant: Tenant, kubelet: KubeletDouble) -> dict[str, str]:
    """The environment of a bot that runs in its meeting and may ask for further tokens."""
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    tenant.bot("notes", meeting.id, image="test/sleep", tokenEndpoint=True)
    tenant.wait_phase("notes", "Running")
    return kubelet.record(tenant.namespace, tenant.status("meetingbots", "notes")["podName"]).environment["bot"]


def own_token(seen: dict[str, str]) -> str:
    return Path(seen["ZOOM_TOKEN_URL_TOKEN_FILE"]).read_text()


def pod_token(tenant: Tenant, pod: str, *, audience: str = "meetingbots") -> str:
    """A token as the kubelet would ask for it."""
    uid = tenant.core("pods", pod)["metadata"]["uid"]
    bound = {"apiVersion": "v1", "kind": "Pod", "name": pod, "uid": uid}
    return request_token(tenant, audiences=[audience], boundObjectRef=bound)


def request_token(tenant: Tenant, **spec: Any) -> str:
    path = core_path("serviceaccounts", namespace=tenant.namespace, name="default")
    answer = tenant.cluster.api.create(f"{path}/token", {"spec": {"expirationSeconds": 600, **spec}})
    return str(answer["status"]["token"])


def test_a_bot_that_was_put_out_joins_again_with_a_token_it_asked_for(
    tenant: Tenant, seen: dict[str, str], zoom: SimClient, stack: Stack
) -> None:
    url = seen["ZOOM_TOKEN_URL"]
    assert url == f"http://127.0.0.1:{stack.token_port}/token"
    answer = ask(url, own_token(seen))
    assert answer.status == 200
    assert answer.text not in ("", seen["ZOOM_JOIN_TOKEN"])
    visit = zoom.join(JoinRequest(meeting_id=seen["ZOOM_MEETING_ID"], join_token=answer.text))
    assert visit.state == "recording"
    others = [ask(url, own_token(seen), method="GET") for _ in range(2)]
    assert [other.status for other in others] == [200, 200]
    assert len({answer.text, *(other.text for other in others)}) == 3
    limited = next(answer for _ in range(100) if (answer := ask(url, own_token(seen))).status == 429)
    assert 1 <= int(limited.retry_after or 0) <= 10
    log = stack.operator.text()
    for secret in (answer.text, own_token(seen)):
        assert secret not in log
    tenant.wait("the Event", lambda: "TokenIssuedAgain" in events(tenant))


def events(tenant: Tenant) -> set[str]:
    found = tenant.cluster.api.get(f"/apis/events.k8s.io/v1/namespaces/{tenant.namespace}/events") or {"items": []}
    return {event["reason"] for event in found["items"]}


def test_only_the_bots_own_pod_is_let_in(tenant: Tenant, seen: dict[str, str], cluster: ControlPlane) -> None:
    url = seen["ZOOM_TOKEN_URL"]
    spec = {"containers": [{"name": "x", "image": "test/sleep"}], "restartPolicy": "Never"}
    cluster.api.create(core_path("pods", namespace=tenant.namespace), {"metadata": {"name": "other"}, "spec": spec})
    pod = tenant.status("meetingbots", "notes")["podName"]
    assert ask(url, "not-a-token").status == 401
    assert ask(url, request_token(tenant, audiences=["meetingbots"])).status == 401
    assert ask(url, pod_token(tenant, pod, audience=f"https://127.0.0.1:{cluster.port}")).status == 401
    assert ask(url, pod_token(tenant, "other")).status == 403
    assert ask(url, pod_token(tenant, pod)).status == 200
    assert cluster.api_with_token(own_token(seen)).raw("GET", "/api/v1/namespaces/default")[0] == 401


def test_without_the_field_there_is_no_way_in(tenant: Tenant, kubelet: KubeletDouble, stack: Stack) -> None:
    tenant.bot("plain", tenant.meeting().id, image="test/sleep", tokens=[])
    tenant.wait_phase("plain", "Running")
    pod = tenant.status("meetingbots", "plain")["podName"]
    assert "ZOOM_TOKEN_URL" not in kubelet.record(tenant.namespace, pod).environment["bot"]
    names = {volume["name"] for volume in tenant.core("pods", pod)["spec"].get("volumes", [])}
    assert names == set()
    answer = ask(f"http://127.0.0.1:{stack.token_port}/token", pod_token(tenant, pod))
    assert answer.status == 403


def test_a_missing_token_is_reported_with_its_reason(tenant: Tenant, seen: dict[str, str], zoom: SimClient) -> None:
    zoom.change_user(tenant.user.id, emit=False, local_recording=False)
    answer = ask(seen["ZOOM_TOKEN_URL"], own_token(seen))
    assert answer.status == 404
    assert answer.text.startswith("LocalRecordingDisabled: ")
    assert "alice" in answer.text
    tenant.apply("MeetingBot", "notes", {**tenant.get("meetingbots", "notes")["spec"], "suspend": True})
    pod = tenant.status("meetingbots", "notes")["podName"]
    token = own_token(seen)
    tenant.wait(
        "the Pod terminates", lambda: "deletionTimestamp" in str(tenant.core("pods", pod) or "deletionTimestamp")
    )
    assert ask(seen["ZOOM_TOKEN_URL"], token).status in (401, 403, 404)


def test_a_template_with_a_volume_of_that_name_is_reported(tenant: Tenant) -> None:
    bad = {"spec": {"containers": [{"name": "bot", "image": "test/sleep"}], "volumes": [{"name": "meetingbots-token"}]}}
    spec = {"meeting": {"id": "81234567890"}, "tokens": [], "tokenEndpoint": True, "template": bad}
    tenant.apply("MeetingBot", "clash", spec)
    assert "meetingbots-token" in tenant.wait_reason("meetingbots", "clash", "TemplateInvalid")["message"]


def report(url: str, token: str, body: bytes) -> int:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, data=body, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=90) as answer:  # noqa: S310 - loopback
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_bots_reports_reach_its_status(tenant: Tenant, seen: dict[str, str]) -> None:
    url = seen["ZOOM_REPORT_URL"]
    assert report(url, own_token(seen), b'{"state": "waiting_room"}') == 204
    assert tenant.status("meetingbots", "notes")["inMeeting"]["state"] == "waiting_room"
    assert report(url, own_token(seen), b'{"state": "recording", "code": 0, "message": "started"}') == 204
    status = tenant.status("meetingbots", "notes")
    assert (status["inMeeting"]["state"], status["inMeeting"]["source"]) == ("recording", "Bot")
    conditions = {one["type"]: one["status"] for one in status["conditions"]}
    assert (conditions["Admitted"], conditions["Recording"]) == ("True", "True")
    version = tenant.get("meetingbots", "notes")["metadata"]["resourceVersion"]
    assert report(url, own_token(seen), b'{"state": "recording", "code": 0, "message": "started"}') == 204
    assert tenant.get("meetingbots", "notes")["metadata"]["resourceVersion"] == version, "a repetition writes nothing"
    assert report(url, own_token(seen), b'{"state": "dancing"}') == 400
    assert report(url, own_token(seen), b"x" * 4097) == 413
    assert report(url, "no-token", b'{"state": "left"}') == 401


def test_a_pod_that_is_no_bots_reports_nothing(tenant: Tenant, seen: dict[str, str]) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "stranger", "labels": {"meetingbots.dev/bot": "notes"}},
        "spec": {"containers": [{"name": "bot", "image": "test/sleep"}]},
    }
    tenant.cluster.api.create(core_path("pods", namespace=tenant.namespace), pod)
    assert report(seen["ZOOM_REPORT_URL"], pod_token(tenant, "stranger"), b'{"state": "left"}') == 403

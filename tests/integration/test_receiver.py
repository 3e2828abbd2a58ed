"""The receiver as Zoom meets it: signed events become mappings, everything else gets the answer of the contract."""

import json
import time

import httpx
import pytest

from tests.cluster.api import core_path
from tests.cluster.controlplane import ControlPlane
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.webhooks import sign

RETRIES = 10
RETRY_SECONDS = 0.3


def post(
    url: str, body: bytes, *, secret: str = "", timestamp: int | None = None, headers: dict[str, str] | None = None
) -> httpx.Response:
    """Send an event as Zoom would, signed with `secret` if there is one; after 503 again, for some seconds."""
    for _ in range(RETRIES):
        answer = post_once(url, body, secret=secret, timestamp=timestamp, headers=headers)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
        time.sleep(RETRY_SECONDS)
    return answer


def post_once(
    url: str, body: bytes, *, secret: str, timestamp: int | None, headers: dict[str, str] | None
) -> httpx.Response:
    stamp = int(time.time()) if timestamp is None else timestamp
    signed = {"x-zm-request-timestamp": str(stamp)}
    if secret:
        signed["x-zm-signature"] = sign(secret=secret, timestamp=stamp, body=body)
    given = {"content-type": "application/json; charset=utf-8", **signed, **(headers or {})}
    return httpx.post(url, content=body, headers=given, timeout=60, trust_env=False)


def event(name: str, tenant: Tenant, **fields: object) -> bytes:
    """An event of the tenant's account."""
    now = int(time.time() * 1000)
    return json.dumps({"event": name, "event_ts": now, "payload": {"account_id": tenant.account.id, **fields}}).encode()


def test_events_become_mappings(tenant: Tenant, zoom: SimClient) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting(started=False, emit=True)
    webhook = [{"name": "alice", "role": "Host", "source": "Webhook"}]
    # The first sync may map the meeting before the webhook arrives.
    tenant.wait("created", lambda: tenant.status("meetingmappings", meeting.id).get("credentials") == webhook)
    mapping = tenant.get("meetingmappings", meeting.id)
    assert mapping["spec"] == {"meetingId": str(meeting.id)}
    assert mapping["status"]["phase"] == "Scheduled"
    (owner,) = mapping["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"]) == ("ZoomCredential", "alice")
    zoom.act(meeting.id, "start")
    tenant.wait("started", lambda: tenant.status("meetingmappings", meeting.id)["phase"] == "Live")
    live = tenant.get("meetingmappings", meeting.id)
    assert live["metadata"]["labels"]["meetingbots.dev/live"] == "true"
    assert live["status"]["uuid"]
    zoom.act(meeting.id, "end")
    tenant.wait("ended", lambda: tenant.status("meetingmappings", meeting.id)["phase"] == "Ended")
    zoom.act(meeting.id, "delete")
    tenant.wait("deleted", lambda: tenant.status("meetingmappings", meeting.id)["phase"] == "Deleted")
    text = json.dumps(tenant.get("meetingmappings", meeting.id))
    assert tenant.user.email not in text
    assert meeting.topic not in text


def test_an_instant_meeting_shows_only_when_it_starts(tenant: Tenant, zoom: SimClient) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting(type=1, started=False)
    zoom.act(meeting.id, "start")
    tenant.wait("mapped", lambda: tenant.status("meetingmappings", meeting.id).get("phase") == "Live")


def test_a_new_personal_meeting_id_moves_the_mapping(tenant: Tenant, zoom: SimClient) -> None:
    tenant.ready_credential()
    old = tenant.user.pmi
    tenant.wait("old PMI", lambda: bool(tenant.get("meetingmappings", old)))
    zoom.change_user(tenant.user.id, pmi=4400000000 + int(time.time() * 1000) % 100000000)

    def moved() -> bool:
        found = {item["metadata"]["name"]: item.get("status", {}).get("credentials", []) for item in tenant.mappings()}
        sources = {name: [entry["source"] for entry in entries] for name, entries in found.items()}
        return "PMI" not in sources.get(str(old), []) and any("PMI" in found for found in sources.values())

    tenant.wait("the PMI's mapping moved", moved)


def test_the_challenge_is_answered(tenant: Tenant, zoom: SimClient) -> None:
    tenant.ready_credential()
    assert zoom.validate(tenant.app.client_id)


def test_the_answers_of_the_contract(tenant: Tenant, stack: Stack) -> None:
    tenant.ready_credential()
    url, secret = stack.webhook_url(tenant.app.client_id), tenant.app.webhook_secret_token
    meeting = {"id": "81111111111", "uuid": "a==", "host_id": tenant.user.id, "type": 2}
    started = event("meeting.started", tenant, object=meeting)
    assert post(url, started, secret=secret).status_code == 204
    assert tenant.status("meetingmappings", 81111111111)["phase"] == "Live", "written before the answer"
    assert post(url, event("meeting.sharing_started", tenant), secret=secret).status_code == 204
    nobodys = event("meeting.started", tenant, object={**meeting, "id": "82222222222", "host_id": "stranger"})
    assert post(url, nobodys, secret=secret).status_code == 204
    assert not tenant.get("meetingmappings", 82222222222)
    forged = event("meeting.started", tenant, object={**meeting, "id": "83333333333"})
    assert post(url, forged, secret="wrong").status_code == 401
    assert post(url, forged).status_code == 401
    assert not tenant.get("meetingmappings", 83333333333)
    assert post(url, started, secret=secret, timestamp=int(time.time()) - 600).status_code == 503
    # Any app that cannot be read might be the one meant; those of other tests leave with their namespaces.
    nobody = stack.webhook_url("nobody")
    tenant.wait("404 for nobody's app", lambda: post(nobody, started, secret=secret).status_code == 404)
    assert post(url, b"no json", secret=secret).status_code == 400
    assert post(url, b"[]", secret=secret).status_code == 400
    odd = event("meeting.started", tenant, object={**meeting, "id": "not-a-number"})
    assert post(url, odd, secret=secret).status_code == 400
    assert post(url, b"x" * (1024 * 1024 + 1), secret=secret).status_code == 413


def test_both_webhook_secrets_count_during_a_rotation(tenant: Tenant, stack: Stack) -> None:
    tenant.app_secret(webhook_secret_token="the-next-one", previous_webhook_secret_token="the-last-one")
    tenant.consent()
    tenant.credential()
    tenant.wait_ready("zoomcredentials", "alice")
    url = stack.webhook_url(tenant.app.client_id)
    body = event("meeting.sharing_started", tenant)
    tenant.wait("the new secret", lambda: post(url, body, secret="the-next-one").status_code == 204)
    assert post(url, body, secret="the-last-one").status_code == 204
    assert post(url, body, secret="an-older-one").status_code == 401


def test_a_changed_webhook_secret_is_taken_without_touching_anything_else(tenant: Tenant, stack: Stack) -> None:
    tenant.ready_credential()
    url, old = stack.webhook_url(tenant.app.client_id), tenant.app.webhook_secret_token
    body = event("meeting.sharing_started", tenant)
    tenant.wait("the first secret", lambda: post(url, body, secret=old).status_code == 204)
    tenant.app_secret(webhook_secret_token="the-next-one", previous_webhook_secret_token=old)
    tenant.wait("the next one", lambda: post(url, body, secret="the-next-one").status_code == 204)
    assert post(url, body, secret=old).status_code == 204


def test_two_namespaces_with_the_same_app_both_hear_of_it(
    tenant: Tenant, cluster: ControlPlane, zoom: SimClient
) -> None:
    name = f"{tenant.namespace}-b"
    cluster.api.create(core_path("namespaces"), {"metadata": {"name": name}})
    other = Tenant(cluster, zoom, name)
    other.app, other.user, other.account = tenant.app, tenant.user, tenant.account
    tenant.ready_credential()
    token = tenant.secret_values("alice-zoom-token")["access_token"]
    assert token
    # The second namespace holds its own consent of another user of the same account.
    other.ready_credential("bob")
    meeting = tenant.meeting(emit=True)
    other.wait("mapped there", lambda: bool(other.get("meetingmappings", meeting.id)))
    tenant.wait("mapped here", lambda: bool(tenant.get("meetingmappings", meeting.id)))
    cluster.api.delete(core_path("namespaces", name=name))


@pytest.mark.parametrize("name", ["zoom-app", "alice", "alice-zoom-token"])
def test_the_receiver_cannot_read_a_token_or_app_secret(tenant: Tenant, cluster: ControlPlane, name: str) -> None:
    tenant.ready_credential()
    path = cluster.service_account_kubeconfig("meetingbots-system", "receiver")
    answer = cluster.kubectl("--kubeconfig", str(path), "get", "secret", name, "-n", tenant.namespace, check=False)
    assert "forbidden" in answer.lower()


def test_a_wrong_webhook_secret_shows_within_a_minute(tenant: Tenant, stack: Stack) -> None:
    tenant.ready_credential()
    tenant.app_secret(webhook_secret_token="mistyped")
    url = stack.webhook_url(tenant.app.client_id)

    def shows(status: str, reason: str) -> bool:
        condition = tenant.condition("zoomcredentials", "alice", "WebhookReceiving")
        return (condition.get("status"), condition.get("reason")) == (status, reason)

    def answered(status: int) -> bool:
        body = event("meeting.started", tenant, object={"id": "91234567890", "uuid": "run", "host_id": tenant.user.id})
        return post(url, body, secret=tenant.app.webhook_secret_token).status_code == status

    tenant.wait("rejected", lambda: answered(401))
    tenant.wait("reported", lambda: shows("False", "SignatureInvalid"))
    tenant.app_secret()
    tenant.wait("accepted", lambda: answered(204))
    tenant.wait("receiving", lambda: shows("True", "Receiving"))

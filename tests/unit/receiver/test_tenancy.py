"""Whom an event may touch: forgers, namesakes and guesses reach nobody but themselves."""

from __future__ import annotations

from typing import Any

import pytest
from meetingbots.kube.resources import CREDENTIALS

from tests.unit.fake_kube import Call
from tests.unit.receiver.receiver_harness import CLIENT, MEETING, Ground, credential, event

EVIL = "evil's"


@pytest.fixture
def forger(ground: Ground) -> Ground:
    """In namespace evil there is an app Secret with the victim's client id, and a credential with the victim's ids."""
    ground.has_app(namespace="evil", webhook_secret_token=EVIL)
    ground.has_credential(credential("mallory", namespace="evil", user="U1"))
    return ground


def touched(ground: Ground, namespace: str) -> bool:
    return any(
        call.namespace == namespace and call.verb in ("create", "patch", "apply", "delete")
        for call in ground.kube.calls
    )


EVENTS: list[dict[str, Any]] = [
    event("meeting.created"),
    event("meeting.deleted"),
    event("meeting.started", id=MEETING),
    event("webinar.ended", id=MEETING),
    event("meeting.participant_joined", id=MEETING, participant={"id": "U1"}),
    event("user.updated", id="U1", pmi=1112223334),
    event("user.deleted", id="U1"),
    {"event": "app_deauthorized", "event_ts": 5000, "payload": {"account_id": "A1", "user_id": "U1"}},
]


@pytest.mark.parametrize("body", EVENTS, ids=lambda body: str(body["event"]))
async def test_a_forger_with_the_victims_client_id_reaches_only_himself(forger: Ground, body: dict[str, Any]) -> None:
    assert (await forger.post(body, secret=EVIL)).status == 204
    assert not touched(forger, "team")
    assert touched(forger, "evil")


@pytest.mark.parametrize("body", EVENTS, ids=lambda body: str(body["event"]))
async def test_the_victims_own_events_do_not_reach_the_forger(forger: Ground, body: dict[str, Any]) -> None:
    assert (await forger.post(body)).status == 204
    assert touched(forger, "team")
    assert not touched(forger, "evil")


@pytest.mark.parametrize("body", EVENTS, ids=lambda body: str(body["event"]))
async def test_another_apps_secret_opens_nothing_at_this_address(ground: Ground, body: dict[str, Any]) -> None:
    ground.has_app("other-app", namespace="evil", client="evil-client", webhook_secret_token=EVIL)
    ground.has_credential(credential("mallory", namespace="evil", app="other-app", user="U1"))
    assert (await ground.post(body, secret=EVIL)).status == 401
    assert (await ground.post(body, secret=EVIL, client="evil-client")).status == 204
    assert not touched(ground, "team")


@pytest.mark.parametrize("body", EVENTS, ids=lambda body: str(body["event"]))
async def test_another_account_of_the_same_app(ground: Ground, body: dict[str, Any]) -> None:
    # The same user id there, as can be when a user moved: another customer all the same.
    ground.has_credential(credential("namesake", account="A2", namespace="team-two"))
    ground.has_app(namespace="team-two")
    body = {**body, "payload": {**body["payload"], "account_id": "A2"}}
    assert (await ground.post(body)).status == 204
    assert not touched(ground, "team")
    assert touched(ground, "team-two")
    body = {**body, "payload": {**body["payload"], "account_id": "A3"}}
    assert (await ground.post(body)).status == 204
    assert not touched(ground, "team")


async def test_the_same_user_in_two_accounts_of_one_namespace(ground: Ground) -> None:
    ground.has_credential(credential("elsewhere", account="A2"))
    await ground.post(event("meeting.created", account="A2"))
    assert ground.entries() == [("elsewhere", "Host", "Webhook")]
    await ground.post(event("user.deleted", ts=9, id="U1", account="A2"))
    known = ground.kube.peek(CREDENTIALS, namespace="team", name="alice")
    assert known is not None
    assert "userRemoval" not in known["status"]


async def test_the_same_app_in_three_namespaces(ground: Ground) -> None:
    for namespace in ("two", "three"):
        ground.has_app(namespace=namespace)
        ground.has_credential(credential("alice", namespace=namespace))
    assert (await ground.post(event("meeting.created"))).status == 204
    for namespace in ("team", "two", "three"):
        assert ground.entries(namespace=namespace) == [("alice", "Host", "Webhook")]


@pytest.mark.parametrize(
    "client", [f"{CLIENT}%2Fteam", f"team%2F{CLIENT}", "team", f"{CLIENT}.team", f"..%2F{CLIENT}", f"{CLIENT}%00"]
)
async def test_a_guessed_namespace_in_the_address_is_no_app(ground: Ground, client: str) -> None:
    answer = await ground.client.post(f"/webhooks/{client}", data=b"{}")
    assert answer.status == 404
    assert not touched(ground, "team")


@pytest.mark.parametrize("guess", ["namespace", "credential", "client_id", "app"])
async def test_a_guess_in_the_body_leads_nowhere(forger: Ground, guess: str) -> None:
    body = event("meeting.created") | {guess: "team"}
    body["payload"] |= {guess: "team"}
    body["payload"]["object"] |= {guess: "team"}
    await forger.post(body, secret=EVIL)
    assert not touched(forger, "team")


async def test_the_live_look_up_asks_for_the_verified_apps_namespace_only(forger: Ground) -> None:
    forger.has_credential(credential("victim", user="U7"), watched=False)
    assert (await forger.post(event("meeting.created", host_id="U7"), secret=EVIL)).status == 204
    assert {call.namespace for call in forger.kube.calls if call.verb == "list"} == {"evil"}
    assert forger.mapping() is None


async def test_a_credential_of_another_app_in_the_namespace_is_left_out(ground: Ground) -> None:
    ground.has_app("second-app", client="client-two", webhook_secret_token="second")
    ground.has_credential(credential("bob", app="second-app"))
    await ground.post(event("meeting.created"))
    assert ground.entries() == [("alice", "Host", "Webhook")]
    # Nor may the one app's word take the other's entries away.
    await ground.post(event("meeting.created", ts=1), client="client-two", secret="second")
    await ground.post(event("meeting.updated", ts=2, host_id="stranger"))
    assert ground.entries() == [("bob", "Host", "Webhook")]


async def test_nobodys_event_writes_nothing_anywhere(ground: Ground) -> None:
    calls: list[Call] = ground.kube.calls
    for body in EVENTS:
        strange = {**body, "payload": {**body["payload"], "account_id": "A9"}}
        assert (await ground.post(strange)).status == 204
    assert {call.verb for call in calls} <= {"list", "get"}

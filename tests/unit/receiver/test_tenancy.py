"""Whom an event may touch: forgers, namesakes and guesses reach only their own objects."""

from __future__ import annotations

from typing import Any

import pytest
from meetingbots.kube.resources import CREDENTIALS

from tests.unit.fake_kube import Call
from tests.unit.receiver.receiver_harness import CLIENT, MEETING, ReceiverHarness, credential, event

EVIL = "evil's"


@pytest.fixture
def forger(harness: ReceiverHarness) -> ReceiverHarness:
    """In namespace evil there is an app Secret with the victim's client id, and a credential with the victim's ids."""
    harness.has_app(namespace="evil", webhook_secret_token=EVIL)
    harness.has_credential(credential("mallory", namespace="evil", user="U1"))
    return harness


def touched(harness: ReceiverHarness, namespace: str) -> bool:
    return any(
        call.namespace == namespace and call.verb in ("create", "patch", "apply", "delete")
        for call in harness.kube.calls
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
async def test_a_forger_with_the_victims_client_id_reaches_only_his_own(
    forger: ReceiverHarness, body: dict[str, Any]
) -> None:
    assert (await forger.post(body, secret=EVIL)).status == 204
    assert not touched(forger, "team")
    assert touched(forger, "evil")


@pytest.mark.parametrize("body", EVENTS, ids=lambda body: str(body["event"]))
async def test_the_victims_own_events_do_not_reach_the_forger(forger: ReceiverHarness, body: dict[str, Any]) -> None:
    assert (await forger.post(body)).status == 204
    assert touched(forger, "team")
    assert not touched(forger, "evil")


@pytest.mark.parametrize("body", EVENTS, ids=lambda body: str(body["event"]))
async def test_another_apps_secret_verifies_nothing_here(harness: ReceiverHarness, body: dict[str, Any]) -> None:
    harness.has_app("other-app", namespace="evil", client="evil-client", webhook_secret_token=EVIL)
    harness.has_credential(credential("mallory", namespace="evil", app="other-app", user="U1"))
    assert (await harness.post(body, secret=EVIL)).status == 401
    assert (await harness.post(body, secret=EVIL, client="evil-client")).status == 204
    assert not touched(harness, "team")


@pytest.mark.parametrize("body", EVENTS, ids=lambda body: str(body["event"]))
async def test_another_account_of_the_same_app(harness: ReceiverHarness, body: dict[str, Any]) -> None:
    # The same user id there, as can be when a user moved: another customer all the same.
    harness.has_credential(credential("namesake", account="A2", namespace="team-two"))
    harness.has_app(namespace="team-two")
    body = {**body, "payload": {**body["payload"], "account_id": "A2"}}
    assert (await harness.post(body)).status == 204
    assert not touched(harness, "team")
    assert touched(harness, "team-two")
    body = {**body, "payload": {**body["payload"], "account_id": "A3"}}
    assert (await harness.post(body)).status == 204
    assert not touched(harness, "team")


async def test_the_same_user_in_two_accounts_of_one_namespace(harness: ReceiverHarness) -> None:
    harness.has_credential(credential("elsewhere", account="A2"))
    await harness.post(event("meeting.created", account="A2"))
    assert harness.entries() == [("elsewhere", "Host", "Webhook")]
    await harness.post(event("user.deleted", ts=9, id="U1", account="A2"))
    known = harness.kube.peek(CREDENTIALS, namespace="team", name="alice")
    assert known is not None
    assert "userRemoval" not in known["status"]


async def test_the_same_app_in_three_namespaces(harness: ReceiverHarness) -> None:
    for namespace in ("two", "three"):
        harness.has_app(namespace=namespace)
        harness.has_credential(credential("alice", namespace=namespace))
    assert (await harness.post(event("meeting.created"))).status == 204
    for namespace in ("team", "two", "three"):
        assert harness.entries(namespace=namespace) == [("alice", "Host", "Webhook")]


@pytest.mark.parametrize(
    "client", [f"{CLIENT}%2Fteam", f"team%2F{CLIENT}", "team", f"{CLIENT}.team", f"..%2F{CLIENT}", f"{CLIENT}%00"]
)
async def test_a_guessed_namespace_in_the_address_is_no_app(harness: ReceiverHarness, client: str) -> None:
    answer = await harness.client.post(f"/webhooks/{client}", data=b"{}")
    assert answer.status == 404
    assert not touched(harness, "team")


@pytest.mark.parametrize("guess", ["namespace", "credential", "client_id", "app"])
async def test_a_guess_in_the_body_leads_nowhere(forger: ReceiverHarness, guess: str) -> None:
    body = event("meeting.created") | {guess: "team"}
    body["payload"] |= {guess: "team"}
    body["payload"]["object"] |= {guess: "team"}
    await forger.post(body, secret=EVIL)
    assert not touched(forger, "team")


async def test_the_live_look_up_asks_for_the_verified_apps_namespace_only(forger: ReceiverHarness) -> None:
    forger.has_credential(credential("victim", user="U7"), watched=False)
    assert (await forger.post(event("meeting.created", host_id="U7"), secret=EVIL)).status == 204
    assert {call.namespace for call in forger.kube.calls if call.verb == "list"} == {"evil"}
    assert forger.mapping() is None


async def test_a_credential_of_another_app_in_the_namespace_is_left_out(harness: ReceiverHarness) -> None:
    harness.has_app("second-app", client="client-two", webhook_secret_token="second")
    harness.has_credential(credential("bob", app="second-app"))
    await harness.post(event("meeting.created"))
    assert harness.entries() == [("alice", "Host", "Webhook")]
    # Nor may the one app's word take the other's entries away.
    await harness.post(event("meeting.created", ts=1), client="client-two", secret="second")
    await harness.post(event("meeting.updated", ts=2, host_id="stranger"))
    assert harness.entries() == [("bob", "Host", "Webhook")]


@pytest.mark.parametrize("watched", [True, False], ids=["watched", "looked up"])
@pytest.mark.parametrize("scopes", [[], ["meeting:read:meeting", "user:read:user"], ["meeting:read:administrators"]])
async def test_level_account_without_a_granted_admin_scope_learns_of_no_colleague(
    harness: ReceiverHarness, scopes: list[str], watched: bool
) -> None:
    curious = credential("curious", user="U8", level="Account", grantedScopes=scopes)
    harness.has_credential(curious, watched=watched)
    assert (await harness.post(event("meeting.created", host_id="U7"))).status == 204
    assert harness.mapping() is None
    assert (await harness.post(event("meeting.created", host_id="U8"))).status == 204
    assert harness.entries() == [("curious", "Host", "Webhook")]


async def test_nobodys_event_writes_nothing_anywhere(harness: ReceiverHarness) -> None:
    calls: list[Call] = harness.kube.calls
    for body in EVENTS:
        strange = {**body, "payload": {**body["payload"], "account_id": "A9"}}
        assert (await harness.post(strange)).status == 204
    assert {call.verb for call in calls} <= {"list", "get"}

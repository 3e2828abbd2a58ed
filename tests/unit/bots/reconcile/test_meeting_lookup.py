"""Meetings that no mapping knows: who is asked about them, what is remembered, and what is written down."""

import copy
from typing import Any

import httpx
import pytest
from meetingbots.kube.errors import ForbiddenError
from meetingbots.kube.resources import CREDENTIALS, MAPPINGS
from meetingbots.models.credential import CredentialReason

from tests.unit.bots.bot_builders import MEETING, at
from tests.unit.bots.reconcile.bot_harness import BotHarness, Operator
from tests.unit.fake_kube import Call

NOT_FOUND = httpx.Response(404, json={"code": 3001, "message": "Meeting does not exist."})
AWAY = httpx.Response(502, html="<html>Bad gateway</html>")
IS_MEETING = httpx.Response(400, json={"code": 3000, "message": "Cannot access meeting information."})
IS_WEBINAR = httpx.Response(400, json={"code": 3000, "message": "Cannot access webinar information."})
DETAIL = httpx.Response(200, json={"id": int(MEETING), "host_id": "host-of-it", "uuid": "u"})
NO_RECORDING = httpx.Response(400, json={"code": 3000, "message": "Local recording is disabled."})


def credential(harness: BotHarness, name: str, *, level: str = "Account", account: str = "", **labels: str) -> None:
    spec = {"appSecretRef": {"name": "app"}, "level": level, "grant": {"serverToServer": {"accountId": "a"}}}
    metadata = {"namespace": "team", "name": name, "labels": labels, "uid": f"uid-of-{name}"}
    harness.cluster.put(CREDENTIALS, {"metadata": metadata, "spec": spec, "status": {"accountId": account or name}})


def start(**spec: Any) -> tuple[BotHarness, Operator]:
    harness = BotHarness()
    harness.put_bot(**spec)
    harness.kubelet.image = 1
    # By default no account has the meeting; every request for a token gets one.
    harness.zoom.tokens.always[f"meetings/{MEETING}/"] = httpx.Response(200, json={"expire_in": 120, "token": "t"})
    harness.zoom.tokens.always[f"meetings/{MEETING}"] = DETAIL
    return harness, harness.operator()


def not_ready(operator: Operator, name: str, reason: CredentialReason) -> None:
    operator.tokens.not_ready.add(name)
    operator.tokens.reasons[name] = reason


def asked(harness: BotHarness) -> list[tuple[str, str]]:
    return [(who, "token" if "jointoken" in path else "meeting") for _, who, path in harness.zoom.tokens.asked]


def mapping(harness: BotHarness) -> list[tuple[str, str, str]]:
    item = harness.cluster.peek(MAPPINGS, namespace="team", name=MEETING)
    return [(one["name"], one["role"], one["source"]) for one in item["status"]["credentials"]] if item else []


async def test_an_account_level_credential_is_asked_and_the_meeting_mapped() -> None:
    harness, operator = start()
    credential(harness, "acme")
    credential(harness, "user", level="User")
    await harness.live(operator)
    assert asked(harness) == [("acme", "meeting"), ("acme", "token")]
    assert harness.bot().status.credential_name == "acme"
    assert mapping(harness) == [("acme", "Host", "Lookup")]
    item = harness.cluster.peek(MAPPINGS, namespace="team", name=MEETING)
    assert item is not None
    assert [owner["name"] for owner in item["metadata"]["ownerReferences"]] == ["acme"]


async def test_only_the_account_that_has_the_meeting_requests_a_token() -> None:
    harness, operator = start()
    for name in ("acme", "brown", "clark"):
        credential(harness, name)
    harness.zoom.tokens.always = {"acme": NOT_FOUND, **harness.zoom.tokens.always}
    await harness.live(operator, until=harness.running)
    assert asked(harness) == [("acme", "meeting"), ("brown", "meeting"), ("brown", "token")]


async def test_one_account_is_asked_once() -> None:
    harness, operator = start()
    for name in ("one", "two"):
        credential(harness, name, account="same")
    harness.zoom.tokens.always = {f"meetings/{MEETING}": NOT_FOUND}
    await harness.live(operator, until=harness.running)
    assert asked(harness) == [("one", "meeting")]
    assert harness.heard("ZOOM_TOKEN_REASON") == ["NoMapping"]
    assert mapping(harness) == []


async def test_a_negative_answer_is_kept_for_a_minute() -> None:
    harness, operator = start(tokenPolicy="Required", retry={"limit": 0})
    credential(harness, "acme")
    harness.zoom.tokens.always = {f"meetings/{MEETING}": NOT_FOUND}
    await harness.live(operator, until=harness.finished)
    assert asked(harness) == [("acme", "meeting")]
    harness.cluster.remove(MAPPINGS, namespace="team", name=MEETING)


async def test_the_selector_filters_account_level_credentials_too() -> None:
    harness, operator = start(credentialSelector={"matchLabels": {"customer": "acme"}})
    credential(harness, "other", customer="other")
    await harness.live(operator, until=harness.running)
    assert asked(harness) == []
    harness, operator = start(credentialSelector={"matchLabels": {"customer": "acme"}})
    credential(harness, "acme", customer="acme")
    await harness.live(operator)
    assert asked(harness) == [("acme", "token")]
    assert mapping(harness) == [("acme", "Host", "Lookup")]


async def test_a_named_credential_is_tried_directly_and_mapped() -> None:
    harness, operator = start(credentialRef={"name": "alice"})
    credential(harness, "alice", level="User")
    await harness.live(operator)
    assert asked(harness) == [("alice", "token")]
    assert mapping(harness) == [("alice", "Host", "Lookup")]


async def test_after_a_refused_named_credential_its_account_is_tried() -> None:
    harness, operator = start(credentialRef={"name": "alice"})
    credential(harness, "alice", level="User")
    credential(harness, "acme")
    harness.zoom.tokens.always = {"alice": NOT_FOUND, **harness.zoom.tokens.always}
    await harness.live(operator, until=harness.running)
    assert asked(harness) == [("alice", "token"), ("acme", "meeting"), ("acme", "token")]
    assert "alice (credentialRef)" in harness.condition("TokenIssued")[2]


async def test_a_known_meeting_is_not_looked_up() -> None:
    harness, operator = start()
    credential(harness, "acme")
    harness.put_mapping(host="alice")
    harness.zoom.tokens.always = {"alice": NO_RECORDING}
    await harness.live(operator, until=harness.running)
    assert asked(harness) == [("alice", "token")]


async def test_a_transient_failure_is_waited_out() -> None:
    harness, operator = start()
    credential(harness, "acme")
    harness.zoom.tokens.once = [AWAY]
    await harness.live(operator, until=lambda: harness.condition()[1] == "ZoomUnavailable")
    await harness.live(operator, until=harness.running)
    assert asked(harness) == [("acme", "meeting")] * 2 + [("acme", "token")]


async def test_a_webinar_of_the_account_is_found_too() -> None:
    harness, operator = start(meeting={"id": MEETING, "kind": "Webinar"})
    credential(harness, "acme")
    harness.zoom.tokens.always = {f"meetings/{MEETING}": IS_WEBINAR}
    await harness.live(operator, until=harness.running)
    assert [path.split("/")[0] for _, _, path in harness.zoom.tokens.asked] == ["meetings", "webinars"]
    assert harness.heard() == ["join-token-1"]


async def test_the_zak_of_an_account_is_its_hosts() -> None:
    harness, operator = start(tokens=["LocalRecording", "ZAK"])
    credential(harness, "acme")
    await harness.live(operator, until=harness.running)
    assert "users/host-of-it/token?type=zak" in [path for _, _, path in harness.zoom.tokens.asked]
    assert harness.heard("ZOOM_ZAK") == ["join-token-1"]


@pytest.mark.parametrize("kind", ["Meeting", "Webinar"])
@pytest.mark.parametrize(("refusing", "refusal"), [("meetings", IS_WEBINAR), ("webinars", IS_MEETING)])
async def test_the_zak_for_a_webinar_is_its_hosts_too(kind: str, refusing: str, refusal: httpx.Response) -> None:
    harness, operator = start(tokens=["LocalRecording", "ZAK"], meeting={"id": MEETING, "kind": kind})
    credential(harness, "acme")
    harness.put_mapping(host="acme")
    token = httpx.Response(200, json={"expire_in": 120, "token": "t"})
    harness.zoom.tokens.always = {f"{refusing}/{MEETING}": refusal, "jointoken": token, MEETING: DETAIL}
    await harness.live(operator, until=harness.running)
    assert "users/host-of-it/token?type=zak" in [path for _, _, path in harness.zoom.tokens.asked]
    assert harness.heard("ZOOM_TOKEN_REASON") == [""]


@pytest.mark.parametrize(("policy", "phase"), [("Preferred", "Running"), ("Required", "Failed")])
async def test_a_credential_without_consent_delays_no_bot_of_an_unknown_meeting(policy: str, phase: str) -> None:
    harness, operator = start(tokenPolicy=policy)
    credential(harness, "big")
    operator.tokens.not_ready.add("big")
    await harness.live(operator, until=lambda: harness.running() or harness.finished())
    assert harness.bot().status.phase == phase
    assert harness.clock.seconds() < 4
    assert asked(harness) == []
    assert harness.condition("TokenIssued")[:2] == ("False", "NoMapping")
    assert "Not asked: big (Lookup): big waits for consent." in harness.condition("TokenIssued")[2]


async def test_a_credential_that_is_being_renewed_is_waited_for() -> None:
    harness, operator = start()
    credential(harness, "big")
    not_ready(operator, "big", CredentialReason.ZOOM_UNAVAILABLE)
    await harness.live(operator, until=lambda: harness.condition()[1] == "CredentialNotReady")
    operator.tokens.not_ready.clear()
    await harness.live(operator, until=harness.running)
    assert asked(harness) == [("big", "meeting"), ("big", "token")]


async def test_a_usable_credential_of_an_account_is_preferred() -> None:
    harness, operator = start()
    for name in ("a-old", "b-new"):
        credential(harness, name, account="acme")
    old = harness.cluster.peek(CREDENTIALS, namespace="team", name="a-old")
    assert old is not None
    ready = {"type": "Ready", "status": "False", "reason": "Deauthorized", "lastTransitionTime": at(-60).isoformat()}
    old["status"]["conditions"] = [ready]
    harness.cluster.put(CREDENTIALS, old)
    not_ready(operator, "a-old", CredentialReason.DEAUTHORIZED)
    await harness.live(operator, until=harness.running)
    assert asked(harness) == [("b-new", "meeting"), ("b-new", "token")]


async def test_a_refusal_of_the_named_credential_is_reported_first() -> None:
    harness, operator = start(credentialRef={"name": "alice"})
    credential(harness, "alice", level="User")
    credential(harness, "big")
    not_ready(operator, "big", CredentialReason.SUSPENDED)
    harness.zoom.tokens.always = {"alice": NOT_FOUND}
    await harness.live(operator, until=harness.running)
    assert harness.clock.seconds() < 4
    assert harness.condition("TokenIssued")[1] == "MeetingNotFound"
    assert "big (Lookup)" in harness.condition("TokenIssued")[2]


@pytest.mark.parametrize("refusing", ["create", "patch"])
async def test_a_refused_mapping_write_does_not_concern_the_bot(refusing: str) -> None:

    harness, operator = start()
    credential(harness, "acme")

    async def refuse(call: Call) -> None:
        if (call.verb, call.plural) == (refusing, "meetingmappings") and call.moment == "before":
            raise ForbiddenError("no", status=403)

    harness.cluster.inner = refuse
    await harness.live(operator)
    assert harness.condition()[1] == "Succeeded"


async def test_a_revoked_access_token_is_replaced_and_the_meeting_asked_for_again() -> None:
    harness, operator = start()
    credential(harness, "acme")
    harness.zoom.tokens.once = [httpx.Response(401, json={"code": 124, "message": "Invalid access token."})]
    await harness.live(operator)
    assert operator.tokens.thrown_away == ["acme"]
    assert asked(harness) == [("acme", "meeting"), ("acme", "meeting"), ("acme", "token")]
    assert mapping(harness) == [("acme", "Host", "Lookup")]


@pytest.mark.parametrize(("scope", "asks"), [("meeting:read:meeting", False), ("meeting:read:meeting:admin", True)])
async def test_an_account_level_credential_needs_an_admin_scope(scope: str, asks: bool) -> None:
    harness, operator = start()
    credential(harness, "acme")
    item = copy.deepcopy(harness.cluster.all(CREDENTIALS)[0])
    item["status"]["grantedScopes"] = [scope]
    harness.cluster.put(CREDENTIALS, item)
    await harness.live(operator)
    assert bool(asked(harness)) is asks

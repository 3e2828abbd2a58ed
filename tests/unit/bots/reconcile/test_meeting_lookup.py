"""Meetings that no mapping knows: who is asked about them, what is remembered, and what is written down."""

from typing import Any

import httpx
import pytest
from meetingbots.kube.errors import ForbiddenError
from meetingbots.kube.resources import CREDENTIALS, MAPPINGS
from meetingbots.models.credential import CredentialReason

from tests.unit.bots.bot_builders import MEETING, at
from tests.unit.bots.reconcile.bot_harness import Bench, Operator
from tests.unit.fake_kube import Call

NOT_FOUND = httpx.Response(404, json={"code": 3001, "message": "Meeting does not exist."})
AWAY = httpx.Response(502, html="<html>Bad gateway</html>")
IS_MEETING = httpx.Response(400, json={"code": 3000, "message": "Cannot access meeting information."})
IS_WEBINAR = httpx.Response(400, json={"code": 3000, "message": "Cannot access webinar information."})
DETAIL = httpx.Response(200, json={"id": int(MEETING), "host_id": "host-of-it", "uuid": "u"})
NO_RECORDING = httpx.Response(400, json={"code": 3000, "message": "Local recording is disabled."})


def credential(bench: Bench, name: str, *, level: str = "Account", account: str = "", **labels: str) -> None:
    spec = {"appSecretRef": {"name": "app"}, "level": level, "grant": {"serverToServer": {"accountId": "a"}}}
    metadata = {"namespace": "team", "name": name, "labels": labels, "uid": f"uid-of-{name}"}
    bench.cluster.put(CREDENTIALS, {"metadata": metadata, "spec": spec, "status": {"accountId": account or name}})


def start(**spec: Any) -> tuple[Bench, Operator]:
    bench = Bench()
    bench.put_bot(**spec)
    bench.kubelet.image = 1
    # By default nobody's account has the meeting; a token is made for whoever asks.
    bench.zoom.tokens.always[f"meetings/{MEETING}/"] = httpx.Response(200, json={"expire_in": 120, "token": "t"})
    bench.zoom.tokens.always[f"meetings/{MEETING}"] = DETAIL
    return bench, bench.operator()


def not_ready(operator: Operator, name: str, reason: CredentialReason) -> None:
    operator.tokens.not_ready.add(name)
    operator.tokens.reasons[name] = reason


def asked(bench: Bench) -> list[tuple[str, str]]:
    return [(who, "token" if "jointoken" in path else "meeting") for _, who, path in bench.zoom.tokens.asked]


def mapping(bench: Bench) -> list[tuple[str, str, str]]:
    item = bench.cluster.peek(MAPPINGS, namespace="team", name=MEETING)
    return [(one["name"], one["role"], one["source"]) for one in item["status"]["credentials"]] if item else []


async def test_an_account_level_credential_is_asked_and_the_meeting_mapped() -> None:
    bench, operator = start()
    credential(bench, "acme")
    credential(bench, "user", level="User")
    await bench.live(operator)
    assert asked(bench) == [("acme", "meeting"), ("acme", "token")]
    assert bench.bot().status.credential_name == "acme"
    assert mapping(bench) == [("acme", "Host", "Lookup")]
    item = bench.cluster.peek(MAPPINGS, namespace="team", name=MEETING)
    assert item is not None
    assert [owner["name"] for owner in item["metadata"]["ownerReferences"]] == ["acme"]


async def test_a_token_is_asked_for_with_the_account_that_has_the_meeting_only() -> None:
    bench, operator = start()
    for name in ("acme", "brown", "clark"):
        credential(bench, name)
    bench.zoom.tokens.always = {"acme": NOT_FOUND, **bench.zoom.tokens.always}
    await bench.live(operator, until=bench.running)
    assert asked(bench) == [("acme", "meeting"), ("brown", "meeting"), ("brown", "token")]


async def test_one_account_is_asked_once() -> None:
    bench, operator = start()
    for name in ("one", "two"):
        credential(bench, name, account="same")
    bench.zoom.tokens.always = {f"meetings/{MEETING}": NOT_FOUND}
    await bench.live(operator, until=bench.running)
    assert asked(bench) == [("one", "meeting")]
    assert bench.heard("ZOOM_TOKEN_REASON") == ["NoMapping"]
    assert mapping(bench) == []


async def test_no_is_remembered_for_a_short_time() -> None:
    bench, operator = start(tokenPolicy="Required", retry={"limit": 0})
    credential(bench, "acme")
    bench.zoom.tokens.always = {f"meetings/{MEETING}": NOT_FOUND}
    await bench.live(operator, until=bench.finished)
    assert asked(bench) == [("acme", "meeting")]
    bench.cluster.remove(MAPPINGS, namespace="team", name=MEETING)


async def test_the_selector_filters_account_level_credentials_too() -> None:
    bench, operator = start(credentialSelector={"matchLabels": {"customer": "acme"}})
    credential(bench, "other", customer="other")
    await bench.live(operator, until=bench.running)
    assert asked(bench) == []
    bench, operator = start(credentialSelector={"matchLabels": {"customer": "acme"}})
    credential(bench, "acme", customer="acme")
    await bench.live(operator)
    assert asked(bench) == [("acme", "token")]
    assert mapping(bench) == [("acme", "Host", "Lookup")]


async def test_a_named_credential_is_tried_directly_and_mapped() -> None:
    bench, operator = start(credentialRef={"name": "alice"})
    credential(bench, "alice", level="User")
    await bench.live(operator)
    assert asked(bench) == [("alice", "token")]
    assert mapping(bench) == [("alice", "Host", "Lookup")]


async def test_a_named_credential_that_may_not_is_followed_by_its_accounts() -> None:
    bench, operator = start(credentialRef={"name": "alice"})
    credential(bench, "alice", level="User")
    credential(bench, "acme")
    bench.zoom.tokens.always = {"alice": NOT_FOUND, **bench.zoom.tokens.always}
    await bench.live(operator, until=bench.running)
    assert asked(bench) == [("alice", "token"), ("acme", "meeting"), ("acme", "token")]
    assert "alice (credentialRef)" in bench.condition("TokenIssued")[2]


async def test_a_known_meeting_is_not_looked_up() -> None:
    bench, operator = start()
    credential(bench, "acme")
    bench.put_mapping(host="alice")
    bench.zoom.tokens.always = {"alice": NO_RECORDING}
    await bench.live(operator, until=bench.running)
    assert asked(bench) == [("alice", "token")]


async def test_what_may_pass_is_waited_for() -> None:
    bench, operator = start()
    credential(bench, "acme")
    bench.zoom.tokens.once = [AWAY]
    await bench.live(operator, until=lambda: bench.condition()[1] == "ZoomUnavailable")
    await bench.live(operator, until=bench.running)
    assert asked(bench) == [("acme", "meeting")] * 2 + [("acme", "token")]


async def test_a_webinar_of_the_account_is_found_too() -> None:
    bench, operator = start(meeting={"id": MEETING, "kind": "Webinar"})
    credential(bench, "acme")
    bench.zoom.tokens.always = {f"meetings/{MEETING}": IS_WEBINAR}
    await bench.live(operator, until=bench.running)
    assert [path.split("/")[0] for _, _, path in bench.zoom.tokens.asked] == ["meetings", "webinars"]
    assert bench.heard() == ["join-token-1"]


async def test_the_zak_of_an_account_is_its_hosts() -> None:
    bench, operator = start(tokens=["LocalRecording", "ZAK"])
    credential(bench, "acme")
    await bench.live(operator, until=bench.running)
    assert "users/host-of-it/token?type=zak" in [path for _, _, path in bench.zoom.tokens.asked]
    assert bench.heard("ZOOM_ZAK") == ["join-token-1"]


@pytest.mark.parametrize("kind", ["Meeting", "Webinar"])
@pytest.mark.parametrize(("refusing", "refusal"), [("meetings", IS_WEBINAR), ("webinars", IS_MEETING)])
async def test_the_zak_for_a_webinar_is_its_hosts_too(kind: str, refusing: str, refusal: httpx.Response) -> None:
    bench, operator = start(tokens=["LocalRecording", "ZAK"], meeting={"id": MEETING, "kind": kind})
    credential(bench, "acme")
    bench.put_mapping(host="acme")
    token = httpx.Response(200, json={"expire_in": 120, "token": "t"})
    bench.zoom.tokens.always = {f"{refusing}/{MEETING}": refusal, "jointoken": token, MEETING: DETAIL}
    await bench.live(operator, until=bench.running)
    assert "users/host-of-it/token?type=zak" in [path for _, _, path in bench.zoom.tokens.asked]
    assert bench.heard("ZOOM_TOKEN_REASON") == [""]


@pytest.mark.parametrize(("policy", "phase"), [("Preferred", "Running"), ("Required", "Failed")])
async def test_a_credential_that_waits_for_its_consent_holds_up_no_bot_of_an_unknown_meeting(
    policy: str, phase: str
) -> None:
    bench, operator = start(tokenPolicy=policy)
    credential(bench, "big")
    operator.tokens.not_ready.add("big")
    await bench.live(operator, until=lambda: bench.running() or bench.finished())
    assert bench.bot().status.phase == phase
    assert bench.clock.seconds() < 4
    assert asked(bench) == []
    assert bench.condition("TokenIssued")[:2] == ("False", "NoMapping")
    assert "Not asked: big (Lookup): big waits for consent." in bench.condition("TokenIssued")[2]


async def test_a_credential_whose_token_is_being_fetched_is_waited_for_and_told_as_not_ready() -> None:
    bench, operator = start()
    credential(bench, "big")
    not_ready(operator, "big", CredentialReason.ZOOM_UNAVAILABLE)
    await bench.live(operator, until=lambda: bench.condition()[1] == "CredentialNotReady")
    operator.tokens.not_ready.clear()
    await bench.live(operator, until=bench.running)
    assert asked(bench) == [("big", "meeting"), ("big", "token")]


async def test_of_an_accounts_credentials_one_that_needs_no_person_is_asked() -> None:
    bench, operator = start()
    for name in ("a-old", "b-new"):
        credential(bench, name, account="acme")
    old = bench.cluster.peek(CREDENTIALS, namespace="team", name="a-old")
    assert old is not None
    ready = {"type": "Ready", "status": "False", "reason": "Deauthorized", "lastTransitionTime": at(-60).isoformat()}
    old["status"]["conditions"] = [ready]
    bench.cluster.put(CREDENTIALS, old)
    not_ready(operator, "a-old", CredentialReason.DEAUTHORIZED)
    await bench.live(operator, until=bench.running)
    assert asked(bench) == [("b-new", "meeting"), ("b-new", "token")]


async def test_a_named_credential_that_may_not_is_told_before_one_that_was_not_asked() -> None:
    bench, operator = start(credentialRef={"name": "alice"})
    credential(bench, "alice", level="User")
    credential(bench, "big")
    not_ready(operator, "big", CredentialReason.SUSPENDED)
    bench.zoom.tokens.always = {"alice": NOT_FOUND}
    await bench.live(operator, until=bench.running)
    assert bench.clock.seconds() < 4
    assert bench.condition("TokenIssued")[1] == "MeetingNotFound"
    assert "big (Lookup)" in bench.condition("TokenIssued")[2]


@pytest.mark.parametrize("refusing", ["create", "patch"])
async def test_a_mapping_that_cannot_be_written_is_no_trouble_of_the_bots(refusing: str) -> None:

    bench, operator = start()
    credential(bench, "acme")

    async def refuse(call: Call) -> None:
        if (call.verb, call.plural) == (refusing, "meetingmappings") and call.moment == "before":
            raise ForbiddenError("no", status=403)

    bench.cluster.inner = refuse
    await bench.live(operator)
    assert bench.condition()[1] == "Succeeded"


async def test_a_revoked_access_token_is_replaced_and_the_meeting_asked_for_again() -> None:
    bench, operator = start()
    credential(bench, "acme")
    bench.zoom.tokens.once = [httpx.Response(401, json={"code": 124, "message": "Invalid access token."})]
    await bench.live(operator)
    assert operator.tokens.thrown_away == ["acme"]
    assert asked(bench) == [("acme", "meeting"), ("acme", "meeting"), ("acme", "token")]
    assert mapping(bench) == [("acme", "Host", "Lookup")]

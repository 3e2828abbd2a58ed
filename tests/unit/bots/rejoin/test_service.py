"""The token endpoint's service: the caller's identity, its rights and rate, and secrecy."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from meetingbots.bots.rejoin.callers import PodIdentity, identity
from meetingbots.bots.rejoin.endpoint import EndpointServices
from meetingbots.bots.rejoin.reports import ReportOutcome
from meetingbots.bots.rejoin.rules import NoToken, NotYet, RejoinDenied, TooOften, Unknown
from meetingbots.bots.rejoin.service import Granted, Outcome
from meetingbots.kube.client import Object
from meetingbots.kube.errors import ForbiddenError, KubeError
from meetingbots.kube.resources import BOTS, MAPPINGS, PODS, TOKEN_REVIEWS, Resource
from pydantic import SecretStr

from tests.unit.bots.bot_builders import MEETING, POD
from tests.unit.bots.reconcile.bot_harness import BotHarness, Operator

BASE = "http://tokens.example:8082"
PRESENTED = SecretStr("pods-own-token")


@dataclass
class RejoinHarness:
    """A running bot and its operator's RejoinService; the test sets the TokenReviews' results."""

    harness: BotHarness
    operator: Operator
    services: EndpointServices
    review: dict[str, Any]
    reviewed: list[Object] = field(default_factory=list)
    refusal: KubeError | None = None

    async def ask(self, presented: SecretStr = PRESENTED) -> Outcome:
        self.operator.watch()
        return await self.services.tokens.token(presented, peer="10.0.0.1", with_extras=False)

    async def report(self, state: str, *, presented: SecretStr = PRESENTED, **content: Any) -> ReportOutcome:
        self.operator.watch()
        pod = await self.services.reports.identify(presented, peer="10.0.0.1")
        if not isinstance(pod, PodIdentity):
            return pod
        return await self.services.reports.report(pod, json.dumps({"state": state, **content}).encode())

    async def given(self) -> str:
        outcome = await self.ask()
        assert isinstance(outcome, Granted)
        return outcome.token.get_secret_value()


def status(**changes: Any) -> dict[str, Any]:
    pod = {"authentication.kubernetes.io/pod-name": [POD], "authentication.kubernetes.io/pod-uid": ["set later"]}
    user = {"username": "system:serviceaccount:team:default", "extra": pod}
    return {"authenticated": True, "audiences": ["meetingbots"], "user": user, **changes}


async def start_rejoins(
    monkeypatch: pytest.MonkeyPatch,
    *,
    settings: dict[str, Any] | None = None,
    prepare: Callable[[BotHarness], None] = lambda _: None,
    **spec: Any,
) -> RejoinHarness:
    harness = BotHarness()
    prepare(harness)
    harness.put_bot(**{"tokenEndpoint": True, **spec})
    harness.put_mapping()
    operator = harness.operator(token_url=BASE, token_port=8082, **(settings or {}))
    await harness.live(operator, until=harness.running)
    review = status()
    [pod] = harness.cluster.all(PODS)
    review["user"]["extra"]["authentication.kubernetes.io/pod-uid"] = [pod["metadata"]["uid"]]
    made = RejoinHarness(harness, operator, operator.endpoint, review)
    create = harness.cluster.create

    async def create_or_review(
        resource: Resource, *, namespace: str | None, body: Object, dry_run: bool = False
    ) -> Object:
        if resource != TOKEN_REVIEWS:
            return await create(resource, namespace=namespace, body=body, dry_run=dry_run)
        if made.refusal is not None:
            raise made.refusal
        made.reviewed.append(body)
        return {**body, "status": made.review}

    monkeypatch.setattr(harness.cluster, "create", create_or_review)
    return made


async def test_a_running_bot_gets_another_token_of_its_own_meeting(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch)
    first = here.harness.heard()
    token = await here.given()
    assert token not in first
    assert token == here.harness.zoom.tokens.given[-1]
    _, who, path = here.harness.zoom.tokens.asked[-1]
    assert (who, path) == (
        "alice",
        f"meetings/{MEETING}/jointoken/local_recording?bypass_waiting_room=true",
    )
    assert here.reviewed[0]["spec"] == {"token": "pods-own-token", "audiences": ["meetingbots"]}
    assert [event["reason"] for event in here.operator.events()][-1] == "TokenIssuedAgain"


async def test_the_credential_of_the_first_token_is_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch)
    here.harness.put_mapping(people=("bob",))
    await here.given()
    assert here.harness.zoom.tokens.asked[-1][1] == "alice"
    here.harness.zoom.tokens.always["alice"] = httpx.Response(400, json={"code": 3000, "message": "no"})
    await here.given()
    assert [who for _, who, _ in here.harness.zoom.tokens.asked[-2:]] == ["alice", "bob"]


async def test_without_a_token_the_answer_has_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch)
    here.harness.zoom.tokens.always["alice"] = httpx.Response(400, json={"code": 3000, "message": "no"})
    outcome = await here.ask()
    assert isinstance(outcome, NoToken)
    assert (outcome.reason, outcome.retry_after) == ("LocalRecordingDisabled", None)
    here.harness.zoom.tokens.always["alice"] = httpx.Response(429, headers={"Retry-After": "7"})
    outcome = await here.ask()
    assert isinstance(outcome, NoToken)
    assert outcome.reason == "RateLimited"
    assert outcome.retry_after == pytest.approx(7)


async def test_there_is_no_token_after_the_meetings_end(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch)
    mapping = here.harness.cluster.peek(MAPPINGS, namespace="team", name=MEETING)
    assert mapping is not None
    ended = here.harness.clock.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    mapping["status"] |= {"phase": "Ended", "endTime": ended}
    here.harness.cluster.put(MAPPINGS, mapping)
    asked = len(here.harness.zoom.tokens.asked)
    outcome = await here.ask()
    assert isinstance(outcome, NoToken)
    assert outcome.reason == "MeetingEnded"
    assert len(here.harness.zoom.tokens.asked) == asked


@pytest.mark.parametrize(
    "changes",
    [
        {"authenticated": False},
        {"audiences": []},
        {"audiences": None},
        {"audiences": ["https://kubernetes.default.svc"]},
        {"user": {"username": "system:serviceaccount:team:default", "extra": {}}},
        {"user": {"username": "alice", "extra": status()["user"]["extra"]}},
        {},
    ],
)
async def test_only_a_valid_pod_token_for_our_audience_counts(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any]
) -> None:
    here = await start_rejoins(monkeypatch)
    here.review = {**here.review, **changes} if changes else {}
    asked = len(here.harness.zoom.tokens.asked)
    assert isinstance(await here.ask(), Unknown)
    assert len(here.harness.zoom.tokens.asked) == asked


async def test_another_pod_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch)
    extra = here.review["user"]["extra"]
    right = extra["authentication.kubernetes.io/pod-uid"]
    extra["authentication.kubernetes.io/pod-uid"] = ["of-a-namesake"]
    assert isinstance(await here.ask(), RejoinDenied)
    extra["authentication.kubernetes.io/pod-uid"] = right
    extra["authentication.kubernetes.io/pod-name"] = ["somebody-elses"]
    assert isinstance(await here.ask(SecretStr("another-token")), RejoinDenied)


async def test_a_pod_with_a_forged_label_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch)
    pod = here.harness.cluster.peek(PODS, namespace="team", name=POD)
    assert pod is not None
    pod["metadata"]["ownerReferences"][0]["uid"] = "somebody-else"
    here.harness.cluster.put(PODS, pod)
    assert isinstance(await here.ask(), RejoinDenied)


async def test_an_unserved_namespace_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch, settings={"namespace": ("team",)})
    here.review["user"]["username"] = "system:serviceaccount:other:default"
    before = len(here.harness.cluster.calls)
    assert isinstance(await here.ask(), RejoinDenied)
    assert len(here.harness.cluster.calls) == before


async def test_a_pod_created_without_the_endpoint_gets_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = await start_rejoins(monkeypatch, tokenEndpoint=False)
    here.harness.put_bot(generation=2, tokenEndpoint=True)
    assert isinstance(await here.ask(), RejoinDenied)


async def test_a_finished_or_leaving_bot_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch)
    here.harness.put_bot(generation=2, tokenEndpoint=True, suspend=True)
    outcome = await here.ask()
    assert isinstance(outcome, NoToken)
    assert outcome.reason == "Suspended"
    await here.harness.live(here.operator, until=lambda: not here.harness.running())
    outcome = await here.ask()
    assert isinstance(outcome, RejoinDenied | NoToken)


async def test_a_bot_that_must_leave_during_the_request_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch)

    async def suspend() -> None:
        here.harness.put_bot(generation=2, tokenEndpoint=True, suspend=True)
        here.operator.watch()

    here.harness.zoom.tokens.inner = suspend
    outcome = await here.ask()
    assert isinstance(outcome, NoToken)
    assert outcome.reason == "Suspended"


async def test_objects_missing_in_the_caches_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch)
    fresh = here.harness.operator(token_url=BASE, token_port=8082)
    assert isinstance(await fresh.endpoint.tokens.token(PRESENTED, peer="10.0.0.1", with_extras=False), Granted)
    here.harness.cluster.remove(BOTS, namespace="team", name="standup")
    assert isinstance(await fresh.endpoint.tokens.token(PRESENTED, peer="10.0.0.1", with_extras=False), RejoinDenied)


async def test_three_at_once_and_then_one_each_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch)
    assert len({await here.given() for _ in range(3)}) == 3
    outcome = await here.ask()
    assert isinstance(outcome, TooOften)
    assert outcome.retry_after == pytest.approx(10)
    assert len(here.reviewed) == 1
    here.harness.clock.forward(outcome.retry_after)
    await here.given()
    assert len(here.reviewed) == 2, "a token is looked at again after a while"
    assert isinstance(await here.ask(), TooOften)


async def test_a_bot_with_an_unrecorded_start_has_to_retry(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch)
    item = here.harness.cluster.peek(BOTS, namespace="team", name="standup")
    assert item is not None
    item["status"]["phase"] = "Staging"
    here.harness.cluster.put(BOTS, item)
    assert isinstance(await here.ask(), NotYet)


async def test_a_refusal_by_kubernetes_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await start_rejoins(monkeypatch)
    here.refusal = ForbiddenError("tokenreviews is forbidden", status=403)
    with pytest.raises(KubeError):
        await here.ask()


async def test_no_secret_is_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    here = await start_rejoins(monkeypatch)
    outcome = await here.ask()
    shown = [caplog.text, repr(outcome), repr(here.operator.events()), repr(here.harness.bot())]
    assert isinstance(outcome, Granted)
    for text in shown:
        assert outcome.token.get_secret_value() not in text
        assert PRESENTED.get_secret_value() not in text
    counted = here.operator.services.metrics.rejoin_tokens.labels("Granted")._value.get()
    assert counted == 1


def test_the_namespace_is_that_of_the_service_account() -> None:
    found = identity(status())
    assert found is not None
    assert (found.namespace, found.name, found.uid) == ("team", POD, "set later")


async def test_the_extras_are_a_fresh_sdk_jwt_and_the_on_behalf_token(monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(harness: BotHarness) -> None:
        harness.put_secret("zoom-sdk", client_id="made-up-id", client_secret="a-made-up-client-secret-of-32-chars")

    spec: dict[str, Any] = {"tokens": ["LocalRecording", "OnBehalf"], "onBehalf": {"credentialRefs": [{"name": "bob"}]}}
    here = await start_rejoins(monkeypatch, prepare=prepare, sdkSecretRef={"name": "zoom-sdk"}, **spec)
    here.operator.watch()
    asked = len(here.harness.zoom.tokens.asked)
    outcome = await here.services.tokens.token(PRESENTED, peer="p", with_extras=True)
    assert isinstance(outcome, Granted)
    assert outcome.extras.sdk_jwt is not None
    assert outcome.extras.on_behalf is not None
    assert [who for _, who, path in here.harness.zoom.tokens.asked[asked:] if "onbehalf" in path] == ["bob"]
    assert "made-up" not in repr(outcome)
    plain = await here.ask()
    assert isinstance(plain, Granted)
    assert plain.extras.sdk_jwt is plain.extras.on_behalf is None

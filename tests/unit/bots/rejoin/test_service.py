"""Further tokens for a bot that runs: whose Pod asks, what it may have, how often, and that nothing leaks."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from meetingbots.bots.rejoin.pod_identity import identity
from meetingbots.bots.rejoin.rules import NoToken, NotYet, RejoinDenied
from meetingbots.bots.rejoin.service import Granted, Outcome, RejoinService, TooOften, Unknown
from meetingbots.kube.client import Object
from meetingbots.kube.errors import ForbiddenError, KubeError
from meetingbots.kube.resources import BOTS, MAPPINGS, PODS, TOKEN_REVIEWS, Resource
from pydantic import SecretStr

from tests.unit.bots.bot_builders import MEETING, POD
from tests.unit.bots.reconcile.bot_harness import Bench, Operator

BASE = "http://tokens.example:8082"
PRESENTED = SecretStr("pods-own-token")


@dataclass
class Ground:
    """A running bot, and the endpoint's logic of its operator; the API server's TokenReviews are told."""

    bench: Bench
    operator: Operator
    rejoins: RejoinService
    review: dict[str, Any]
    reviewed: list[Object] = field(default_factory=list)
    refusal: KubeError | None = None

    async def ask(self, presented: SecretStr = PRESENTED) -> Outcome:
        self.operator.watch()
        return await self.rejoins.token(presented)

    async def given(self) -> str:
        outcome = await self.ask()
        assert isinstance(outcome, Granted)
        return outcome.token.get_secret_value()


def status(**changes: Any) -> dict[str, Any]:
    pod = {"authentication.kubernetes.io/pod-name": [POD], "authentication.kubernetes.io/pod-uid": ["set later"]}
    user = {"username": "system:serviceaccount:team:default", "extra": pod}
    return {"authenticated": True, "audiences": ["meetingbots"], "user": user, **changes}


async def ground(monkeypatch: pytest.MonkeyPatch, *, settings: dict[str, Any] | None = None, **spec: Any) -> Ground:
    bench = Bench()
    bench.put_bot(**{"tokenEndpoint": True, **spec})
    bench.put_mapping()
    operator = bench.operator(token_url=BASE, token_port=8082, **(settings or {}))
    await bench.live(operator, until=bench.running)
    told = status()
    [pod] = bench.cluster.all(PODS)
    told["user"]["extra"]["authentication.kubernetes.io/pod-uid"] = [pod["metadata"]["uid"]]
    made = Ground(bench, operator, operator.rejoins, told)
    create = bench.cluster.create

    async def create_or_review(
        resource: Resource, *, namespace: str | None, body: Object, dry_run: bool = False
    ) -> Object:
        if resource != TOKEN_REVIEWS:
            return await create(resource, namespace=namespace, body=body, dry_run=dry_run)
        if made.refusal is not None:
            raise made.refusal
        made.reviewed.append(body)
        return {**body, "status": made.review}

    monkeypatch.setattr(bench.cluster, "create", create_or_review)
    return made


async def test_a_running_bot_gets_another_token_of_its_own_meeting(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await ground(monkeypatch)
    first = here.bench.heard()
    token = await here.given()
    assert token not in first
    assert token == here.bench.zoom.tokens.given[-1]
    _, who, path = here.bench.zoom.tokens.asked[-1]
    assert (who, path) == (
        "alice",
        f"meetings/{MEETING}/jointoken/local_recording?bypass_waiting_room=true",
    )
    assert here.reviewed[0]["spec"] == {"token": "pods-own-token", "audiences": ["meetingbots"]}
    assert [event["reason"] for event in here.operator.events()][-1] == "TokenIssuedAgain"


async def test_the_credential_of_the_first_token_is_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await ground(monkeypatch)
    here.bench.put_mapping(people=("bob",))
    await here.given()
    assert here.bench.zoom.tokens.asked[-1][1] == "alice"
    here.bench.zoom.tokens.always["alice"] = httpx.Response(400, json={"code": 3000, "message": "no"})
    await here.given()
    assert [who for _, who, _ in here.bench.zoom.tokens.asked[-2:]] == ["alice", "bob"]


async def test_without_a_token_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await ground(monkeypatch)
    here.bench.zoom.tokens.always["alice"] = httpx.Response(400, json={"code": 3000, "message": "no"})
    outcome = await here.ask()
    assert isinstance(outcome, NoToken)
    assert (outcome.reason, outcome.retry_after) == ("LocalRecordingDisabled", None)
    here.bench.zoom.tokens.always["alice"] = httpx.Response(429, headers={"Retry-After": "7"})
    outcome = await here.ask()
    assert isinstance(outcome, NoToken)
    assert outcome.reason == "RateLimited"
    assert outcome.retry_after == pytest.approx(7)


async def test_there_is_none_once_the_meeting_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await ground(monkeypatch)
    mapping = here.bench.cluster.peek(MAPPINGS, namespace="team", name=MEETING)
    assert mapping is not None
    ended = here.bench.clock.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    mapping["status"] |= {"phase": "Ended", "endTime": ended}
    here.bench.cluster.put(MAPPINGS, mapping)
    asked = len(here.bench.zoom.tokens.asked)
    outcome = await here.ask()
    assert isinstance(outcome, NoToken)
    assert outcome.reason == "MeetingEnded"
    assert len(here.bench.zoom.tokens.asked) == asked


@pytest.mark.parametrize(
    "told",
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
async def test_only_a_pods_valid_token_for_us_counts(monkeypatch: pytest.MonkeyPatch, told: dict[str, Any]) -> None:
    here = await ground(monkeypatch)
    here.review = {**here.review, **told} if told else {}
    asked = len(here.bench.zoom.tokens.asked)
    assert isinstance(await here.ask(), Unknown)
    assert len(here.bench.zoom.tokens.asked) == asked


async def test_another_pod_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await ground(monkeypatch)
    extra = here.review["user"]["extra"]
    right = extra["authentication.kubernetes.io/pod-uid"]
    extra["authentication.kubernetes.io/pod-uid"] = ["of-a-namesake"]
    assert isinstance(await here.ask(), RejoinDenied)
    extra["authentication.kubernetes.io/pod-uid"] = right
    extra["authentication.kubernetes.io/pod-name"] = ["somebody-elses"]
    assert isinstance(await here.ask(SecretStr("another-token")), RejoinDenied)


async def test_a_pod_that_only_says_it_is_a_bots_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await ground(monkeypatch)
    pod = here.bench.cluster.peek(PODS, namespace="team", name=POD)
    assert pod is not None
    pod["metadata"]["ownerReferences"][0]["uid"] = "somebody-else"
    here.bench.cluster.put(PODS, pod)
    assert isinstance(await here.ask(), RejoinDenied)


async def test_another_namespace_gets_nothing_and_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await ground(monkeypatch, settings={"namespace": ("team",)})
    here.review["user"]["username"] = "system:serviceaccount:other:default"
    before = len(here.bench.cluster.calls)
    assert isinstance(await here.ask(), RejoinDenied)
    assert len(here.bench.cluster.calls) == before


async def test_a_pod_made_without_the_endpoint_gets_nothing_whatever_the_spec_says_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = await ground(monkeypatch, tokenEndpoint=False)
    here.bench.put_bot(generation=2, tokenEndpoint=True)
    assert isinstance(await here.ask(), RejoinDenied)


async def test_a_bot_that_is_over_or_leaves_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await ground(monkeypatch)
    here.bench.put_bot(generation=2, tokenEndpoint=True, suspend=True)
    outcome = await here.ask()
    assert isinstance(outcome, NoToken)
    assert outcome.reason == "Suspended"
    await here.bench.live(here.operator, until=lambda: not here.bench.running())
    outcome = await here.ask()
    assert isinstance(outcome, RejoinDenied | NoToken)


async def test_one_that_is_told_to_leave_while_zoom_is_asked_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await ground(monkeypatch)

    async def suspend() -> None:
        here.bench.put_bot(generation=2, tokenEndpoint=True, suspend=True)
        here.operator.watch()

    here.bench.zoom.tokens.inner = suspend
    outcome = await here.ask()
    assert isinstance(outcome, NoToken)
    assert outcome.reason == "Suspended"


async def test_what_the_watch_has_not_told_yet_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await ground(monkeypatch)
    fresh = here.bench.operator(token_url=BASE, token_port=8082)
    assert isinstance(await fresh.rejoins.token(PRESENTED), Granted)
    here.bench.cluster.remove(BOTS, namespace="team", name="standup")
    assert isinstance(await fresh.rejoins.token(PRESENTED), RejoinDenied)


async def test_three_at_once_and_then_one_each_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await ground(monkeypatch)
    assert len({await here.given() for _ in range(3)}) == 3
    outcome = await here.ask()
    assert isinstance(outcome, TooOften)
    assert outcome.retry_after == pytest.approx(10)
    assert len(here.reviewed) == 1
    here.bench.clock.forward(outcome.retry_after)
    await here.given()
    assert len(here.reviewed) == 2, "a token is looked at again after a while"
    assert isinstance(await here.ask(), TooOften)


async def test_a_bot_whose_start_is_not_known_yet_is_asked_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await ground(monkeypatch)
    item = here.bench.cluster.peek(BOTS, namespace="team", name="standup")
    assert item is not None
    item["status"]["phase"] = "Staging"
    here.bench.cluster.put(BOTS, item)
    assert isinstance(await here.ask(), NotYet)


async def test_a_refusal_of_kubernetes_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    here = await ground(monkeypatch)
    here.refusal = ForbiddenError("tokenreviews is forbidden", status=403)
    with pytest.raises(KubeError):
        await here.ask()


async def test_nothing_secret_is_logged_or_shown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    here = await ground(monkeypatch)
    outcome = await here.ask()
    shown = [caplog.text, repr(outcome), repr(here.operator.events()), repr(here.bench.bot())]
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

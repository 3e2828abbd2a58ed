"""A consent on another person's link goes to that user's own credential."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from meetingbots.credentials.decide.token_changes import received, saved
from meetingbots.credentials.decide.token_state import Claim, Tokens, TokenSlot, TokenState, Unsaved
from meetingbots.credentials.manifests.token_secret import read_state
from meetingbots.kube.client import Object
from meetingbots.kube.errors import ForbiddenError, InvalidError, KubeError, UnavailableError
from meetingbots.kube.resources import CREDENTIALS, SECRETS
from meetingbots.runtime.object_cache import Key
from pydantic import SecretStr

from tests.unit.credentials.reconcile.connect_harness import ConnectBench, ZoomWithCodes
from tests.unit.credentials.reconcile.credential_harness import Operator
from tests.unit.fake_kube import Call
from tests.unit.recorded_events import take_events

BOB = Key("team", "bob")


@dataclass
class OneConsentZoom(ZoomWithCodes):
    """Zoom keeps one consent for each user and app: a new one ends the refresh token of the earlier one."""

    ended: list[str] = field(default_factory=list)

    def consent(self, user: str = "u-alice") -> str:
        for token in [token for token, owner in self.users.items() if owner == user]:
            del self.users[token]
            self.ended.append(token)
        return super().consent(user)


class TwoPeople(ConnectBench):
    """alice has a link, bob has a credential of his own."""

    def __init__(self) -> None:
        super().__init__()
        self.zoom = OneConsentZoom(secrets=self.zoom.secrets)
        self.put_connect(expectedEmail="u-alice@example.test")

    def put_bob(self, *, user: str = "u-bob", app: str = "zoom-app") -> None:
        self.put_secret("bob", refresh_token=self.zoom.consent(user))
        spec = {
            "appSecretRef": {"name": app},
            "grant": {"refreshToken": {"secretKeyRef": {"name": "bob", "key": "refresh_token"}}},
            "meetingSync": {"enabled": False},
        }
        self.kube.put(
            CREDENTIALS,
            {"metadata": {"namespace": "team", "name": "bob", "generation": 1}, "spec": spec, "status": {}},
        )

    @property
    def bobs(self) -> TokenState:
        item = self.kube.peek(SECRETS, namespace="team", name="bob-zoom-token")
        return read_state(item) if item is not None else TokenState()

    def bobs_ready(self) -> Object:
        item = self.kube.peek(CREDENTIALS, namespace="team", name="bob")
        assert item is not None
        ready: Object = next(one for one in item["status"]["conditions"] if one["type"] == "Ready")
        return ready

    def bob_works(self) -> bool:
        tokens = self.bobs.tokens
        assert tokens is not None
        assert tokens.refresh_token is not None
        return (
            tokens.access_token.get_secret_value() in self.zoom.access
            and tokens.refresh_token.get_secret_value() in self.zoom.users
        )

    async def start(self) -> Operator:
        """Start a process that reconciles both credentials."""
        operator = self.operator()
        await operator.look()
        await operator.look(BOB)
        return operator

    async def start_with_tokens(self) -> Operator:
        """Give both credentials tokens of their users, alice's by a Secret."""
        self.put_bob()
        self.put_credential()
        self.put_grant(self.zoom.consent("u-alice"))
        return await self.start()


@pytest.fixture
async def bench() -> AsyncIterator[TwoPeople]:
    bench = TwoPeople()
    yield bench
    await bench.close()


async def test_the_tokens_go_to_the_users_own_credential(bench: TwoPeople) -> None:
    bench.put_bob()
    operator = await bench.start()
    fingerprint = bench.bobs.fingerprint
    bench.clock.forward(60)
    bench.arrive("u-bob")
    assert bench.bob_works()
    await operator.look()
    assert bench.reason == "UserMismatch"
    assert bench.outcomes == ["UserMismatch"]
    assert "ZoomCredential bob belongs to the user who consented" in bench.condition()["message"]  # type: ignore[index]
    assert (bench.state.tokens, bench.state.candidate) == (None, None)
    assert bench.bob_works()
    assert bench.bobs.fingerprint == fingerprint, "the grant stays the same"
    await operator.look(BOB)
    assert bench.bobs_ready()["status"] == "True"
    assert "ZoomCredential alice" in bench.bobs_ready()["message"]
    for _ in range(3):
        bench.clock.forward(3600)
        await operator.look(BOB)
        assert bench.bobs_ready()["status"] == "True"
        assert bench.bob_works()
    assert "alice" not in bench.bobs_ready()["message"]
    assert bench.zoom.asked.count("/oauth/revoke") == 0
    # The right person can still use the link.
    bench.arrive("u-alice")
    await operator.look()
    assert bench.ready


async def test_a_restart_finds_what_was_handed_over(bench: TwoPeople) -> None:
    bench.put_bob()
    first = bench.operator()
    await first.look()
    await first.look(BOB)
    bench.clock.forward(60)
    bench.arrive("u-bob")
    await first.look()
    second = bench.operator()
    await second.look(BOB)
    assert bench.bobs_ready()["status"] == "True"
    assert bench.bob_works()


async def test_a_broken_credential_is_healed(bench: TwoPeople) -> None:
    bench.put_bob()
    operator = bench.operator()
    await operator.look(BOB)
    bench.zoom.consent("u-bob")
    bench.clock.forward(3600)
    await operator.look(BOB)
    assert bench.bobs_ready()["reason"] == "ReauthorizationRequired"
    await operator.look()
    bench.arrive("u-bob")
    await operator.look()
    await operator.look(BOB)
    assert bench.bobs_ready()["reason"] == "TokenValid"


@pytest.mark.parametrize("times", [1, 3])
async def test_a_death_in_between_loses_no_token(bench: TwoPeople, times: int) -> None:
    bench.put_bob()
    operator = await bench.start()
    bench.clock.forward(60)
    bench.arrive("u-bob")
    gave = 0

    async def fail_after_the_gift(call: Call) -> None:
        nonlocal gave
        if (call.moment, call.verb, call.name) == ("after", "patch", "bob-zoom-token"):
            gave += 1
        if gave and (call.moment, call.verb, call.name) == ("before", "patch", "alice-zoom-token"):
            raise UnavailableError("away")

    bench.kube.hook = fail_after_the_gift
    with pytest.raises(UnavailableError):
        await operator.look()
    bench.kube.hook = type(bench.kube)().hook
    assert gave == 1
    assert bench.state.candidate is not None
    for _ in range(times):
        bench.clock.forward(3000)
        await bench.operator().look(BOB)
    after = bench.bobs
    await bench.operator().look()
    assert bench.state.candidate is None
    assert bench.bobs.tokens == after.tokens
    assert bench.bob_works()
    await bench.operator().look(BOB)
    assert bench.bobs_ready()["status"] == "True"


@pytest.mark.parametrize("error", [ForbiddenError, InvalidError])
async def test_a_secret_that_cannot_be_written_keeps_the_tokens_and_blocks_no_refresh(
    bench: TwoPeople, error: type[KubeError]
) -> None:
    operator = await bench.start_with_tokens()
    bench.put_grant(bench.zoom.consent("u-bob"))

    async def reject_bobs_secret(call: Call) -> None:
        if (call.moment, call.verb, call.name) == ("before", "patch", "bob-zoom-token"):
            raise error("policy rejects access_token=s3cret", status=403)

    bench.kube.hook = reject_bobs_secret
    before = bench.state.tokens
    for _ in range(8):
        await operator.look()
        bench.clock.forward(1000)
    await operator.look()
    assert bench.ready
    assert bench.works()
    assert bench.state.tokens != before
    assert bench.state.candidate is not None
    rejected = bench.condition("GrantRejected")
    assert rejected is not None
    assert rejected["reason"] == "SecretConflict"
    assert "bob-zoom-token" in rejected["message"]
    assert "s3cret" not in str(bench.status)
    bench.kube.hook = type(bench.kube)().hook
    bench.clock.forward(31)
    await operator.look()
    assert bench.state.candidate is None
    assert bench.bob_works()


async def test_without_an_own_credential_nothing_is_revoked(bench: TwoPeople) -> None:
    operator = bench.operator()
    await operator.look()
    bench.arrive("u-bob")
    await operator.look()
    assert bench.reason == "UserMismatch"
    message = bench.condition()["message"]  # type: ignore[index]
    assert "does not revoke the consent" in message
    assert "/oauth/revoke" not in bench.zoom.asked


@pytest.mark.parametrize(
    "other",
    [
        {"user": "u-carol"},
        {"app": "other-app"},
        {"grant": "serverToServer"},
    ],
)
async def test_nobody_else_gets_the_tokens(bench: TwoPeople, other: dict[str, str]) -> None:
    bench.put_secret("other-app", client_id="another", client_secret="app-secret")
    bench.put_bob(user=other.get("user", "u-bob"))
    operator = await bench.start()
    item = bench.kube.peek(CREDENTIALS, namespace="team", name="bob")
    assert item is not None
    if "app" in other:
        item["spec"]["appSecretRef"]["name"] = other["app"]
    if "grant" in other:
        item["spec"]["grant"] = {"serverToServer": {"accountId": "acc"}}
    operator.services.caches.credentials.put(bench.kube.put(CREDENTIALS, item))
    before = bench.bobs
    bench.arrive("u-bob")
    await operator.look()
    assert bench.reason == "UserMismatch"
    assert "does not revoke" in bench.condition()["message"]  # type: ignore[index]
    assert bench.bobs == before


async def test_a_changed_grant_of_another_user_is_handed_over_too(bench: TwoPeople) -> None:
    operator = await bench.start_with_tokens()
    assert bench.ready
    bench.clock.forward(60)
    bench.put_grant(bench.zoom.consent("u-bob"))
    await operator.look()
    assert bench.ready
    rejected = bench.condition("GrantRejected")
    assert rejected is not None
    assert "ZoomCredential bob" in rejected["message"]
    assert bench.works()
    assert bench.bob_works()


async def test_a_new_consent_on_an_open_link_is_announced_to_the_users_other_credential(bench: TwoPeople) -> None:
    bench.put_bob()
    bench.put_connect()
    operator = await bench.start()
    queue = operator.services.queues.credentials
    before = len(queue)
    bench.arrive("u-bob")
    await operator.look()
    assert bench.ready
    assert len(queue) > before
    await operator.look(BOB)
    assert "ZoomCredential alice holds a consent of the same Zoom user" in bench.bobs_ready()["message"]


async def test_a_late_answer_does_not_replace_newer_tokens(bench: TwoPeople) -> None:
    bench.put_bob()
    operator = await bench.start()
    claimed = bench.bobs
    assert claimed.tokens is not None
    late = Unsaved(
        tokens=Tokens(
            access_token=claimed.tokens.access_token,
            refresh_token=None,
            expires_at=claimed.tokens.expires_at,
            last_refresh=bench.clock.now,
        ),
        slot=TokenSlot.CURRENT,
        fingerprint=claimed.fingerprint,
        spent=claimed.tokens.mark,
        before=claimed,
        uid="",
    )
    assert saved(claimed, late) is not None
    bench.clock.forward(5)
    bench.arrive("u-bob")
    await operator.look()
    assert saved(bench.bobs, late) is None


async def test_the_receiving_credential_is_reconciled_at_once_with_an_event(bench: TwoPeople) -> None:
    bench.put_bob()
    operator = await bench.start()
    queue = operator.services.queues.credentials
    before = len(queue)
    bench.clock.forward(60)
    bench.arrive("u-bob")
    await operator.look()
    assert len(queue) == before + 1
    events = [event for event in take_events(operator.services.recorder) if event["reason"] == "TokensReceived"]
    assert [event["regarding"]["name"] for event in events] == ["bob"]


async def test_a_credential_of_another_namespace_gets_nothing(bench: TwoPeople) -> None:
    bench.put_bob()
    operator = await bench.start()
    cache = operator.services.caches.credentials
    for resource, name in ((SECRETS, "zoom-app"), (SECRETS, "bob-zoom-token"), (CREDENTIALS, "bob")):
        item = bench.kube.peek(resource, namespace="team", name=name)
        assert item is not None
        item["metadata"]["namespace"] = "other"
        moved = bench.kube.put(resource, item)
    bench.kube.remove(CREDENTIALS, namespace="team", name="bob")
    cache.drop(BOB)
    cache.put(moved)
    before = bench.kube.peek(SECRETS, namespace="other", name="bob-zoom-token")
    bench.arrive("u-bob")
    await operator.look()
    assert bench.reason == "UserMismatch"
    assert "does not revoke" in bench.condition()["message"]  # type: ignore[index]
    assert bench.kube.peek(SECRETS, namespace="other", name="bob-zoom-token") == before


async def test_a_repeated_handover_keeps_newer_tokens_and_a_new_one_ends_the_claim(bench: TwoPeople) -> None:
    bench.put_bob()
    operator = bench.operator()
    await operator.look(BOB)
    state = bench.bobs
    assert state.tokens is not None
    newer = replace(state.tokens, refresh_token=SecretStr("newer"), last_refresh=bench.clock.now + timedelta(seconds=5))
    refreshed = replace(state, tokens=newer)
    assert received(refreshed, state.tokens, user_id="u-bob", sender="alice") == refreshed
    claim = Claim(id="c", holder="operator-1", time=bench.clock.now, mark=state.tokens.mark)
    after = received(replace(state, claim=claim), newer, user_id="u-bob", sender="alice")
    assert (after.tokens, after.claim, after.received_from) == (newer, None, "alice")


async def test_a_credential_with_another_app_is_not_named_as_the_users_other_one(bench: TwoPeople) -> None:
    bench.put_bob()
    bench.put_connect()
    operator = bench.operator()
    await operator.look(BOB)
    await operator.look()
    bench.arrive("u-bob")
    await operator.look()
    await operator.look(BOB)
    assert "ZoomCredential alice" in bench.bobs_ready()["message"]
    item = bench.kube.peek(CREDENTIALS, namespace="team", name="alice")
    assert item is not None
    item["spec"]["appSecretRef"]["name"] = "other-app"
    operator.services.caches.credentials.put(bench.kube.put(CREDENTIALS, item))
    await operator.look(BOB)
    assert "alice" not in bench.bobs_ready()["message"]

"""A credential's life through its reconciliation, from consent to renewal to healing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from meetingbots.kube.resources import CREDENTIALS, SECRETS
from meetingbots.models.base import format_time
from meetingbots.reconcile.cache import Key

from tests.unit.reconcile.credential_bench import KEY, SECRET_NAME, START, Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    yield bench
    await bench.close()


async def test_first_consent_is_stored_identified_and_told(bench: Bench) -> None:
    grant = bench.consent()
    bench.put_credential()
    operator = bench.operator()
    after = await operator.look()
    assert bench.ready
    assert bench.reason == "TokenValid"
    assert bench.works()
    assert bench.zoom.spent == {grant: 1}
    status = bench.status
    assert status["userId"] == "u-alice"
    assert status["accountId"] == "acc"
    assert status["email"] == "u-alice@example.test"
    assert status["pmi"] == "5551234567"
    assert status["expiresAt"] == format_time(START + timedelta(seconds=3600))
    assert status["lastRefreshTime"] == format_time(START)
    # two thirds of the life, less half of a tenth
    assert status["nextRefreshTime"] == format_time(START + timedelta(seconds=2280))
    assert status["missingScopes"] == []
    assert status["consecutiveFailures"] == 0
    assert bench.condition("Reconciling") is None
    assert bench.condition("Stalled") is None
    assert after is not None
    assert 0 < after <= 600


async def test_secret_has_the_keys_of_the_contract_and_no_owner(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    await bench.operator().look()
    secret = bench.kube.peek(SECRETS, namespace="team", name=SECRET_NAME)
    assert secret is not None
    assert set(secret["data"]) == {"access_token", "refresh_token", "expires_at", "token_type", "scope", "api_url"}
    assert "ownerReferences" not in secret["metadata"]
    assert secret["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "meetingbots",
        "meetingbots.dev/credential": "alice",
    }
    assert "meetingbots.dev/refresh-claim" not in secret["metadata"]["annotations"]


async def test_server_to_server_asks_again_without_a_refresh_token(bench: Bench) -> None:
    bench.put_credential(grant={"serverToServer": {"accountId": "acc"}})
    operator = bench.operator()
    await operator.look()
    assert bench.ready
    first = bench.state.tokens
    bench.clock.forward(2300)
    await operator.look()
    second = bench.state.tokens
    assert first is not None
    assert second is not None
    assert first.access_token != second.access_token
    assert second.refresh_token is None
    assert bench.zoom.asked.count("/oauth/token") == 2
    assert bench.zoom.asked.count("/v2/users/me") == 1


async def test_renewal_is_planned_and_a_restart_causes_none(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    await bench.operator().look()
    bench.clock.forward(2000)
    after = await bench.operator().look()
    assert bench.zoom.asked.count("/oauth/token") == 1
    assert after is not None
    assert 0 < after <= 280
    bench.clock.forward(281)
    operator = bench.operator()
    await operator.look()
    assert bench.zoom.asked.count("/oauth/token") == 2
    assert bench.zoom.asked.count("/v2/users/me") == 1
    assert bench.ready
    assert bench.works()


async def test_nothing_to_do_writes_nothing(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    writes = len([call for call in bench.kube.calls if call.verb != "get"])
    bench.clock.forward(60)
    await operator.look()
    await bench.operator().look()
    assert len([call for call in bench.kube.calls if call.verb != "get"]) == writes


async def test_zoom_away_keeps_ready_until_the_token_has_run_out(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()

    async def away(path: str) -> httpx.Response:
        return httpx.Response(503, html="<html>sorry</html>")

    bench.zoom.before = away
    bench.clock.forward(2281)
    waits = []
    for _ in range(5):
        after = await operator.look()
        assert bench.ready
        assert after is not None
        waits.append(after)
        bench.clock.forward(after)
    # 5 s, doubled each time; but the Secrets are looked at every 30 s
    assert waits == [5, 10, 20, 30, 10]
    assert bench.status["consecutiveFailures"] == 4
    assert bench.status["lastError"]["reason"] == "ZoomUnavailable"
    bench.clock.forward(3600)
    await operator.look()
    assert not bench.ready
    assert bench.reason == "ZoomUnavailable"
    assert bench.condition("Reconciling") is not None
    bench.zoom.before = None
    bench.clock.forward(601)
    await operator.look()
    assert bench.ready
    assert bench.status["consecutiveFailures"] == 0


async def test_restart_keeps_the_pause_that_zoom_asked_for(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()

    async def limited(path: str) -> httpx.Response:
        return httpx.Response(429, json={"code": 429, "message": "x"}, headers={"retry-after": "900"})

    bench.zoom.before = limited
    await bench.operator().look()
    assert bench.reason == "ZoomUnavailable"
    asked = len(bench.zoom.asked)
    bench.zoom.before = None
    bench.clock.forward(700)
    await bench.operator().look()
    assert len(bench.zoom.asked) == asked
    bench.clock.forward(201)
    await bench.operator().look()
    assert bench.ready


async def test_missing_secrets_are_named_and_heal(bench: Bench) -> None:
    bench.kube.remove(SECRETS, namespace="team", name="zoom-app")
    bench.put_credential()
    operator = bench.operator()
    after = await operator.look()
    assert bench.reason == "AppSecretMissing"
    assert after == 30
    bench.put_app()
    await operator.look()
    assert bench.reason == "GrantSecretMissing"
    bench.consent()
    bench.clock.forward(30)
    await operator.look()
    assert bench.ready


async def test_wrong_client_secret_heals_within_a_minute(bench: Bench) -> None:
    bench.put_app("wrong")
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    after = await operator.look()
    assert bench.reason == "AppInvalid"
    assert after is not None
    assert after <= 30
    resource_version = _version(bench)
    bench.clock.forward(after)
    await operator.look()
    assert _version(bench) == resource_version, "the same refusal is not written again"
    bench.put_app()
    bench.clock.forward(30)
    await operator.look()
    assert bench.ready


async def test_spent_grant_is_told_and_not_asked_with_again(bench: Bench) -> None:
    bench.put_grant("refresh-unknown")
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    assert bench.reason == "ReauthorizationRequired"
    asked = len(bench.zoom.asked)
    bench.clock.forward(3600)
    await operator.look()
    await bench.operator().look()
    assert len(bench.zoom.asked) == asked
    bench.consent()
    await operator.look()
    assert bench.ready


async def test_changed_grant_of_the_same_user_replaces_the_tokens(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    before = bench.state
    bench.consent()
    await operator.look()
    assert bench.ready
    assert bench.works()
    assert bench.state.fingerprint != before.fingerprint
    assert bench.state.candidate is None
    assert bench.condition("GrantRejected") is None


async def test_changed_grant_of_another_user_is_refused_and_what_worked_goes_on(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    before = bench.state.tokens
    bench.consent("u-mallory")
    await operator.look()
    rejected = bench.condition("GrantRejected")
    assert bench.ready
    assert rejected is not None
    assert rejected["reason"] == "UserMismatch"
    assert bench.state.tokens == before
    assert bench.state.candidate is None
    asked = len(bench.zoom.asked)
    bench.clock.forward(60)
    await operator.look()
    assert len(bench.zoom.asked) == asked
    bench.consent()
    await operator.look()
    assert bench.condition("GrantRejected") is None
    assert bench.ready


async def test_changed_grant_that_is_spent_is_refused_and_what_worked_goes_on(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    bench.put_grant("refresh-typo")
    await operator.look()
    rejected = bench.condition("GrantRejected")
    assert bench.ready
    assert rejected is not None
    assert rejected["reason"] == "ReauthorizationRequired"
    bench.clock.forward(2300)
    await operator.look()
    assert bench.works()
    assert bench.ready


async def test_another_user_when_nothing_works_is_a_mismatch(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    bench.zoom.users.clear()
    bench.clock.forward(2300)
    await operator.look()
    assert bench.reason == "ReauthorizationRequired"
    bench.consent("u-mallory")
    await operator.look()
    assert not bench.ready
    assert bench.reason == "UserMismatch"
    bench.consent()
    await operator.look()
    assert bench.ready


async def test_consent_outlives_its_object(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    bench.kube.remove(CREDENTIALS, namespace="team", name="alice")
    assert await operator.look() is None
    bench.put_credential()
    await bench.operator().look()
    assert bench.ready
    assert bench.works()
    assert bench.zoom.asked.count("/oauth/token") == 1
    assert bench.status["email"] == "u-alice@example.test"


async def test_policy_delete_owns_and_retain_disowns(bench: Bench) -> None:
    bench.consent()
    bench.put_credential(tokenDeletionPolicy="Delete")
    operator = bench.operator()
    await operator.look()
    secret = bench.kube.peek(SECRETS, namespace="team", name=SECRET_NAME)
    credential = bench.kube.peek(CREDENTIALS, namespace="team", name="alice")
    assert secret is not None
    assert credential is not None
    assert [owner["uid"] for owner in secret["metadata"]["ownerReferences"]] == [credential["metadata"]["uid"]]
    bench.put_credential()
    await operator.look()
    secret = bench.kube.peek(SECRETS, namespace="team", name=SECRET_NAME)
    assert secret is not None
    assert not secret["metadata"].get("ownerReferences")
    assert bench.works()


async def test_foreign_secret_is_left_alone(bench: Bench) -> None:
    bench.consent()
    bench.put_secret(SECRET_NAME, password="mine")
    before = bench.kube.peek(SECRETS, namespace="team", name=SECRET_NAME)
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    assert bench.reason == "SecretConflict"
    assert bench.kube.peek(SECRETS, namespace="team", name=SECRET_NAME) == before
    assert bench.zoom.asked == []
    bench.kube.remove(SECRETS, namespace="team", name=SECRET_NAME)
    await operator.look()
    assert bench.ready


async def test_refresh_request_acts_once_per_value(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    request = {"meetingbots.dev/refresh-requested-at": "2026-11-24T12:00:00Z"}
    bench.put_credential(annotations=request)
    await operator.look()
    await operator.look()
    await bench.operator().look()
    assert bench.zoom.asked.count("/oauth/token") == 2
    assert bench.status["lastHandledRefreshRequest"] == "2026-11-24T12:00:00Z"
    bench.put_credential(annotations={"meetingbots.dev/refresh-requested-at": "again"})
    await operator.look()
    assert bench.zoom.asked.count("/oauth/token") == 3


async def test_suspend_stops_all_calls(bench: Bench) -> None:
    bench.consent()
    bench.put_credential(suspend=True)
    operator = bench.operator()
    await operator.look()
    assert bench.zoom.asked == []
    assert bench.reason == "Suspended"
    assert bench.condition("Reconciling") is None
    bench.put_credential()
    await operator.look()
    assert bench.ready
    bench.put_credential(suspend=True)
    bench.clock.forward(3000)
    asked = len(bench.zoom.asked)
    await operator.look()
    assert len(bench.zoom.asked) == asked


async def test_grants_of_later_versions_are_told(bench: Bench) -> None:
    bench.put_credential(grant={"connect": {}})
    await bench.operator().look()
    assert not bench.ready
    assert bench.reason == "WaitingForConsent"
    assert bench.condition("Stalled") is not None
    assert bench.zoom.asked == []


async def test_on_demand_renews_when_a_token_is_wanted_and_before_thirty_days(bench: Bench) -> None:
    bench.consent()
    bench.put_credential(refreshPolicy="OnDemand")
    operator = bench.operator()
    await operator.look()
    bench.clock.forward(7200)
    await operator.look()
    assert bench.zoom.asked.count("/oauth/token") == 1
    assert bench.ready
    await operator.tokens.get(KEY)
    await operator.look()
    assert bench.zoom.asked.count("/oauth/token") == 2
    bench.clock.forward(30 * 86400)
    await operator.look()
    assert bench.zoom.asked.count("/oauth/token") == 3


async def test_scopes_are_named_by_feature(bench: Bench) -> None:
    bench.zoom.scopes = "meeting:read:local_recording_token user:read:user"
    bench.consent()
    bench.put_credential()
    await bench.operator().look()
    assert bench.ready
    condition = bench.condition()
    assert condition is not None
    assert "meeting:read:list_meetings" in bench.status["missingScopes"]
    assert "the list of meetings (meeting:read:list_meetings)" in condition["message"]


async def test_no_scope_for_any_token_is_told_and_heals(bench: Bench) -> None:
    bench.zoom.scopes = "user:read:user"
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    assert bench.reason == "ScopesMissing"
    bench.zoom.scopes = "user:read:user meeting:read:local_recording_token"
    bench.clock.forward(50)
    await operator.look()
    assert bench.ready


async def test_consent_revoked_at_zoom_is_told_at_the_next_renewal(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    bench.zoom.users.clear()
    bench.clock.forward(2300)
    await operator.look()
    assert not bench.ready
    assert bench.reason == "ReauthorizationRequired"
    assert bench.status["lastError"]["code"] == "invalid_grant"


async def test_transitions_of_ready_are_events_and_nothing_else_is(bench: Bench) -> None:
    bench.put_grant("refresh-spent")
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    await operator.look()
    bench.consent()
    await operator.look()
    bench.clock.forward(2300)
    await operator.look()
    waiting = operator.services.recorder._waiting
    events = [waiting.get_nowait() for _ in range(waiting.qsize())]
    assert [(event["type"], event["reason"]) for event in events] == [
        ("Warning", "ReauthorizationRequired"),
        ("Normal", "TokenValid"),
    ]
    assert events[0]["regarding"]["kind"] == "ZoomCredential"
    assert "The user must consent again" in events[0]["note"]


async def test_status_that_someone_else_keeps_changing_is_not_raced(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()

    async def contradict() -> None:
        item = bench.kube.peek(CREDENTIALS, namespace="team", name="alice")
        assert item is not None
        item["status"]["consecutiveFailures"] = 7
        item["status"].pop("lastError", None)
        bench.kube.put(CREDENTIALS, item)
        after = await operator.look()
        assert after is not None

    for _ in range(20):
        await contradict()
    assert bench.kube.count("apply", CREDENTIALS) <= 7
    bench.clock.forward(11)
    await operator.look()
    assert bench.status["consecutiveFailures"] == 0


async def test_gone_credential_asks_for_the_projection_and_loses_its_series(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    queue = operator.services.queues.receiver
    assert await queue.get() == Key("team", "zoom-app")
    queue.done(Key("team", "zoom-app"))
    registry = operator.services.metrics.registry
    labels = {"namespace": "team", "name": "alice"}
    assert registry.get_sample_value("meetingbots_credential_ready", labels) == 1
    bench.kube.remove(CREDENTIALS, namespace="team", name="alice")
    await operator.look()
    assert await queue.get() == Key("team", "zoom-app")
    assert registry.get_sample_value("meetingbots_credential_ready", labels) is None


def _version(bench: Bench) -> str:
    item = bench.kube.peek(CREDENTIALS, namespace="team", name="alice")
    assert item is not None
    return str(item["metadata"]["resourceVersion"])

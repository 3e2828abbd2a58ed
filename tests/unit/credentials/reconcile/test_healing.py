"""A credential's problem is reported, and heals by itself or by what its message says."""

from __future__ import annotations

import httpx
import pytest
from meetingbots.credentials.sessions.access_tokens import AccessToken
from meetingbots.kube.resources import CREDENTIALS, SECRETS

from tests.unit.credentials.reconcile.credential_harness import KEY, SECRET_NAME, Bench


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


def _version(bench: Bench) -> str:
    item = bench.kube.peek(CREDENTIALS, namespace="team", name="alice")
    assert item is not None
    return str(item["metadata"]["resourceVersion"])


@pytest.mark.parametrize("key", ["client_id", "client_secret", "webhook_secret_token"])
async def test_an_app_secret_that_cannot_be_zooms_is_told_and_heals(bench: Bench, key: str) -> None:
    values = {"client_id": "client", "client_secret": "app-secret", "webhook_secret_token": "hook"}
    bench.put_secret("zoom-app", **values | {key: "x" * 700})
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    after = await operator.look()
    condition = bench.condition()
    assert condition is not None
    assert condition["reason"] == "AppInvalid"
    assert f"Key {key} of Secret zoom-app is longer than" in condition["message"]
    assert "xxx" not in condition["message"]
    assert bench.zoom.asked == []
    bench.put_app()
    bench.clock.forward(after or 0)
    await operator.look()
    assert bench.ready


@pytest.mark.parametrize("code", ["4735", "4738", "4717"])
async def test_what_is_mended_at_zoom_is_ready_within_a_minute(bench: Bench, code: str) -> None:
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()

    async def refused(path: str) -> httpx.Response | None:
        fields = {"error": "invalid_grant", "reason": f"Owner gone {code}"}
        return httpx.Response(400, json=fields) if path == "/oauth/token" else None

    bench.zoom.before = refused
    bench.clock.forward(2600)
    await operator.look()
    bench.clock.forward(1200)
    after = await operator.look()
    assert not bench.ready
    bench.zoom.before, passed = None, 0.0
    while bench.reason != "TokenValid" and passed < 120:
        passed += after or 0
        bench.clock.forward(after or 0)
        after = await operator.look()
    assert bench.reason == "TokenValid"
    assert passed <= 60


# A consent without the scope to ask whose it is.


def no_user_scope(bench: Bench) -> None:
    bench.zoom.scopes = "meeting:read:local_recording_token meeting:read:list_meetings"

    async def me(path: str) -> httpx.Response | None:
        says = "Invalid access token, does not contain scopes:[user:read:user]."
        return httpx.Response(400, json={"code": 4711, "message": says}) if path == "/v2/users/me" else None

    bench.zoom.before = me


async def test_without_the_scope_for_the_user_join_tokens_go_on(bench: Bench) -> None:
    no_user_scope(bench)
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    condition = bench.condition()
    assert condition is not None
    assert (bench.ready, condition["reason"]) == (False, "ScopesMissing")
    assert "the user and the personal meeting ID (user:read:user)" in condition["message"]
    await operator.look()
    access = await operator.tokens.get(KEY)
    assert isinstance(access, AccessToken)
    assert (access.user_id, access.account_id) == ("", "")
    assert access.token.get_secret_value() in bench.zoom.access


async def test_zoom_is_asked_ever_less_for_want_of_a_scope(bench: Bench) -> None:
    no_user_scope(bench)
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    passed, after = 0.0, await operator.look()
    while passed < 86_400:
        passed += after or 0
        bench.clock.forward(after or 0)
        after = await operator.look()
    assert bench.zoom.asked.count("/v2/users/me") < 450, "every 30 s would be 2880"
    assert bench.zoom.asked.count("/oauth/token") < 100


async def test_the_scope_that_was_added_is_found_by_itself(bench: Bench) -> None:
    no_user_scope(bench)
    bench.consent()
    bench.put_credential()
    operator = bench.operator()
    await operator.look()
    bench.zoom.before, bench.zoom.scopes = None, bench.zoom.scopes + " user:read:user"
    bench.clock.forward(50)
    await operator.look()
    assert bench.ready
    assert bench.status["email"] == "u-alice@example.test"

"""The grant authorizationCode: a code that the author put into a Secret is used once, and a dead one is reported."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.unit.credentials.reconcile.credential_harness import Bench

REDIRECT = "https://here/back"


def put(bench: Bench, *, redirect: str = REDIRECT, verifier_key: str | None = None) -> None:
    grant: dict[str, Any] = {"secretKeyRef": {"name": "alice", "key": "code"}, "redirectURI": redirect}
    if verifier_key is not None:
        grant["codeVerifierKey"] = verifier_key
    bench.put_credential(grant={"authorizationCode": grant})


def asked(bench: Bench) -> int:
    return bench.zoom.asked.count("/oauth/token")


async def test_a_code_is_spent_once_and_lives_on_as_tokens(bench: Bench) -> None:
    code = bench.zoom.code()
    bench.put_secret("alice", code=f"{code}\n")
    put(bench)
    operator = bench.operator()
    await operator.look()
    assert bench.ready
    assert bench.works()
    for _ in range(5):
        bench.clock.forward(2400)
        await operator.look()
    await bench.operator().look()
    assert bench.ready
    assert bench.zoom.spent[code] == 1
    assert asked(bench) == 6


async def test_with_the_pkce_verifier(bench: Bench) -> None:
    code = bench.zoom.code(verifier="long-verifier")
    bench.put_secret("alice", code=code, verifier="long-verifier\n")
    put(bench, verifier_key="verifier")
    await bench.operator().look()
    assert bench.ready


@pytest.mark.parametrize(
    ("values", "named"), [({"code": "c"}, "verifier"), ({"verifier": "v"}, "code"), (None, "alice")]
)
async def test_what_is_missing_is_named(bench: Bench, values: dict[str, str] | None, named: str) -> None:
    if values is not None:
        bench.put_secret("alice", **values)
    put(bench, verifier_key="verifier")
    await bench.operator().look()
    assert bench.reason == "GrantSecretMissing"
    condition = bench.condition()
    assert condition is not None
    assert named in condition["message"]
    assert asked(bench) == 0


@pytest.mark.parametrize(
    "answer",
    [
        {"error": "invalid_request", "reason": "Invalid authorization code xyz (4734)"},
        {"error": "invalid_grant", "reason": "The authorization code has expired. (4733)"},
        {"error": "invalid_grant", "reason": "Invalid code verifier."},
    ],
)
async def test_a_dead_code_is_told_and_not_asked_with_again(bench: Bench, answer: dict[str, str]) -> None:
    async def refuse(_: str) -> httpx.Response:
        return httpx.Response(400, json=answer)

    bench.zoom.before = refuse
    bench.put_secret("alice", code="dead-code")
    put(bench)
    operator = bench.operator()
    await operator.look()
    assert bench.reason == "ReauthorizationRequired"
    condition = bench.condition()
    assert condition is not None
    assert "authorization code" in condition["message"]
    assert "put the new grant into the grant's Secret" in condition["message"]
    for _ in range(10):
        bench.clock.forward(60)
        await operator.look()
    await bench.operator().look()
    assert asked(bench) == 1
    bench.zoom.before = None
    bench.put_secret("alice", code=bench.zoom.code())
    await operator.look()
    assert bench.ready


async def test_a_code_that_comes_after_the_first_consent_is_a_new_consent(bench: Bench) -> None:
    bench.put_secret("alice", code=bench.zoom.code())
    put(bench)
    operator = bench.operator()
    await operator.look()
    first = bench.state.tokens
    bench.put_secret("alice", code="never given")
    await operator.look()
    assert bench.ready
    assert bench.state.tokens == first, "what worked goes on"
    rejected = bench.condition("GrantRejected")
    assert rejected is not None
    assert rejected["reason"] == "ReauthorizationRequired"
    bench.put_secret("alice", code=bench.zoom.code())
    await operator.look()
    assert bench.condition("GrantRejected") is None
    assert bench.state.tokens != first
    assert bench.works()


async def test_another_users_code_is_refused(bench: Bench) -> None:
    bench.put_secret("alice", code=bench.zoom.code())
    put(bench)
    operator = bench.operator()
    await operator.look()
    bench.put_secret("alice", code=bench.zoom.code("u-bob"))
    await operator.look()
    rejected = bench.condition("GrantRejected")
    assert rejected is not None
    assert rejected["reason"] == "UserMismatch"
    assert bench.ready
    assert bench.state.user_id == "u-alice"


async def test_a_wrong_redirect_uri_can_be_corrected_while_the_code_lives(bench: Bench) -> None:
    code = bench.zoom.code()
    bench.put_secret("alice", code=code)
    put(bench, redirect="https://elsewhere/back")
    operator = bench.operator()
    await operator.look()
    assert bench.reason == "ReauthorizationRequired"
    condition = bench.condition()
    assert condition is not None
    assert "redirect URI" in condition["message"]
    bench.clock.forward(60)
    await operator.look()
    assert asked(bench) == 1
    put(bench)
    await operator.look()
    assert bench.ready
    assert bench.zoom.spent[code] == 1


async def test_a_spent_code_is_not_asked_with_again_for_a_changed_redirect_uri(bench: Bench) -> None:
    bench.put_secret("alice", code=bench.zoom.code())
    put(bench)
    operator = bench.operator()
    await operator.look()
    put(bench, redirect="https://elsewhere/back")
    await operator.look()
    assert asked(bench) == 1
    assert bench.ready


async def test_a_lost_answer_to_the_code_is_told_as_such(bench: Bench) -> None:
    lost = True

    async def lose(path: str) -> httpx.Response | None:
        return httpx.Response(502, text="<html>") if lost and path == "/oauth/token" else None

    bench.zoom.after = lose
    bench.put_secret("alice", code=bench.zoom.code())
    put(bench)
    operator = bench.operator()
    await operator.look()
    assert bench.reason == "ZoomUnavailable"
    lost = False
    bench.clock.forward(10)
    await operator.look()
    assert bench.reason == "RotationInterrupted"

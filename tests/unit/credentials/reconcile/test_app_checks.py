"""A wrong client secret is found when the app Secret changes, not at the next refresh."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from meetingbots.credentials.assembly import receiver_projection
from meetingbots.credentials.reconcile.app_checks import AppChecks
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.oauth import AppCredentials, Environment
from pydantic import SecretStr

from tests.unit.credentials.reconcile.credential_harness import KEY, Bench, ready

APP = Key("team", "zoom-app")

pytestmark = pytest.mark.usefixtures("consented")


async def test_a_wrong_client_secret_is_reported_at_once_and_mended(bench: Bench) -> None:
    operator = await ready(bench)
    tokens = bench.state.tokens
    assert operator.services.metrics.credential_blocked.labels(KEY.namespace, KEY.name)._value.get() == 0
    bench.put_app("wrong")
    await operator.look()
    assert bench.ready, "the access token is valid"
    blocked = bench.condition("Reconciling")
    assert blocked is not None
    assert blocked["reason"] == "AppInvalid"
    assert "Ready turns False at" in blocked["message"]
    assert "Check client_id and client_secret" in blocked["message"]
    assert bench.state.tokens == tokens, "no token is spent"
    assert operator.services.metrics.credential_blocked.labels(KEY.namespace, KEY.name)._value.get() == 1
    bench.put_app()
    await operator.look()
    bench.clock.forward(11)
    await operator.look()
    assert bench.condition("Reconciling") is None
    assert bench.zoom.checks == 1
    assert operator.services.metrics.credential_blocked.labels(KEY.namespace, KEY.name)._value.get() == 0


async def test_the_check_is_repeated_while_zoom_rejects_the_app(bench: Bench) -> None:
    operator = await ready(bench)
    bench.zoom.client_secret = "changed at Zoom"
    bench.put_app("changed at Zoom as well, with a mistake")
    after = await operator.look()
    assert after is not None
    assert after <= 30
    bench.zoom.client_secret = "changed at Zoom as well, with a mistake"
    bench.clock.forward(30)
    await operator.look()
    assert bench.condition("Reconciling") is None


async def test_a_restart_keeps_the_report(bench: Bench) -> None:
    operator = await ready(bench)
    bench.put_app("wrong")
    await operator.look()
    restarted = bench.operator()
    await restarted.look()
    blocked = bench.condition("Reconciling")
    assert blocked is not None
    assert blocked["reason"] == "AppInvalid"
    bench.put_app()
    bench.clock.forward(11)
    await restarted.look()
    assert bench.condition("Reconciling") is None


async def test_an_unchanged_app_is_not_checked(bench: Bench) -> None:
    operator = await ready(bench)
    asked = bench.zoom.asked.count("/oauth/token")
    for _ in range(5):
        bench.put_app()
        bench.clock.forward(60)
        await operator.look()
    assert bench.zoom.asked.count("/oauth/token") == asked


async def test_many_changes_cause_few_checks(bench: Bench) -> None:
    operator = await ready(bench)
    asked = bench.zoom.asked.count("/oauth/token")
    for number in range(60):
        bench.put_app(f"wrong-{number}")
        bench.clock.forward(1)
        await operator.look()
    assert bench.zoom.asked.count("/oauth/token") - asked <= 7


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(400, json={"error": "unsupported_grant_type", "reason": "unsupported grant type"}),
        httpx.Response(502, text="<html>"),
        httpx.Response(429, json={"code": 429, "message": "You have reached the maximum per-second rate limit."}),
    ],
)
async def test_other_answers_report_nothing(bench: Bench, answer: httpx.Response) -> None:
    operator = await ready(bench)
    bench.put_app("another")
    bench.zoom.client_secret = "another"

    async def answers(path: str) -> httpx.Response | None:
        return answer if path == "/oauth/token" else None

    bench.zoom.before = answers
    await operator.look()
    assert bench.ready
    assert bench.condition("Reconciling") is None


async def test_an_address_that_gives_tokens_needs_no_check(bench: Bench) -> None:
    operator = await ready(bench)
    bench.put_credential(grant={"accessTokenURL": {"url": "https://tokens.example/t"}})
    bench.put_app("wrong")
    asked = bench.zoom.asked.count("/oauth/token")
    await operator.look()
    assert bench.zoom.asked.count("/oauth/token") == asked


async def test_a_changed_app_secret_requeues_its_credentials(bench: Bench) -> None:
    operator = await ready(bench)
    projection = receiver_projection(operator.services)
    queue = operator.services.queues.credentials
    await projection.reconcile(APP)
    await projection.reconcile(APP)
    assert len(queue) == 0
    bench.put_app("changed")
    after = await projection.reconcile(APP)
    assert len(queue) == 1
    assert after is not None
    assert after <= 30


def app(secret: str, *, environment: Environment = Environment.ZOOM) -> AppCredentials:
    return AppCredentials("client", SecretStr(secret), environment)


async def test_the_credentials_of_an_app_share_one_check(bench: Bench) -> None:
    operator = await ready(bench)
    checks = AppChecks(oauth=operator.services.oauth, clock=bench.clock)
    assert checks.see(APP, app("app-secret"), in_doubt=False).due is None
    assert checks.see(APP, app("wrong"), in_doubt=False).due == bench.clock.now

    async def later(_: str) -> httpx.Response | None:
        await asyncio.sleep(0)
        return None

    bench.zoom.before = later
    asked = bench.zoom.asked.count("/oauth/token")
    await asyncio.gather(*(checks.check(APP, app("wrong")) for _ in range(5)))
    await checks.check(APP, app("wrong"))
    assert bench.zoom.asked.count("/oauth/token") - asked == 1


async def test_another_environment_is_another_app(bench: Bench) -> None:
    operator = await ready(bench)
    checks = AppChecks(oauth=operator.services.oauth, clock=bench.clock)
    checks.see(APP, app("app-secret"), in_doubt=False)
    changed = checks.see(APP, app("app-secret", environment=Environment.GOVERNMENT), in_doubt=False)
    assert changed.due == bench.clock.now


async def test_a_check_without_an_answer_is_repeated_later(bench: Bench) -> None:
    operator = await ready(bench)
    checks = AppChecks(oauth=operator.services.oauth, clock=bench.clock)
    checks.see(APP, app("app-secret"), in_doubt=True)

    async def unavailable(path: str) -> httpx.Response | None:
        return httpx.Response(502, text="<html>") if path == "/oauth/token" else None

    async def available(_: str) -> httpx.Response | None:
        return None

    bench.zoom.before = unavailable
    await checks.check(APP, app("app-secret"))
    state = checks.see(APP, app("app-secret"), in_doubt=False)
    assert state.failure is None
    assert state.due is not None
    assert state.due > bench.clock.now
    bench.zoom.before = available
    bench.clock.forward(600)
    await checks.check(APP, app("app-secret"))
    assert checks.see(APP, app("app-secret"), in_doubt=False).due is None

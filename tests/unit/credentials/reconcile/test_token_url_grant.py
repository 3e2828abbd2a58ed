"""The grant accessTokenURL: the customer keeps the tokens; every guard between a tenant's address and our network."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from meetingbots.credentials.decide.notifications import notice_for
from meetingbots.credentials.reconcile.token_url_grant import expiry_of
from meetingbots.egress.client import EgressClient
from meetingbots.kube.resources import CREDENTIALS, SECRETS
from meetingbots.models.credential import ZoomCredential
from pydantic import SecretStr

from tests.unit.credentials.reconcile.credential_harness import KEY, START, Bench
from tests.unit.credentials.reconcile.test_deauthorization import report_removal
from tests.unit.egress.customer import NAME, Customer, make_certificate, plain, serving


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"), NAME)


@pytest.fixture
async def customer(certificate: Path) -> AsyncIterator[Customer]:
    async with serving(certificate, plain("nothing yet")) as running:
        yield running


@pytest.fixture
async def bench(customer: Customer) -> AsyncIterator[Bench]:
    bench = Bench()
    bench.outside = EgressClient(tls=customer.trust(), resolve=customer.resolve)
    bench.token_url_hosts = (f"private:{NAME}",)
    yield bench
    await bench.close()


def jwt(*, ends_in: float, **claims: Any) -> str:
    payload = {"exp": START.timestamp() + ends_in, **claims}
    return ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({}, payload, 1)
    )


def give(bench: Bench, customer: Customer, *, user: str = "u-alice", token: str = "") -> str:
    """Let the customer's server answer with a token that Zoom knows."""
    token = bench.zoom.access_token(user, token=token)
    customer.answer = plain(f"{token}\n")
    return token


def put(bench: Bench, customer: Customer, *, headers: str | None = None, url: str = "") -> None:
    grant: dict[str, Any] = {"url": url or customer.url}
    if headers is not None:
        grant["headersSecretRef"] = {"name": headers}
    bench.put_credential(grant={"accessTokenURL": grant})


def message(bench: Bench) -> str:
    condition = bench.condition()
    assert condition is not None
    return str(condition["message"])


async def test_a_token_is_fetched_kept_and_identified_by_zoom(bench: Bench, customer: Customer) -> None:
    token = give(bench, customer, token=jwt(ends_in=3600, userId="u-somebody-else", accountId="elsewhere"))
    put(bench, customer)
    await bench.operator().look()
    assert bench.ready
    assert bench.status["userId"] == "u-alice", "what the token says of itself does not count"
    assert bench.status["accountId"] == "acc"
    tokens = bench.state.tokens
    assert tokens is not None
    assert tokens.access_token.get_secret_value() == token
    assert tokens.refresh_token is None
    assert tokens.expires_at == START + timedelta(seconds=3600)
    assert "/oauth/token" not in bench.zoom.asked


async def test_an_opaque_token_is_asked_for_again_after_a_safe_time(bench: Bench, customer: Customer) -> None:
    give(bench, customer)
    put(bench, customer)
    operator = bench.operator()
    await operator.look()
    assert bench.status["expiresAt"] == "2026-11-24T12:05:00Z"
    new = give(bench, customer)
    bench.clock.forward(200)
    await operator.look()
    assert bench.ready
    tokens = bench.state.tokens
    assert tokens is not None
    assert tokens.access_token.get_secret_value() == new
    assert len(customer.asked) == 2


@pytest.mark.parametrize("ends_in", [0, 3600])
async def test_the_same_token_may_be_answered_again_and_is_not_asked_for_all_the_time(
    bench: Bench, customer: Customer, ends_in: int
) -> None:
    give(bench, customer, token=jwt(ends_in=ends_in) if ends_in else "")
    put(bench, customer)
    operator = bench.operator()
    passed, looks = 0.0, 0
    while passed < 3500:
        after = await operator.look()
        looks += 1
        assert after is not None
        assert bench.ready, passed
        assert bench.state.claim is None
        bench.clock.forward(after)
        passed += after
    assert len(customer.asked) < 30
    assert looks < 60


async def test_the_app_secret_needs_no_client_secret(bench: Bench, customer: Customer) -> None:
    bench.put_secret("zoom-app", client_id="client", webhook_secret_token="hook")
    give(bench, customer)
    put(bench, customer)
    await bench.operator().look()
    assert bench.ready


async def test_headers_come_from_a_labelled_secret(bench: Bench, customer: Customer) -> None:
    give(bench, customer)
    put(bench, customer, headers="headers")
    operator = bench.operator()
    await operator.look()
    assert bench.reason == "GrantSecretMissing"
    bench.put_secret("headers", Authorization="Bearer hush\n")
    await operator.look()
    assert bench.reason == "GrantSecretMissing"
    assert 'meetingbots.dev/allow-headers: "true"' in message(bench)
    assert not customer.asked, "an unlabelled Secret is sent to nobody"
    label(bench, "headers", value="false")
    await operator.look()
    assert not customer.asked
    label(bench, "headers")
    await operator.look()
    assert bench.ready
    assert customer.asked[0].headers["authorization"] == "Bearer hush"


def label(bench: Bench, name: str, *, value: str = "true") -> None:
    secret = bench.kube.peek(SECRETS, namespace=KEY.namespace, name=name)
    assert secret is not None
    secret["metadata"]["labels"] = {"meetingbots.dev/allow-headers": value}
    bench.kube.put(SECRETS, secret)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Host", "inside.example"),
        ("Content-Length", "5"),
        ("transfer-encoding", "chunked"),
        ("X y", "v"),
        ("X-Key", "a\r\nX-Other: b"),
        ("X-Key", "é"),
        ("X-Key", " \n"),
    ],
)
async def test_headers_that_would_change_the_request_itself_are_refused(
    bench: Bench, customer: Customer, key: str, value: str
) -> None:
    give(bench, customer)
    bench.put_secret("headers", **{key: value})
    label(bench, "headers")
    put(bench, customer, headers="headers")
    await bench.operator().look()
    assert bench.reason == "GrantSecretMissing"
    assert key in message(bench)
    assert not customer.asked


@pytest.mark.parametrize(
    "url",
    [
        "https://other.test/",
        "http://" + NAME + "/",
        "https://127.0.0.1/",
        "https://169.254.169.254/latest/meta-data",
        "https://user:hush@" + NAME + "/",
        "nonsense",
    ],
)
async def test_addresses_that_the_settings_do_not_allow_are_not_asked(
    bench: Bench, customer: Customer, url: str
) -> None:
    put(bench, customer, url=url)
    await bench.operator().look()
    assert not bench.ready
    assert bench.reason == "AppInvalid"
    assert bench.condition("Stalled") is not None
    assert "spec.grant.accessTokenURL.url cannot be used" in message(bench)
    # Nobody is asked to consent: it is not a person's consent that is missing.
    stored = bench.kube.peek(CREDENTIALS, namespace=KEY.namespace, name=KEY.name)
    assert stored is not None
    assert notice_for(ZoomCredential.from_object({**stored, "kind": "ZoomCredential"})) is None
    assert "hush" not in message(bench)
    assert not customer.asked
    assert not customer.lookups


async def test_it_is_off_by_default(bench: Bench, customer: Customer) -> None:
    bench.token_url_hosts = ()
    give(bench, customer)
    put(bench, customer)
    await bench.operator().look()
    assert bench.reason == "AppInvalid"
    assert "not among the allowed token URL hosts" in message(bench)
    assert not customer.lookups


async def test_a_name_that_leads_into_our_network_is_not_followed(bench: Bench, customer: Customer) -> None:
    bench.token_url_hosts = (NAME,)
    give(bench, customer)
    put(bench, customer)
    operator = bench.operator()
    await operator.look()
    assert bench.reason == "ZoomUnavailable"
    assert "private or link-local address" in message(bench)
    assert not customer.asked


@pytest.mark.parametrize(
    "text",
    ["", "  \n", "two words", "<html><body>sign in</body></html>", "x" * 16_385, "tokén", "a\x00b"],
)
async def test_what_is_no_token_is_told_and_not_quoted(bench: Bench, customer: Customer, text: str) -> None:
    customer.answer = plain(text)
    put(bench, customer)
    after = await bench.operator().look()
    assert bench.reason == "ZoomUnavailable"
    assert message(bench).startswith("The access token URL returned no token: its answer is")
    assert bench.state.tokens is None
    assert after == pytest.approx(5, abs=1)
    assert len(text.strip()) < 9 or text.strip() not in str(bench.status)


@pytest.mark.parametrize("status", [302, 401, 404, 500])
async def test_refusals_of_the_customers_server_cost_nothing(bench: Bench, customer: Customer, status: int) -> None:
    token = give(bench, customer, token=jwt(ends_in=3600))
    put(bench, customer)
    operator = bench.operator()
    await operator.look()
    customer.answer = plain("s3cret", status=status, headers={"location": f"{customer.url}/s3cret"})
    bench.clock.forward(2400)
    await operator.look()
    assert bench.ready
    assert f"HTTP {status}" in message(bench)
    assert "s3cret" not in str(bench.status)
    assert bench.state.tokens is not None
    assert bench.state.tokens.access_token.get_secret_value() == token
    bench.clock.forward(1300)
    await operator.look()
    assert bench.reason == "ZoomUnavailable"
    give(bench, customer, token=jwt(ends_in=9000))
    bench.clock.forward(600)
    await operator.look()
    assert bench.ready


async def test_a_pause_that_the_customers_server_asks_for_is_kept(bench: Bench, customer: Customer) -> None:
    customer.answer = plain("", status=429, headers={"retry-after": "77"})
    put(bench, customer)
    after = await bench.operator().look()
    assert bench.status["nextRefreshTime"] == "2026-11-24T12:01:17Z"
    assert after is not None
    assert after <= 77


async def test_another_users_token_is_refused_at_a_renewal(bench: Bench, customer: Customer) -> None:
    first = give(bench, customer)
    put(bench, customer)
    operator = bench.operator()
    await operator.look()
    give(bench, customer, user="u-bob")
    bench.clock.forward(200)
    await operator.look()
    assert bench.ready, "the token that is there is good to its end"
    assert "another Zoom user than" in message(bench)
    assert bench.state.tokens is not None
    assert bench.state.tokens.access_token.get_secret_value() == first
    bench.clock.forward(200)
    await operator.look()
    assert bench.reason == "UserMismatch"
    give(bench, customer)
    bench.clock.forward(31)
    await operator.look()
    assert bench.ready


async def test_a_token_that_zoom_does_not_know_is_not_hammered(bench: Bench, customer: Customer) -> None:
    customer.answer = plain("not-zooms")
    put(bench, customer)
    operator = bench.operator()
    for _ in range(60):
        await operator.look()
        bench.clock.forward(10)
    assert bench.reason == "ZoomUnavailable"
    assert len(customer.asked) < 15
    give(bench, customer)
    bench.clock.forward(600)
    await operator.look()
    assert bench.ready


async def test_another_address_is_a_new_consent(bench: Bench, customer: Customer) -> None:
    give(bench, customer)
    put(bench, customer)
    operator = bench.operator()
    await operator.look()
    new = give(bench, customer)
    put(bench, customer, url=f"{customer.url}?other=yes")
    await operator.look()
    assert bench.ready
    assert bench.state.tokens is not None
    assert bench.state.tokens.access_token.get_secret_value() == new


def test_expiry() -> None:
    def end(text: str) -> float:
        return (expiry_of(SecretStr(text), now=START) - START).total_seconds()

    assert end(jwt(ends_in=900)) == 900
    assert end(jwt(ends_in=-5)) == -5
    assert end(jwt(ends_in=10**8)) == 86_400
    for odd in ("opaque", "a.b", "a.b.c", "..", "a.!.c", jwt(ends_in=0).replace(".", ".x", 1)):
        assert end(odd) == 300, odd
    for claim in ("soon", None, True, -1, 1e300, [1]):
        assert end(jwt(ends_in=0, exp=claim)) == 300, claim


async def test_a_token_that_has_run_out_is_not_taken(bench: Bench, customer: Customer) -> None:
    give(bench, customer, token=jwt(ends_in=-1))
    put(bench, customer)
    await bench.operator().look()
    assert "has expired" in message(bench)
    assert bench.state.tokens is None


async def test_after_the_user_removed_the_app_a_dead_token_is_not_taken_and_a_live_one_heals(
    bench: Bench, customer: Customer
) -> None:
    token = give(bench, customer, token=jwt(ends_in=3600))
    put(bench, customer)
    operator = bench.operator()
    await operator.look()
    bench.clock.forward(100)
    bench.zoom.access.clear()
    await report_removal(bench)
    for _ in range(4):
        await operator.look()
        bench.clock.forward(40)
    assert bench.reason == "Deauthorized"
    assert bench.state.tokens is None, f"the customer's server still answers {token[:3]}…, which is dead"
    give(bench, customer)
    for _ in range(3):
        bench.clock.forward(600)
        await operator.look()
    assert bench.ready

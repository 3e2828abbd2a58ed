from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from meetingbots.credentials.assembly import access_tokens
from meetingbots.credentials.sessions.access_tokens import AccessToken, NotReady
from meetingbots.kube.resources import SECRETS
from meetingbots.models.credential import CredentialReason
from meetingbots.runtime.object_cache import Key

from tests.unit.credentials.reconcile.credential_harness import KEY, SECRET_NAME, START, Bench, Operator

NO_SCOPE = "Invalid access token, does not contain scopes:[user:read:user]."


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    bench.consent()
    bench.put_credential()
    yield bench
    await bench.close()


async def started(bench: Bench) -> Operator:
    operator = bench.operator()
    await operator.look()
    return operator


async def test_token_comes_from_the_secret_and_is_kept(bench: Bench) -> None:
    operator = await started(bench)
    first = await operator.tokens.get(KEY)
    reads = bench.kube.count("get", SECRETS)
    second = await operator.tokens.get(KEY)
    assert isinstance(first, AccessToken)
    assert first == second
    assert bench.kube.count("get", SECRETS) == reads
    assert first.token.get_secret_value() in bench.zoom.access
    assert (first.user_id, first.account_id, first.api_url) == ("u-alice", "acc", "https://api.zoom.us")
    assert first.token.get_secret_value() not in repr(first)


async def test_kept_token_is_not_used_up_to_its_end(bench: Bench) -> None:
    operator = await started(bench)
    first = await operator.tokens.get(KEY)
    bench.clock.forward(3596)
    assert isinstance(await operator.tokens.get(KEY), NotReady)
    await operator.look()
    second = await operator.tokens.get(KEY)
    assert isinstance(second, AccessToken)
    assert second != first


async def test_unknown_and_suspended_credentials(bench: Bench) -> None:
    operator = await started(bench)
    missing = await operator.tokens.get(Key("team", "bob"))
    assert isinstance(missing, NotReady)
    assert "bob" in missing.message
    assert isinstance(await operator.tokens.get(KEY), AccessToken)
    bench.put_credential(suspend=True)
    await operator.look()
    suspended = await operator.tokens.get(KEY)
    assert isinstance(suspended, NotReady)
    assert suspended.reason is CredentialReason.SUSPENDED


async def test_reason_of_the_credential_is_handed_on_without_waking_it(bench: Bench) -> None:
    bench.put_grant("refresh-spent")
    operator = await started(bench)
    planned = len(operator.services.queues.credentials)
    refused = await operator.tokens.get(KEY)
    assert isinstance(refused, NotReady)
    assert refused.reason is CredentialReason.REAUTHORIZATION_REQUIRED
    assert len(operator.services.queues.credentials) == planned


async def test_tokens_whose_user_is_not_known_yet_are_not_handed_out(bench: Bench) -> None:
    operator = await started(bench)
    item = bench.kube.peek(SECRETS, namespace="team", name=SECRET_NAME)
    assert item is not None
    del item["metadata"]["annotations"]["meetingbots.dev/user-id"]
    bench.kube.put(SECRETS, item)
    assert isinstance(await access_tokens(operator.services).get(KEY), NotReady)


async def test_foreign_secret_is_not_read_for_tokens(bench: Bench) -> None:
    operator = await started(bench)
    item = bench.kube.peek(SECRETS, namespace="team", name=SECRET_NAME)
    assert item is not None
    item["metadata"]["labels"] = {}
    bench.kube.put(SECRETS, item)
    refused = await access_tokens(operator.services).get(KEY)
    assert isinstance(refused, NotReady)
    assert refused.reason is CredentialReason.SECRET_CONFLICT


async def test_revoked_early_is_renewed_at_once(bench: Bench) -> None:
    operator = await started(bench)
    first = await operator.tokens.get(KEY)
    assert isinstance(first, AccessToken)
    bench.clock.forward(60)
    bench.zoom.revoke_access()
    operator.tokens.invalidate(KEY, first)
    assert isinstance(await operator.tokens.get(KEY), NotReady), "a refused token is not handed out again"
    assert await operator.services.queues.credentials.get() == KEY
    operator.services.queues.credentials.done(KEY)
    await operator.look()
    second = await operator.tokens.get(KEY)
    assert isinstance(second, AccessToken)
    assert second.token.get_secret_value() in bench.zoom.access
    assert bench.ready
    asked = bench.zoom.asked.count("/oauth/token")
    operator.tokens.invalidate(KEY, first)
    await operator.look()
    assert bench.zoom.asked.count("/oauth/token") == asked, "the older token's refusal says nothing of the newer"
    assert await operator.tokens.get(KEY) == second


async def test_refused_again_and_again_is_not_renewed_all_the_time(bench: Bench) -> None:
    operator = await started(bench)
    for _ in range(10):
        access = await operator.tokens.get(KEY)
        if isinstance(access, AccessToken):
            operator.tokens.invalidate(KEY, access)
        await operator.look()
        bench.clock.forward(1)
    assert bench.zoom.asked.count("/oauth/token") == 1
    bench.clock.forward(1)
    await operator.look()
    assert bench.zoom.asked.count("/oauth/token") == 2


async def test_another_processes_newer_token_is_found_after_a_refusal(bench: Bench) -> None:
    operator, other = await started(bench), bench.operator()
    first = await operator.tokens.get(KEY)
    assert isinstance(first, AccessToken)
    bench.clock.forward(2300)
    await other.look()
    operator.tokens.invalidate(KEY, first)
    second = await operator.tokens.get(KEY)
    assert isinstance(second, AccessToken)
    assert second.token != first.token


async def test_waits_for_the_renewal_that_it_asks_for(bench: Bench) -> None:
    bench.put_credential(refreshPolicy="OnDemand")
    operator = await started(bench)
    bench.clock.forward(7200)
    waiting = access_tokens(operator.services, wait_seconds=3600)
    operator.use(waiting)
    task = asyncio.create_task(waiting.get(KEY))
    assert await operator.services.queues.credentials.get() == KEY
    await operator.look()
    async with asyncio.timeout(5):
        found = await task
    assert isinstance(found, AccessToken)
    assert found.expires_at > bench.clock.now


async def test_gives_up_waiting_after_its_patience(bench: Bench) -> None:
    operator = await started(bench)
    bench.clock.forward(7200)
    impatient = access_tokens(operator.services, wait_seconds=0)
    found = await impatient.get(KEY)
    assert isinstance(found, NotReady)
    assert found.reason is CredentialReason.ZOOM_UNAVAILABLE
    assert bench.clock.now > START


async def test_ahead_of_time_a_token_is_read_or_asked_for_and_not_waited_for(bench: Bench) -> None:
    operator = await started(bench)
    first = await operator.tokens.prefetch(KEY)
    reads = bench.kube.count("get", SECRETS)
    assert first is not None
    assert await operator.tokens.get(KEY) == first
    assert bench.kube.count("get", SECRETS) == reads
    bench.clock.forward(3596)
    assert await operator.tokens.prefetch(KEY) is None
    assert operator.tokens.wanted(KEY)
    await operator.look()
    second = await operator.tokens.prefetch(KEY)
    assert second not in (None, first)


async def test_ahead_of_time_nothing_is_asked_of_a_credential_that_is_not_there_or_suspended(bench: Bench) -> None:
    operator = await started(bench)
    bob = Key("team", "bob")
    assert await operator.tokens.prefetch(bob) is None
    bench.put_credential(suspend=True)
    await operator.look()
    assert await operator.tokens.prefetch(KEY) is None
    assert not operator.tokens.wanted(bob)
    assert not operator.tokens.wanted(KEY)


async def test_after_a_look_at_the_credential_its_token_is_there_without_a_read(bench: Bench) -> None:
    operator = await started(bench)
    reads = bench.kube.count("get", SECRETS)
    assert isinstance(await operator.tokens.get(KEY), AccessToken)
    assert bench.kube.count("get", SECRETS) == reads


async def test_a_look_at_the_credential_keeps_the_token_in_memory_while_it_is_the_secrets(bench: Bench) -> None:
    operator = await started(bench)
    first = await operator.tokens.get(KEY)
    await operator.look()
    reads = bench.kube.count("get", SECRETS)
    assert await operator.tokens.get(KEY) == first
    assert bench.kube.count("get", SECRETS) == reads
    bench.clock.forward(3000)
    await operator.look()
    second = await operator.tokens.get(KEY)
    assert isinstance(second, AccessToken)
    assert second != first


async def test_a_token_of_an_unknown_user_has_a_rate_of_its_own(bench: Bench) -> None:
    """The account that a token claims is unproven: its calls must not use up that account's rate."""
    bench.zoom.scopes = "meeting:read:local_recording_token"

    async def no_scope(path: str) -> httpx.Response | None:
        return httpx.Response(400, json={"code": 4711, "message": NO_SCOPE}) if path == "/v2/users/me" else None

    bench.zoom.before = no_scope
    operator = bench.operator()
    await operator.look()
    await operator.look()
    access = await operator.tokens.get(KEY)
    assert isinstance(access, AccessToken)
    assert (access.user_id, access.rate_account) == ("", "?team/alice")

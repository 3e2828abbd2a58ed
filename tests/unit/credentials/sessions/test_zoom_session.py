from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from meetingbots.credentials.sessions.zoom_session import NoAccessTokenError, ZoomSession, ZoomSessions
from meetingbots.models.credential import CredentialReason
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.api import ZoomAPI
from meetingbots.zoom.errors import Cause, PermanentError, ZoomError
from meetingbots.zoom.resources import User
from pydantic import SecretStr

from tests.unit.credentials.reconcile.credential_harness import KEY, Bench, Operator


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    bench.consent()
    bench.put_credential()
    yield bench
    await bench.close()


async def started(bench: Bench) -> tuple[Operator, ZoomSession]:
    operator = bench.operator()
    await operator.look()
    return operator, await sessions_of(operator).session(KEY)


def sessions_of(operator: Operator) -> ZoomSessions:
    return ZoomSessions(access_tokens=operator.tokens, api_factory=operator.services.zoom_api)


async def me(api: ZoomAPI, token: SecretStr) -> User:
    return await api.me(token)


def renew_while_waiting(operator: Operator) -> None:
    """Have the wait for a renewal reconcile the credential, as a worker does."""

    async def wait(event: asyncio.Event, seconds: float) -> None:
        await operator.look()

    operator.tokens._wait = wait


async def test_returns_what_zoom_answers(bench: Bench) -> None:
    _, session = await started(bench)
    assert (await session.call(me)).id == "u-alice"
    assert bench.zoom.asked.count("/v2/users/me") == 2


async def test_rejected_token_is_renewed_and_the_call_repeated(bench: Bench) -> None:
    operator, session = await started(bench)
    renew_while_waiting(operator)
    rejected = session.access
    bench.clock.forward(60)
    bench.zoom.revoke_access()
    assert (await session.call(me)).id == "u-alice"
    assert session.access != rejected
    assert (await sessions_of(operator).session(KEY)).access == session.access


async def test_concurrent_calls_share_one_renewal(bench: Bench) -> None:
    operator, session = await started(bench)
    renew_while_waiting(operator)
    bench.clock.forward(60)
    bench.zoom.revoke_access()
    renewals = bench.zoom.asked.count("/oauth/token")
    users = await asyncio.gather(*(session.call(me) for _ in range(3)))
    assert [user.id for user in users] == ["u-alice"] * 3
    assert bench.zoom.asked.count("/oauth/token") == renewals + 1


async def test_without_a_newer_token_the_rejection_stands_and_the_token_is_not_used_again(bench: Bench) -> None:
    operator, session = await started(bench)
    bench.zoom.revoke_access()
    with pytest.raises(ZoomError) as failed:
        await session.call(me)
    assert failed.value.kind is Cause.TOKEN_EXPIRED
    with pytest.raises(NoAccessTokenError):
        await sessions_of(operator).session(KEY)
    assert await operator.services.queues.credentials.get() == KEY, "a renewal was requested"


async def test_other_errors_are_raised_at_once(bench: Bench) -> None:
    _, session = await started(bench)
    calls = 0

    async def fail(api: ZoomAPI, token: SecretStr) -> None:
        nonlocal calls
        calls += 1
        raise PermanentError(Cause.NOT_THE_HOST, message="not the host")

    with pytest.raises(ZoomError):
        await session.call(fail)
    assert calls == 1


async def test_missing_credential_raises_with_its_reason(bench: Bench) -> None:
    operator, _ = await started(bench)
    with pytest.raises(NoAccessTokenError) as missing:
        await sessions_of(operator).session(Key("team", "bob"))
    assert missing.value.not_ready.reason is CredentialReason.WAITING_FOR_CONSENT
    assert "bob" in str(missing.value)

"""New tokens are stored whatever the API server or somebody does meanwhile."""

from __future__ import annotations

import httpx
import pytest
from meetingbots.kube.errors import ForbiddenError, UnavailableError
from meetingbots.kube.resources import CREDENTIALS, SECRETS

from tests.unit.credentials.reconcile.credential_harness import KEY, SECRET_NAME, Bench
from tests.unit.fake_kube import Call


async def _first(bench: Bench) -> None:
    bench.consent()
    bench.put_credential()


async def _renewal(bench: Bench) -> None:
    await _first(bench)
    await bench.operator().look()
    bench.clock.forward(2300)


async def test_api_server_refuses_writes_for_minutes_after_a_rotation(bench: Bench) -> None:
    await _renewal(bench)
    back_at = bench.clock.now.timestamp() + 300

    async def refuse(call: Call) -> None:
        rotated = bench.zoom.asked.count("/oauth/token") == 2
        if rotated and call.moment == "before" and bench.clock.now.timestamp() < back_at:
            raise UnavailableError("no", status=503)

    operator = bench.operator()
    bench.kube.hook = refuse
    await operator.look()
    assert max(operator.sleeps) <= 2
    assert sum(operator.sleeps) >= 295
    assert bench.works()
    assert bench.ready
    assert bench.zoom.asked.count("/oauth/token") == 2


async def test_answer_to_the_store_is_lost_and_it_is_found_done(bench: Bench) -> None:
    await _renewal(bench)
    patches = 0

    async def lose(call: Call) -> None:
        nonlocal patches
        if (call.moment, call.verb, call.plural) == ("after", "patch", "secrets"):
            patches += 1
            if patches == 2:
                raise UnavailableError("gone", status=0)

    operator = bench.operator()
    bench.kube.hook = lose
    await operator.look()
    assert patches == 2
    assert bench.works()


@pytest.mark.parametrize("deleted", [True, False], ids=["deleted", "edited"])
async def test_secret_deleted_or_edited_while_zoom_is_asked(bench: Bench, deleted: bool) -> None:
    await _renewal(bench)

    async def meddle(path: str) -> httpx.Response | None:
        bench.zoom.after = None
        if deleted:
            bench.kube.remove(SECRETS, namespace=KEY.namespace, name=SECRET_NAME)
            return None
        item = bench.kube.peek(SECRETS, namespace=KEY.namespace, name=SECRET_NAME)
        assert item is not None
        item["metadata"]["labels"] = {"mine": "yes"}
        item["metadata"]["annotations"] = {}
        item["data"] = {"note": "bWluZQ=="}
        bench.kube.put(SECRETS, item)
        return None

    bench.zoom.after = meddle
    await bench.operator().look()
    assert bench.works()
    assert bench.ready
    assert bench.state.user_id == "u-alice", "the pin survives"
    if not deleted:
        item = bench.kube.peek(SECRETS, namespace=KEY.namespace, name=SECRET_NAME)
        assert item is not None
        assert item["data"]["note"] == "bWluZQ=="
        assert item["metadata"]["labels"]["mine"] == "yes"


async def test_definite_refusal_to_store_gives_the_worker_back_and_goes_on_later(bench: Bench) -> None:
    await _first(bench)
    quota = True

    async def refuse(call: Call) -> None:
        stores = call.verb in ("patch", "create") and call.plural == "secrets"
        if quota and stores and call.moment == "before" and "/oauth/token" in bench.zoom.asked:
            raise ForbiddenError("exceeded quota: refresh-2", status=403, reason="Forbidden")

    operator = bench.operator()
    bench.kube.hook = refuse
    after = await operator.look()
    assert after is not None
    assert after <= 2
    assert bench.reason == "SecretConflict"
    message = (bench.condition() or {})["message"]
    assert "403 Forbidden" in message
    assert "refresh-2" not in message
    bench.clock.forward(after)
    quota = False
    await operator.credentials.finish()
    assert bench.works()
    await operator.look()
    assert bench.ready


async def test_someone_elses_secret_in_the_place_of_ours_is_not_overwritten(bench: Bench) -> None:
    await _renewal(bench)

    async def replace(path: str) -> httpx.Response | None:
        bench.zoom.after = None
        bench.kube.remove(SECRETS, namespace=KEY.namespace, name=SECRET_NAME)
        bench.put_secret(SECRET_NAME, password="mine")
        return None

    bench.zoom.after = replace
    operator = bench.operator()
    await operator.look()
    assert bench.reason == "SecretConflict"
    assert "stay in memory" in (bench.condition() or {})["message"]
    item = bench.kube.peek(SECRETS, namespace=KEY.namespace, name=SECRET_NAME)
    assert item is not None
    assert set(item["data"]) == {"password"}
    bench.kube.remove(SECRETS, namespace=KEY.namespace, name=SECRET_NAME)
    bench.clock.forward(2)
    await operator.look()
    assert bench.works()
    assert bench.ready


async def test_credential_deleted_while_tokens_are_unsaved_keeps_the_consent(bench: Bench) -> None:
    await _renewal(bench)
    allowed = False

    async def refuse(call: Call) -> None:
        rotated = bench.zoom.asked.count("/oauth/token") == 2
        if rotated and not allowed and call.verb == "patch" and call.moment == "before":
            raise ForbiddenError("policy", status=403, reason="Forbidden")

    operator = bench.operator()
    bench.kube.hook = refuse
    await operator.look()
    bench.kube.remove(CREDENTIALS, namespace="team", name="alice")
    after = await operator.look()
    assert after == 2
    allowed = True
    assert await operator.look() is None
    bench.put_credential()
    await bench.operator().look()
    assert bench.ready
    assert bench.works()

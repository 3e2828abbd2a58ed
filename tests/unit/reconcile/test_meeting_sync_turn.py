from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from meetingbots.kube.errors import UnavailableError
from meetingbots.kube.resources import CREDENTIALS, MAPPINGS

from tests.unit.fake_kube import Call
from tests.unit.reconcile.credential_bench import Bench


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    bench.consent()
    yield bench
    await bench.close()


SYNC = {"meetingSync": {"enabled": True}}
LIST = "/v2/users/me/meetings"


def put(bench: Bench, *, request: str = "", **spec: object) -> None:
    annotations = {"meetingbots.dev/sync-requested-at": request} if request else {}
    bench.put_credential(annotations=annotations, **{**SYNC, **spec})


async def test_meetings_are_read_after_the_first_consent_and_a_day_later(bench: Bench) -> None:
    put(bench)
    operator = bench.operator()
    await operator.look()
    synced = bench.condition("MeetingsSynced")
    assert synced is not None
    assert (synced["status"], synced["reason"]) == ("True", "Synced")
    assert bench.status["meetings"]["count"] == 1
    assert bench.status["meetings"]["lastSyncTime"] == "2026-11-24T12:00:00Z"
    assert bench.kube.peek(MAPPINGS, namespace="team", name="5551234567") is not None
    await operator.look()
    await bench.operator().look()
    assert bench.zoom.asked.count(LIST) == 1
    bench.clock.forward(86_400)
    await operator.look()
    assert bench.zoom.asked.count(LIST) == 2


async def test_failure_is_told_retried_and_no_matter_of_ready(bench: Bench) -> None:
    put(bench)

    async def away(path: str) -> httpx.Response | None:
        return httpx.Response(502, html="<html>") if path == LIST else None

    bench.zoom.before = away
    operator = bench.operator()
    after = await operator.look()
    assert bench.ready
    assert after == 5
    synced = bench.condition("MeetingsSynced")
    assert synced is not None
    assert (synced["status"], synced["reason"]) == ("False", "SyncFailed")
    asked = bench.zoom.asked.count(LIST)
    await bench.operator().look()
    assert bench.zoom.asked.count(LIST) == asked, "a restart does not hammer"
    bench.zoom.before = None
    bench.clock.forward(5)
    await operator.look()
    assert (bench.condition("MeetingsSynced") or {})["status"] == "True"


async def test_mappings_that_cannot_be_written_are_a_failed_sync(bench: Bench) -> None:
    put(bench)

    async def refuse(call: Call) -> None:
        if call.plural == MAPPINGS.plural and call.moment == "before":
            raise UnavailableError("no", status=503)

    bench.kube.hook = refuse
    await bench.operator().look()
    assert bench.ready
    assert (bench.condition("MeetingsSynced") or {})["reason"] == "SyncFailed"


async def test_request_acts_once_per_value(bench: Bench) -> None:
    put(bench)
    operator = bench.operator()
    await operator.look()
    put(bench, request="today")
    await operator.look()
    await operator.look()
    await bench.operator().look()
    assert bench.zoom.asked.count(LIST) == 2
    assert bench.status["lastHandledSyncRequest"] == "today"
    put(bench, request="tomorrow")
    await operator.look()
    assert bench.zoom.asked.count(LIST) == 3


async def test_disabled_and_suspended_are_told_and_resumed(bench: Bench) -> None:
    put(bench, meetingSync={"enabled": False})
    operator = bench.operator()
    await operator.look()
    assert (bench.condition("MeetingsSynced") or {})["reason"] == "SyncDisabled"
    assert LIST not in bench.zoom.asked
    put(bench)
    await operator.look()
    assert (bench.condition("MeetingsSynced") or {})["reason"] == "Synced"
    put(bench, suspend=True)
    await operator.look()
    assert (bench.condition("MeetingsSynced") or {})["reason"] == "Suspended"
    put(bench)
    await operator.look()
    assert (bench.condition("MeetingsSynced") or {})["reason"] == "Synced"


async def test_credential_that_is_not_ready_is_waited_for(bench: Bench) -> None:
    bench.put_grant("refresh-spent")
    put(bench)
    operator = bench.operator()
    await operator.look()
    assert (bench.condition("MeetingsSynced") or {})["reason"] == "CredentialNotReady"
    bench.consent()
    bench.clock.forward(30)
    await operator.look()
    assert (bench.condition("MeetingsSynced") or {})["reason"] == "Synced"


async def test_refused_access_token_is_renewed_and_the_sync_goes_on(bench: Bench) -> None:
    put(bench)
    operator = bench.operator()

    async def revoke(path: str) -> httpx.Response | None:
        if path == LIST:
            bench.zoom.before = None
            bench.zoom.revoke_access()
        return None

    bench.zoom.before = revoke
    await operator.look()
    bench.clock.forward(10)
    await operator.look()
    bench.clock.forward(5)
    await operator.look()
    assert bench.ready
    assert (bench.condition("MeetingsSynced") or {})["reason"] == "Synced"


async def test_both_writers_of_the_status_leave_each_others_part_alone(bench: Bench) -> None:
    put(bench)
    operator = bench.operator()
    await operator.look()
    kinds = {item["type"] for item in bench.status["conditions"]}
    assert kinds == {"Ready", "MeetingsSynced"}
    bench.clock.forward(2300)
    await operator.look()
    assert {item["type"] for item in bench.status["conditions"]} == kinds
    assert bench.status["meetings"]["count"] == 1


async def test_credential_that_went_during_the_read_is_no_error(bench: Bench) -> None:
    put(bench)

    async def delete(path: str) -> httpx.Response | None:
        if path == LIST:
            bench.kube.remove(CREDENTIALS, namespace="team", name="alice")
        return None

    bench.zoom.before = delete
    operator = bench.operator()
    await operator.look()
    assert bench.kube.peek(CREDENTIALS, namespace="team", name="alice") is None

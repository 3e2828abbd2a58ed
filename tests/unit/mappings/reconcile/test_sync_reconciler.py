from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from meetingbots.kube.errors import UnavailableError
from meetingbots.kube.resources import CREDENTIALS, MAPPINGS

from tests.unit.credentials.reconcile.credential_harness import Bench, Killed
from tests.unit.fake_kube import Call


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


async def test_a_failure_is_reported_retried_and_does_not_change_ready(bench: Bench) -> None:
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


async def test_disabled_and_suspended_syncs_are_reported_and_resumed(bench: Bench) -> None:
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
    assert kinds == {"Ready", "MeetingsSynced", "WebhookReceiving"}
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


# Level Account, and reads that take long.

ACCOUNT_SCOPES = "meeting:read:list_meetings:admin user:read:list_users:admin user:read:user:admin"


def zoom_of_an_account(bench: Bench, *, users: int, seconds_each: float = 0) -> None:
    """Zoom lists so many users; each one's list takes so long."""
    rows = [{"id": f"u-{number}", "status": "active"} for number in range(users)]

    async def answer(path: str) -> httpx.Response | None:
        if path == "/v2/users":
            return httpx.Response(200, json={"users": rows, "next_page_token": ""})
        if path.endswith("/meetings"):
            bench.clock.forward(seconds_each)
            user = path.split("/")[3]
            meeting = {"id": 81111111000 + int(user.removeprefix("u-")), "host_id": user}
            return httpx.Response(200, json={"meetings": [meeting], "next_page_token": ""})
        return None

    bench.zoom.before = answer


async def test_account_level_is_read_only_where_asked_for(bench: Bench) -> None:
    bench.zoom.scopes = ACCOUNT_SCOPES
    bench.put_credential(level="Account", meetingSync={})
    zoom_of_an_account(bench, users=2)
    await bench.operator().look()
    assert "/v2/users" not in bench.zoom.asked
    assert (bench.condition("MeetingsSynced") or {})["reason"] == "SyncDisabled"


async def test_progress_is_reported_while_an_account_is_read(bench: Bench) -> None:
    bench.zoom.scopes = ACCOUNT_SCOPES
    put(bench, level="Account")
    zoom_of_an_account(bench, users=5, seconds_each=1.5)
    shown: list[tuple[object, object, str]] = []

    async def watch(call: Call) -> None:
        if call.moment == "after" and call.verb == "apply":
            made = bench.status.get("meetings", {}).get("progress")
            if made is not None:
                reason = str((bench.condition("MeetingsSynced") or {}).get("reason"))
                shown.append((made.get("usersDone"), made.get("usersTotal"), reason))

    bench.kube.hook = watch
    await bench.operator().look()
    assert shown == [(0, 5, "Syncing"), (1, 5, "Syncing"), (3, 5, "Syncing")]
    assert "progress" not in bench.status["meetings"]
    assert bench.status["meetings"]["count"] == 5
    shown.clear()
    bench.clock.forward(86_400)
    await bench.operator().look()
    assert {reason for _, _, reason in shown} == {"Synced"}, "what was read before stays true"


async def test_a_walk_that_a_restart_broke_off_begins_again(bench: Bench) -> None:
    bench.zoom.scopes = ACCOUNT_SCOPES
    put(bench, level="Account")
    zoom_of_an_account(bench, users=3)
    await bench.operator().look()
    bench.clock.forward(90_000)
    zoom_of_an_account(bench, users=3, seconds_each=3)

    async def die(call: Call) -> None:
        if call.moment == "after" and bench.status.get("meetings", {}).get("progress", {}).get("usersDone") == 2:
            raise Killed

    bench.kube.hook = die
    with pytest.raises(Killed):
        await bench.operator().look()
    assert len(mappings(bench)) == 3, "nothing was removed"

    async def live(_: Call) -> None: ...

    bench.kube.hook = live
    await bench.operator().look()
    assert (bench.condition("MeetingsSynced") or {})["reason"] == "Synced"
    assert "progress" not in bench.status["meetings"]
    assert len(mappings(bench)) == 3


def mappings(bench: Bench) -> list[str]:
    return [
        name
        for number in range(9)
        if bench.kube.peek(MAPPINGS, namespace="team", name=(name := str(81111111000 + number))) is not None
    ]

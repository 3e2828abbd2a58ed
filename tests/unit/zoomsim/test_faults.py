import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest

from tests.unit.zoomsim.simulator_harness import SimulatorHarness, error_of
from tests.zoomsim.faults import Fault, Faults


def take(faults: Faults, call: str, path: str = "/", client_id: str | None = None) -> bool:
    return faults.take(call=call, path=path, client_id=client_id) is not None


def test_a_fault_matches_its_call_by_name_or_beginning_and_counts_down() -> None:
    faults = Faults()
    faults.add(Fault(call="oauth.token", kind="empty", count=2, skip=1))
    assert not take(faults, "oauth.tokens")
    assert not take(faults, "oauth.token.refresh_token")
    assert take(faults, "oauth.token.refresh_token")
    assert not take(faults, "users.get")
    assert take(faults, "oauth.token")
    assert faults.queue == []


def test_endless_faults_filters_and_clearing() -> None:
    faults = Faults()
    faults.add(Fault(call="*", kind="empty", count=0, client_id="app", path_contains="/123"))
    assert not take(faults, "users.get", "/123", "another app")
    assert not take(faults, "users.get", "/456", "app")
    assert [take(faults, "users.get", "/123", "app") for _ in range(3)] == [True] * 3
    faults.clear()
    assert not take(faults, "users.get", "/123", "app")


def test_faults_of_one_call_act_in_turn() -> None:
    faults = Faults()
    for kind in ("html", "empty"):
        faults.add(Fault(call="users.get", kind=kind))
    found = [faults.take(call="users.get", path="/", client_id=None) for _ in range(3)]
    assert [fault and fault.kind for fault in found] == ["html", "empty", None]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("none", {}),
        ("seconds", {"retry-after": "7"}),
        ("iso", {"retry-after": "2027-01-16T00:00:00Z", "x-ratelimit-type": "Daily-limit"}),
        ("x_ratelimit", {"x-ratelimit-type": "QPS", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1800000007"}),
    ],
)
async def test_429_in_each_form(zoom: SimulatorHarness, header: Any, expected: dict[str, str]) -> None:
    token = zoom.consent().access_token
    zoom.sim.faults.add(Fault(call="users.get", kind="rate_limited", header=header, seconds=7))
    answer = await zoom.get("/users/me", token)
    assert error_of(answer) == (429, 429)
    assert expected.items() <= dict(answer.headers).items()
    assert ("retry-after" in answer.headers) == ("retry-after" in expected)
    assert (await zoom.get("/users/me", token)).status_code == 200


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_html_pages(zoom: SimulatorHarness, status: int) -> None:
    zoom.sim.faults.add(Fault(call="users.get", kind="html", status=status))
    answer = await zoom.get("/users/me", zoom.consent().access_token)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
    assert "<html>" in answer.text


async def test_empty_body(zoom: SimulatorHarness) -> None:
    zoom.sim.faults.add(Fault(call="users.get", kind="empty"))
    answer = await zoom.get("/users/me", zoom.consent().access_token)
    assert (answer.status_code, answer.content) == (200, b"")


async def test_a_connection_closed_in_the_middle_of_an_answer_that_was_worked_out(zoom: SimulatorHarness) -> None:
    first = zoom.consent()
    zoom.sim.faults.add(Fault(call="oauth.token", kind="close", after_work=True))
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        await zoom.refresh(first.refresh_token)
    assert error_of(await zoom.refresh(first.refresh_token)) == (400, "invalid_grant")


async def test_a_connection_closed_before_anything_was_done(zoom: SimulatorHarness) -> None:
    first = zoom.consent()
    zoom.sim.faults.add(Fault(call="oauth.token", kind="close"))
    with pytest.raises(httpx.TransportError):
        await zoom.refresh(first.refresh_token)
    assert (await zoom.refresh(first.refresh_token)).status_code == 200


@pytest.mark.parametrize(("after_work", "status"), [(True, 400), (False, 200)])
async def test_time_outs_after_and_before_the_work(zoom: SimulatorHarness, after_work: bool, status: int) -> None:
    first = zoom.consent()
    zoom.sim.faults.add(Fault(call="oauth.token.refresh_token", kind="timeout", seconds=60, after_work=after_work))
    zoom.http.timeout = httpx.Timeout(0.2)
    with pytest.raises(httpx.ReadTimeout):
        await zoom.refresh(first.refresh_token)
    zoom.http.timeout = httpx.Timeout(10)
    assert (await zoom.refresh(first.refresh_token)).status_code == status


@pytest.mark.parametrize("kind", ["html", "empty", "rate_limited"])
async def test_a_spoilt_answer_after_the_work_loses_the_rotated_token(zoom: SimulatorHarness, kind: Any) -> None:
    first = zoom.consent()
    zoom.sim.faults.add(Fault(call="oauth.token", kind=kind))
    await zoom.refresh(first.refresh_token)
    zoom.sim.faults.add(Fault(call="oauth.token", kind=kind, after_work=True))
    await zoom.refresh(first.refresh_token)
    assert error_of(await zoom.refresh(first.refresh_token)) == (400, "invalid_grant")


async def test_revoke_in_the_middle_of_things(zoom: SimulatorHarness) -> None:
    first = zoom.consent()
    zoom.sim.faults.add(Fault(call="users.get", kind="revoke"))
    assert error_of(await zoom.get("/users/me", first.access_token)) == (401, 124)
    second = zoom.consent()
    zoom.sim.faults.add(Fault(call="oauth.token.refresh_token", kind="revoke"))
    assert "4741" in (await zoom.refresh(second.refresh_token)).json()["reason"]


async def test_delay_and_latency(zoom: SimulatorHarness) -> None:
    loop, token = asyncio.get_running_loop(), zoom.consent().access_token
    zoom.sim.faults.add(Fault(call="users.get", kind="delay", seconds=0.2))
    began = loop.time()
    assert (await zoom.get("/users/me", token)).status_code == 200
    assert loop.time() - began >= 0.2
    zoom.sim.settings = replace(zoom.sim.settings, latency_seconds=0.1)
    began = loop.time()
    await zoom.get("/users/me", token)
    assert loop.time() - began >= 0.1


async def test_a_fault_of_one_app_spares_the_others(zoom: SimulatorHarness) -> None:
    zoom.sim.faults.add(Fault(call="*", kind="html", count=0, client_id=zoom.app.client_id))
    assert (await zoom.get("/users/me", zoom.consent().access_token)).status_code == 502
    other = zoom.account_app()
    assert (await zoom.get("/users/me", zoom.consent(app=other).access_token)).status_code == 200
    assert (await zoom.refresh(zoom.consent(app=other).refresh_token, other)).status_code == 200
    assert (await zoom.refresh(zoom.consent().refresh_token)).status_code == 502

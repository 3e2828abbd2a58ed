"""A sweep over several tenants: what one of them uses up or rejects does not delay the others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

import pytest
from meetingbots.credentials.sessions.zoom_session import ZoomSession, ZoomSessions
from meetingbots.kube.errors import InvalidError, KubeError, UnavailableError
from meetingbots.kube.resources import CREDENTIALS, MAPPINGS
from meetingbots.mappings.reconcile import sweeper
from meetingbots.runtime.object_cache import Key
from meetingbots.zoom.errors import Cause, TransientError

from tests.unit import virtual_time
from tests.unit.credentials.reconcile.credential_harness import START, Bench
from tests.unit.fake_kube import Call
from tests.unit.mappings.reconcile.mapping_harness import sweeper_of

SWEEP = Key("", "")
PATIENCE_SECONDS = 60.0


class Sessions:
    """Sessions at Zoom, which knows no meeting; questions of the credentials in `slow` wait for their rate."""

    def __init__(self, *slow: Key) -> None:
        self.slow = slow
        self.answered: dict[Key, float] = {}
        """How many seconds after the start each credential got its last answer."""
        self.began = 0.0

    async def session(self, key: Key) -> ZoomSession:
        return cast("ZoomSession", _Session(self, key))


class _Session:
    def __init__(self, sessions: Sessions, key: Key) -> None:
        self._sessions, self._key = sessions, key

    async def call(self, _: object) -> Any:
        if self._key in self._sessions.slow:
            await asyncio.sleep(PATIENCE_SECONDS)
            raise TransientError(Cause.RATE_LIMITED, message="the account's rate is used up")
        self._sessions.answered[self._key] = asyncio.get_running_loop().time() - self._sessions.began


def customer(bench: Bench, key: Key, *meetings: str, status: Mapping[str, Any] | None = None) -> None:
    """A credential with meetings that Zoom is asked about, or with this status."""
    bench.kube.put(
        CREDENTIALS,
        {
            "metadata": {"name": key.name, "namespace": key.namespace, "uid": f"uid-{key.namespace}-{key.name}"},
            "spec": {"appSecretRef": {"name": "app"}, "grant": {"connect": {}}},
        },
    )
    for name in meetings:
        found = [{"name": key.name, "role": "Host", "source": "Webhook"}]
        bench.kube.put(
            MAPPINGS,
            {
                "metadata": {"name": name, "namespace": key.namespace, "labels": {}, "ownerReferences": []},
                "spec": {"meetingId": name},
                "status": {"credentials": found, **(status or scheduled(days_ago=40))},
            },
        )


def scheduled(*, days_ago: float, phase: str = "Scheduled") -> dict[str, Any]:
    heard = START - timedelta(days=days_ago)
    return {"phase": phase, "eventTimes": {"existence": int(heard.timestamp() * 1000)}}


def meetings(first: int, count: int) -> list[str]:
    return [f"8{number:010d}" for number in range(first, first + count)]


def sweep(bench: Bench, sessions: Sessions) -> tuple[float, float]:
    """Sweep all namespaces; the seconds that it took and the seconds until the next."""

    async def main() -> tuple[float, float]:
        operator = bench.operator()
        for item in bench.kube._objects.values():
            if item["kind"] == CREDENTIALS.kind:
                operator.services.caches.credentials.put(item)
        clock = asyncio.get_running_loop().time
        sessions.began = clock()
        try:
            pause = await sweeper_of(operator.services, sessions=cast("ZoomSessions", sessions)).reconcile(SWEEP)
        finally:
            await bench.close()
        assert pause is not None
        return clock() - sessions.began, pause

    return virtual_time.run(main())


@pytest.mark.parametrize("hostile", [Key("hostile", "free"), Key("team", "free")], ids=["a namespace", "a colleague"])
def test_a_credential_without_rate_delays_no_answer_of_others(hostile: Key) -> None:
    bench, alice, bob = Bench(), Key("team", "alice"), Key("other", "bob")
    customer(bench, hostile, *meetings(0, 300))
    customer(bench, alice, *meetings(1000, 3))
    customer(bench, bob, *meetings(2000, 3))
    sessions = Sessions(hostile)
    took, _ = sweep(bench, sessions)
    assert {key: round(after) for key, after in sessions.answered.items()} == {alice: 0, bob: 0}
    assert took == pytest.approx(120)


def test_each_of_many_credentials_gets_its_answers_at_once() -> None:
    bench = Bench()
    customers = [Key(f"tenant-{number}", "alice") for number in range(20)]
    for number, key in enumerate(customers):
        customer(bench, key, *meetings(100 * number, 4))
    sessions = Sessions(*customers[::2])
    took, _ = sweep(bench, sessions)
    assert {key: round(after) for key, after in sessions.answered.items()} == dict.fromkeys(customers[1::2], 0)
    assert took == pytest.approx(120)


REFUSALS = [
    InvalidError('admission webhook "policy.example.com" denied the request', status=422),
    UnavailableError('failed calling webhook "policy.example.com"', status=500),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=["denied", "away"])
def test_a_namespace_that_accepts_no_write_keeps_no_other_outdated(
    refusal: KubeError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "_PAUSE_SECONDS_EACH", 10.0)
    bench, alice, bob = Bench(), Key("a-hostile", "alice"), Key("other", "bob")
    deleted = scheduled(days_ago=1, phase="Deleted")
    customer(bench, alice, *meetings(0, 30), status=deleted)
    customer(bench, bob, *meetings(100, 30), status=deleted)
    refused: list[str] = []

    async def admission(call: Call) -> None:
        if call.verb == "delete" and call.namespace == alice.namespace:
            refused.append(call.name)
            raise refusal

    bench.kube.hook = admission
    _, pause = sweep(bench, Sessions())
    left = {item["metadata"]["namespace"] for item in bench.kube._objects.values() if item["kind"] == MAPPINGS.kind}
    assert left == {alice.namespace}
    assert len(refused) <= 8, "what fails in a namespace is not tried for each of its mappings"
    assert pause == pytest.approx(300)


def test_an_error_of_the_api_server_ends_the_questions_of_one_credential_only() -> None:
    bench, alice, bob = Bench(), Key("team", "alice"), Key("other", "bob")
    customer(bench, alice, *meetings(0, 3))
    customer(bench, bob, *meetings(100, 3))

    async def fail(call: Call) -> None:
        if (call.verb, call.plural, call.namespace) == ("get", MAPPINGS.plural, alice.namespace):
            raise UnavailableError("no answer", status=503)

    bench.kube.hook = fail
    sessions = Sessions()
    sweep(bench, sessions)
    assert list(sessions.answered) == [bob]

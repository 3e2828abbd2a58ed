"""Events for people: complete, never waited for, dropped rather than in the way."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import KubeError, UnavailableError
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.kube.resources import EVENTS, Resource

from tests.unit.virtual_time import run, turns

NOW = datetime(2026, 11, 24, 12, 0, 0, 250_000, tzinfo=UTC)
BOT: Object = {
    "apiVersion": "meetingbots.dev/v1alpha1",
    "kind": "MeetingBot",
    "metadata": {"namespace": "ns", "name": "b", "uid": "u1"},
}


class Posted(Kube):
    """Keeps what is created; fails as scripted, and waits while it is blocked."""

    def __init__(self) -> None:
        self.events: list[Object] = []
        self.failure: KubeError | None = None
        self.free = asyncio.Event()
        self.free.set()

    async def create(
        self, resource: Resource, *, namespace: str | None, body: Object, dry_run: bool = False, strict: bool = False
    ) -> Object:
        await self.free.wait()
        if self.failure is not None:
            raise self.failure
        assert (resource, namespace) == (EVENTS, body["metadata"]["namespace"])
        self.events.append(body)
        return body


def recorded(*, regarding: Object = BOT, **event: Any) -> Object:
    """The one Event that is posted for this call."""

    async def main() -> Object:
        kube = Posted()
        recorder = new_recorder(kube)
        recorder.event(regarding, **event)
        task = asyncio.create_task(recorder.run())
        await recorder.flush()
        task.cancel()
        (posted,) = kube.events
        return posted

    return run(main())


def new_recorder(kube: Kube) -> EventRecorder:
    return EventRecorder(kube=kube, clock=lambda: NOW, instance="host-1")


def test_an_event_says_who_what_and_when() -> None:
    event = recorded(reason="TokenDelivered", note="The bot has its join token.", action="Deliver")
    name = event["metadata"].pop("name")
    assert name.startswith("b.")
    assert event == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"namespace": "ns"},
        "eventTime": "2026-11-24T12:00:00.250000Z",
        "reportingController": "meetingbots.dev/operator",
        "reportingInstance": "host-1",
        "action": "Deliver",
        "reason": "TokenDelivered",
        "type": "Normal",
        "note": "The bot has its join token.",
        "regarding": {
            "apiVersion": "meetingbots.dev/v1alpha1",
            "kind": "MeetingBot",
            "namespace": "ns",
            "name": "b",
            "uid": "u1",
        },
    }


def test_a_warning_is_one_and_two_events_have_two_names() -> None:
    first, second = (recorded(reason="X", note="x", warning=True) for _ in range(2))
    assert first["type"] == "Warning"
    assert first["metadata"]["name"] != second["metadata"]["name"]


@pytest.mark.parametrize("letter", ["x", "ä", "€", "😀"])
def test_a_note_is_cut_at_1024_bytes_between_letters(letter: str) -> None:
    note = recorded(reason="X", note=letter * 2000)["note"]
    assert 1024 - 4 < len(note.encode()) <= 1024
    assert set(note) == {letter}


def test_the_name_fits_for_the_longest_object_name() -> None:
    regarding = {**BOT, "metadata": {**BOT["metadata"], "name": "a" * 235 + "." + "b" * 17}}
    name = recorded(regarding=regarding, reason="X", note="x")["metadata"]["name"]
    assert len(name) <= 253
    assert name.startswith("a" * 235 + ".")
    assert ".." not in name


def test_recording_never_waits_and_drops_what_is_too_much() -> None:
    async def main() -> None:
        kube = Posted()
        kube.free.clear()
        recorder = new_recorder(kube)
        task = asyncio.create_task(recorder.run())
        for number in range(8000):  # a plain call: nothing that could wait
            recorder.event(BOT, reason=f"R{number}", note="x")
        await turns()
        assert kube.events == []
        kube.free.set()
        await recorder.flush()
        assert [event["reason"] for event in kube.events] == [f"R{number}" for number in range(5000)]
        task.cancel()

    run(main())


def test_an_api_server_that_is_away_costs_the_event_only(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        kube = Posted()
        kube.failure = UnavailableError("away")
        recorder = new_recorder(kube)
        task = asyncio.create_task(recorder.run())
        recorder.event(BOT, reason="Lost", note="not for the log")
        await recorder.flush()
        kube.failure = None
        recorder.event(BOT, reason="Posted", note="x")
        await recorder.flush()
        assert [event["reason"] for event in kube.events] == ["Posted"]
        task.cancel()

    with caplog.at_level(logging.DEBUG):
        run(main())
    assert "event Lost not posted: away" in caplog.text
    assert "not for the log" not in caplog.text


def test_flush_waits_for_the_one_that_is_being_posted() -> None:
    async def main() -> None:
        kube = Posted()
        kube.free.clear()
        recorder = new_recorder(kube)
        task = asyncio.create_task(recorder.run())
        recorder.event(BOT, reason="X", note="x")
        flushed = asyncio.create_task(recorder.flush())
        await turns()
        assert not flushed.done()
        kube.free.set()
        await flushed
        assert len(kube.events) == 1
        task.cancel()

    run(main())


def test_hanging_events_of_one_namespace_do_not_delay_another() -> None:
    class Hanging(Posted):
        async def create(
            self,
            resource: Resource,
            *,
            namespace: str | None,
            body: Object,
            dry_run: bool = False,
            strict: bool = False,
        ) -> Object:
            await asyncio.sleep(30.0 if namespace == "hostile" else 0.1)
            return await super().create(resource, namespace=namespace, body=body)

    async def main() -> list[tuple[str, str]]:
        kube = Hanging()
        recorder = new_recorder(kube)
        task = asyncio.create_task(recorder.run())
        for number in range(20_000):
            recorder.event(_in("hostile"), reason=f"R{number}", note="x")
        for number in range(3):
            recorder.event(_in("good"), reason=f"R{number}", note="x")
        await asyncio.sleep(1.0)
        task.cancel()
        return [(event["metadata"]["namespace"], event["reason"]) for event in kube.events]

    assert run(main()) == [("good", "R0"), ("good", "R1"), ("good", "R2")]


def _in(namespace: str) -> Object:
    return {**BOT, "metadata": {**BOT["metadata"], "namespace": namespace}}

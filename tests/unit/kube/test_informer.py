"""The informer: every state is reported, what vanished is reported as gone, and troubles are outlived with pauses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import pytest
from meetingbots.kube import informer
from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import ExpiredError, ForbiddenError, KubeError, UnavailableError
from meetingbots.kube.informer import Informer
from meetingbots.kube.resources import CREDENTIALS, SECRETS, Resource

from tests.unit.kube.scripted_server import Reply, Reset, ScriptedServer, Stream, lines, refusal
from tests.unit.virtual_time import run

Seen: TypeAlias = tuple[str, str, str | None]
Step: TypeAlias = "Sequence[Object | KubeError] | Watch"


def thing(name: str, version: int) -> Object:
    return {"metadata": {"namespace": "ns", "name": name, "resourceVersion": str(version)}}


def page(version: int, *items: Object, more: str = "") -> Object:
    return {"metadata": {"resourceVersion": str(version), "continue": more}, "items": list(items)}


@dataclass(frozen=True)
class Watch:
    """A watch that brings these changes, then ends, fails, or waits."""

    changes: Sequence[tuple[str, Object]] = ()
    then: KubeError | float | None = None
    """Seconds until it ends; None: never."""


class Script(Kube):
    """Lists and watches as scripted, in virtual time; after the script it waits for ever."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.asked: list[tuple[float, str, str]] = []
        self.over = asyncio.Event()

    def _step(self, what: str, position: str) -> Step | None:
        self.asked.append((asyncio.get_running_loop().time(), what, position))
        if self.steps:
            return self.steps.pop(0)
        self.over.set()
        return None

    async def pages(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        page_size: int = 500,
    ) -> AsyncIterator[Object]:
        step = self._step("list", "")
        if step is None:
            await asyncio.Event().wait()
        assert isinstance(step, list), "the script has no list here"
        for item in step:
            if isinstance(item, KubeError):
                raise item
            yield item

    async def watch(
        self,
        resource: Resource,
        *,
        namespace: str | None,
        resource_version: str,
        field_selector: str | None = None,
        timeout_seconds: int = 240,
    ) -> AsyncIterator[Object]:
        step = self._step("watch", resource_version)
        if step is None:
            await asyncio.Event().wait()
        assert isinstance(step, Watch), "the script has no watch here"
        for kind, item in step.changes:
            yield {"type": kind, "object": item}
        if isinstance(step.then, KubeError):
            raise step.then
        if step.then is None:
            self.over.set()
            await asyncio.Event().wait()
        else:
            await asyncio.sleep(step.then)

    @property
    def pauses(self) -> list[float]:
        times = [time for time, _, _ in self.asked]
        return [round(after - before, 3) for before, after in pairwise(times)]


def follow(*steps: Step) -> tuple[list[Seen], Script]:
    """What an informer reports (namespace, name, resourceVersion or None) while the script lasts."""

    async def main() -> tuple[list[Seen], Script]:
        kube, seen = Script(*steps), list[Seen]()
        task = asyncio.create_task(_informer(kube, seen).run())
        await kube.over.wait()
        await _end(task)
        return seen, kube

    return run(main())


def _informer(kube: Kube, seen: list[Seen], *, resource: Resource = CREDENTIALS) -> Informer:
    def on_change(namespace: str, name: str, item: Object | None) -> None:
        seen.append((namespace, name, None if item is None else item["metadata"]["resourceVersion"]))

    return Informer(kube=kube, resource=resource, namespace="ns", on_change=on_change)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def test_a_list_of_several_pages_and_then_changes() -> None:
    seen, kube = follow(
        [page(9, thing("a", 1), more="x"), page(9, thing("b", 2))],
        Watch([("ADDED", thing("c", 10)), ("MODIFIED", thing("a", 11)), ("DELETED", thing("b", 12))]),
    )
    assert seen == [
        ("ns", "a", "1"),
        ("ns", "b", "2"),
        ("ns", "c", "10"),
        ("ns", "a", "11"),
        ("ns", "b", None),
    ]
    assert [asked[1:] for asked in kube.asked] == [("list", ""), ("watch", "9")]


def test_a_watch_that_ended_goes_on_where_it_was_and_bookmarks_move_it() -> None:
    seen, kube = follow(
        [page(5)],
        Watch([("ADDED", thing("a", 6))], then=240.0),
        Watch([("BOOKMARK", {"metadata": {"resourceVersion": "20"}})], then=240.0),
        Watch(),
    )
    assert [asked[1:] for asked in kube.asked] == [("list", ""), ("watch", "5"), ("watch", "6"), ("watch", "20")]
    assert seen == [("ns", "a", "6")]
    assert kube.pauses == [0.0, 240.0, 240.0]


@pytest.mark.parametrize("trouble", [ExpiredError("too old", status=410), UnavailableError("away")])
def test_what_vanished_meanwhile_is_reported_as_deleted(trouble: KubeError) -> None:
    seen, _ = follow(
        [page(5, thing("stays", 1), thing("vanishes", 2))],
        Watch([("ADDED", thing("came", 6)), ("ADDED", thing("went", 7)), ("DELETED", thing("went", 8))], then=trouble),
        [page(20, thing("stays", 15))],
        Watch(),
    )
    assert seen[:4] == [("ns", "stays", "1"), ("ns", "vanishes", "2"), ("ns", "came", "6"), ("ns", "went", "7")]
    assert seen[4:6] == [("ns", "went", None), ("ns", "stays", "15")]
    assert sorted(seen[6:]) == [("ns", "came", None), ("ns", "vanishes", None)]


def test_what_a_broken_list_had_reported_is_not_forgotten() -> None:
    seen, _ = follow(
        [page(5, thing("a", 1), more="x"), UnavailableError("away")],
        [page(6, thing("b", 2))],
        Watch(),
    )
    assert seen == [("ns", "a", "1"), ("ns", "b", "2"), ("ns", "a", None)]


def test_an_expired_position_is_listed_again_at_once_but_not_in_a_tight_loop() -> None:
    expired = ExpiredError("too old", status=410)
    steps: list[Step] = [[page(5)], Watch(then=expired)]
    _, kube = follow(*steps * 4)
    assert kube.pauses == [0.0, 0.0, 0.0, 0.5, 0.0, 1.0, 0.0, 2.0]


def test_a_server_that_is_away_is_asked_with_growing_pauses() -> None:
    away = UnavailableError("away")
    _, kube = follow(*[[away]] * 7)
    assert kube.pauses == [0.2, 0.5, 1.0, 2.0, 5.0, 5.0, 5.0]


def test_a_watch_that_is_forbidden_is_not_asked_for_in_a_tight_loop() -> None:
    forbidden = ForbiddenError("no watch for you", status=403)
    steps: list[Step] = [[page(5)], Watch(then=forbidden)]
    _, kube = follow(*steps * 3)
    assert kube.pauses == [0.0, 0.2, 0.0, 0.5, 0.0, 1.0]


def test_a_working_watch_makes_the_pauses_short_again() -> None:
    away = UnavailableError("away")
    _, kube = follow([away], [away], [page(5)], Watch([("ADDED", thing("a", 6))], then=away), [page(7)], Watch())
    assert kube.pauses == [0.2, 0.5, 0.0, 0.2, 0.0]


def test_the_servers_retry_after_is_honoured() -> None:
    _, kube = follow([UnavailableError("busy", status=429, retry_after=13.0)], [page(5)], Watch())
    assert kube.pauses == [13.0, 0.0]


def test_streams_that_end_at_once_are_not_a_tight_loop() -> None:
    _, kube = follow([page(5)], *[Watch(then=0.0)] * 3)
    assert kube.pauses == [0.0, 0.2, 0.2, 0.2]


def test_synced_comes_with_the_first_complete_list_only() -> None:
    async def main() -> None:
        kube = Script([page(5, thing("a", 1), more="x"), UnavailableError("away")], [page(6, thing("a", 1))], Watch())
        follower = _informer(kube, [])
        task = asyncio.create_task(follower.run())
        await asyncio.sleep(0.1)
        assert not follower.synced.is_set()
        await follower.synced.wait()
        assert [what for _, what, _ in kube.asked][:2] == ["list", "list"]
        await _end(task)

    run(main())


async def test_over_the_network_it_survives_a_server_that_goes_away(
    kube: Kube, server: ScriptedServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One pass with the real client: list, watch, cut off, away, refused, expired, and on it goes."""
    monkeypatch.setattr(informer, "_BACKOFF_SECONDS", (0.01, 0.01))
    event = {"type": "ADDED", "object": thing("b", 6)}
    server.says(
        Reply(page(5, thing("a", 1))),
        Stream([lines(event)], end="abort"),
        Reset(),
        refusal(503, "ServiceUnavailable"),
        Reply(page(9, thing("b", 6))),
        refusal(410, "Expired"),
        Reply(page(10, thing("b", 6), thing("c", 10))),
        Stream([], end="hang"),
    )
    seen: list[Seen] = []
    task = asyncio.create_task(_informer(kube, seen, resource=SECRETS).run())
    await server.last.wait()
    await _end(task)
    assert seen == [
        ("ns", "a", "1"),
        ("ns", "b", "6"),
        ("ns", "b", "6"),
        ("ns", "a", None),
        ("ns", "b", "6"),
        ("ns", "c", "10"),
    ]
    assert "watch of secrets broke" in caplog.text


def test_how_long_nothing_was_heard() -> None:
    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        script = Script([page(1)], Watch([("BOOKMARK", thing("", 2))]))
        informer = Informer(
            kube=script, resource=CREDENTIALS, namespace="ns", on_change=lambda *_: None, clock=loop.time
        )
        silent = [informer.silent_for]
        task = asyncio.create_task(informer.run())
        await script.over.wait()
        silent.append(informer.silent_for)
        await asyncio.sleep(95)
        silent.append(informer.silent_for)
        await _end(task)
        return silent

    assert run(main()) == [float("inf"), 0, 95]


def test_of_a_broken_watch_nothing_is_heard() -> None:
    async def main() -> float:
        script = Script([page(1)], Watch([("BOOKMARK", thing("", 2))], then=UnavailableError("away", status=503)))
        informer = _informer(script, [])
        task = asyncio.create_task(informer.run())
        await script.over.wait()
        await _end(task)
        return informer.silent_for

    assert run(main()) == float("inf")


def test_an_object_that_its_receiver_cannot_digest_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    seen: list[str] = []

    async def main() -> None:
        kube = Script(
            [page(9, thing("odd", 1), thing("b", 2))],
            Watch([("MODIFIED", thing("odd", 10)), ("ADDED", thing("c", 11)), ("DELETED", thing("odd", 12))]),
        )

        def on_change(namespace: str, name: str, item: Object | None) -> None:
            if name == "odd":
                raise RecursionError("quotes a secret")
            seen.append(name)

        informer = Informer(kube=kube, resource=CREDENTIALS, namespace="ns", on_change=on_change)
        task = asyncio.create_task(informer.run())
        await kube.over.wait()
        await _end(task)
        assert informer.synced.is_set()

    run(main())
    assert seen == ["b", "c"]
    assert "ZoomCredential ns/odd is skipped: RecursionError" in caplog.text
    assert "secret" not in caplog.text

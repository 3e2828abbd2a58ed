"""Workers: each key is reconciled, comes again when asked for or after a failure, and no value reaches the log."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Sequence

import pytest
from meetingbots.kube.errors import ConflictError, UnavailableError
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.work_queue import WorkQueue
from meetingbots.runtime.workers import Controller, Supervisor, Workers

from tests.unit.virtual_time import run, turns

Reconcile = Callable[[str], Awaitable[float | None]]


class Scripted:
    """Answers each visit with the next of `outcomes` (a failure is raised) and remembers when it was visited."""

    def __init__(self, *outcomes: float | Exception | None) -> None:
        self.outcomes = list(outcomes)
        self.times: list[float] = []

    async def __call__(self, key: str) -> float | None:
        self.times.append(asyncio.get_running_loop().time())
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    @property
    def pauses(self) -> list[float]:
        return [round(after - before, 3) for before, after in zip(self.times, self.times[1:], strict=False)]


async def serve(
    reconcile: Reconcile, *, keys: Sequence[str] = ("a",), seconds: float = 10_000.0, count: int = 1
) -> WorkQueue[str]:
    """Run workers for `seconds` of virtual time and end them."""
    queue: WorkQueue[str] = WorkQueue(clock=asyncio.get_running_loop().time)
    workers = Workers(Controller(kind="Thing", queue=queue, reconcile=reconcile, workers=count), metrics=Metrics())
    task = asyncio.create_task(workers.run())
    for key in keys:
        queue.add(key)
    await asyncio.sleep(seconds)
    queue.close()
    await task
    return queue


def test_a_key_comes_again_after_the_time_it_asked_for() -> None:
    reconcile = Scripted(30.0, 0.0, None)
    run(serve(reconcile))
    assert reconcile.pauses == [30.0, 0.0]


def test_failures_are_tried_again_with_growing_delays_up_to_half_a_minute() -> None:
    reconcile = Scripted(*[RuntimeError("x")] * 10)
    run(serve(reconcile))
    assert reconcile.pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_after_a_success_the_delays_are_short_again() -> None:
    broken = UnavailableError("away", status=503)
    reconcile = Scripted(broken, broken, broken, 100.0, broken, broken)
    run(serve(reconcile))
    assert reconcile.pauses == [0.25, 0.5, 1.0, 100.0, 0.25, 0.5]


def test_the_api_servers_retry_after_is_honoured() -> None:
    busy = UnavailableError("busy", status=429, retry_after=7.0)
    short = UnavailableError("busy", status=429, retry_after=0.1)
    reconcile = Scripted(busy, short, None)
    run(serve(reconcile))
    assert reconcile.pauses == [7.0, 0.5]  # never sooner than after a failure without it


def test_thousands_of_failures_of_one_key_do_not_end_the_worker() -> None:
    reconcile = Scripted(*[RuntimeError("x")] * 1200)
    run(serve(reconcile, seconds=40_000.0))
    assert len(reconcile.times) == 1201


def test_failures_of_one_key_do_not_slow_another() -> None:
    times: dict[str, list[float]] = {"good": [], "bad": []}

    async def reconcile(key: str) -> float | None:
        times[key].append(asyncio.get_running_loop().time())
        if key == "bad":
            raise ConflictError("changed", status=409)
        return 1.0

    run(serve(reconcile, keys=("bad", "good"), seconds=100.5))
    assert len(times["good"]) == 101
    assert 5 < len(times["bad"]) < 12


def test_the_text_of_an_unknown_exception_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    def deeper() -> None:
        raise ValueError("passcode-4711") from KeyError("passcode-4712")

    visits = 0

    async def reconcile(key: str) -> float | None:
        nonlocal visits
        visits += 1
        if visits == 1:
            deeper()
        return None

    with caplog.at_level(logging.DEBUG):
        run(serve(reconcile, keys=("ns/name",)))
    assert "passcode" not in caplog.text
    (record,) = [record for record in caplog.records if record.name == "meetingbots.runtime.workers"]
    assert record.levelno == logging.ERROR
    message = record.getMessage()
    assert "Thing ns/name" in message
    assert "ValueError" in message
    assert "deeper" in message  # where it was


def test_a_refusal_by_the_api_server_is_logged_in_its_words(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        run(serve(Scripted(UnavailableError("API server unreachable: TimeoutError")), keys=("ns/name",)))
    assert "Thing ns/name: API server unreachable: TimeoutError; retry in 0.2 s" in caplog.text


def test_a_closed_queue_lets_the_one_under_way_finish() -> None:
    finished = []

    async def reconcile(key: str) -> float | None:
        await asyncio.sleep(50.0)
        finished.append(key)
        return 1.0

    run(serve(reconcile, keys=("a", "b"), seconds=10.0))
    assert finished == ["a"]  # and b waits for the next process


def test_several_workers_run_different_keys_at_once_and_one_key_never_twice() -> None:
    inside: list[str] = []
    most = 0

    async def reconcile(key: str) -> float | None:
        nonlocal most
        assert key not in inside
        inside.append(key)
        most = max(most, len(inside))
        await asyncio.sleep(1.0)
        inside.remove(key)
        return 0.0

    run(serve(reconcile, keys=("a", "b", "c"), seconds=20.0, count=2))
    assert most == 2


def test_an_event_during_work_brings_the_key_again_at_once() -> None:
    visits = 0

    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(clock=asyncio.get_running_loop().time)

        async def reconcile(key: str) -> float | None:
            nonlocal visits
            visits += 1
            await asyncio.sleep(5.0)
            return 3600.0

        workers = Workers(Controller(kind="Thing", queue=queue, reconcile=reconcile, workers=2), metrics=Metrics())
        task = asyncio.create_task(workers.run())
        queue.add("a")
        await asyncio.sleep(1.0)
        queue.add("a")
        await asyncio.sleep(20.0)
        assert visits == 2
        queue.close()
        await task

    run(main())


def test_metrics_count_durations_and_waiting_keys() -> None:
    metrics = Metrics()

    def depth() -> float | None:
        return metrics.registry.get_sample_value("meetingbots_queue_depth", {"kind": "Thing"})

    async def main() -> None:
        queue: WorkQueue[str] = WorkQueue(clock=asyncio.get_running_loop().time)
        workers = Workers(Controller(kind="Thing", queue=queue, reconcile=Scripted(), workers=1), metrics=metrics)
        queue.add("a")
        queue.add("b", after=5.0)
        assert depth() == 1
        task = asyncio.create_task(workers.run())
        await turns()
        assert depth() == 0
        queue.close()
        await task

    run(main())
    count = metrics.registry.get_sample_value("meetingbots_reconcile_duration_seconds_count", {"kind": "Thing"})
    assert count == 1


def test_a_key_is_requeued_when_its_reconciliation_awaits_a_cancelled_task() -> None:
    calls: list[str] = []

    async def reconcile(key: str) -> None:
        calls.append(key)
        if len(calls) == 1:
            shared = asyncio.create_task(asyncio.sleep(3600))
            shared.cancel()
            await shared

    run(serve(reconcile))
    assert calls == ["a", "a"]


@pytest.mark.parametrize("before", [0, 1], ids=["while no key is in work", "while a key is in work"])
def test_the_death_of_the_workers_loses_no_key_and_no_slot(before: int) -> None:
    async def main() -> list[str]:
        queue: WorkQueue[str] = WorkQueue(clock=asyncio.get_running_loop().time)
        done, get, numbers = list[str](), queue.get, itertools.count()

        async def dying_get() -> str | None:
            if next(numbers) == before:
                raise RuntimeError
            return await get()

        async def reconcile(key: str) -> None:
            await asyncio.sleep(5.0)
            done.append(key)

        queue.get = dying_get  # type: ignore[method-assign]
        metrics = Metrics()
        workers = Workers(
            Controller(kind="Thing", queue=queue, reconcile=reconcile, workers=before + 1), metrics=metrics
        )
        task = asyncio.create_task(Supervisor(metrics=metrics, ending=lambda: False).keep("workers", workers.run))
        queue.add("a")
        await asyncio.sleep(60.0)
        task.cancel()
        await asyncio.wait({task})
        return done

    assert run(main()) == ["a"]


def test_a_worker_that_is_cancelled_frees_its_key() -> None:
    async def main() -> int:
        started = asyncio.Event()

        async def reconcile(_: str) -> None:
            started.set()
            await asyncio.sleep(3600)

        queue: WorkQueue[str] = WorkQueue(clock=asyncio.get_running_loop().time)
        controller = Controller(kind="Thing", queue=queue, reconcile=reconcile, workers=1)
        task = asyncio.create_task(Workers(controller, metrics=Metrics()).run())
        queue.add("a")
        await started.wait()
        queue.add("a")
        task.cancel()
        await asyncio.wait({task})
        return queue.ready

    assert run(main()) == 1

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.workers import Supervisor

from tests.unit.virtual_time import run


def keep(task: Callable[[], Awaitable[None]], *, seconds: float = 10.0, ending: bool = False) -> Metrics:
    """Supervise `task` for so long."""
    metrics = Metrics()

    async def main() -> None:
        kept = asyncio.create_task(Supervisor(metrics=metrics, ending=lambda: ending).keep("sync", task))
        await asyncio.sleep(seconds)
        kept.cancel()
        await asyncio.gather(kept, return_exceptions=True)

    run(main())
    return metrics


def restarts(metrics: Metrics) -> float:
    return metrics.registry.get_sample_value("meetingbots_task_restarts_total", {"task": "sync"}) or 0.0


async def dies() -> None:
    raise RuntimeError("quotes a secret")


async def returns() -> None: ...


async def awaits_a_cancelled_task() -> None:
    shared = asyncio.create_task(asyncio.sleep(3600))
    shared.cancel()
    await shared


@pytest.mark.parametrize(
    ("task", "words"),
    [(dies, "died of RuntimeError"), (returns, "returned"), (awaits_a_cancelled_task, "was cancelled")],
)
def test_a_dead_task_is_restarted_logged_and_counted(
    task: Callable[[], Awaitable[None]], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert restarts(keep(task)) == 4  # after 0, 1, 3 and 7 seconds
    assert f"task sync {words}, restart in 1 s" in caplog.messages
    assert "secret" not in caplog.text


def test_restarts_are_a_minute_apart_at_most() -> None:
    assert restarts(keep(dies, seconds=3600)) == pytest.approx(3600 / 60, abs=8)


def test_a_living_task_is_left_alone() -> None:
    async def lives() -> None:
        await asyncio.sleep(3600)

    assert restarts(keep(lives)) == 0


def test_a_task_may_end_while_the_process_shuts_down() -> None:
    assert restarts(keep(returns, ending=True)) == 0

"""Every task of a whole operator dies once: it is counted and restarted, and unsaved tokens are stored at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest
from meetingbots.mappings.recently_deleted import RecentlyDeletedMappings
from meetingbots.process.assembly import assemble
from meetingbots.process.operator import Work
from meetingbots.runtime.context import OperatorContext
from meetingbots.runtime.object_cache import Key
from meetingbots.runtime.workers import Controller, Tasks

from tests.unit.bots.reconcile.bot_harness import BotHarness
from tests.unit.virtual_time import run

KEY = Key("team", "standup")
TASKS = {
    "workers of ZoomCredential",
    "workers of MeetingSync",
    "workers of MeetingBot",
    "workers of BotNotice",
    "events",
}
"""Some of those that must be found, so that the test does not pass with none."""


class DefectError(Exception):
    """Something that no code expects."""


@dataclass
class Deaths:
    """Functions that raise `DefectError` in their first call, and what happened."""

    reconciled: list[str] = field(default_factory=list)
    finished: int = 0

    def dying(self, controller: Controller[Key], *, shutdown: bool) -> Controller[Key]:
        """A controller on a queue that fails once, or whose key fails during the shutdown."""
        get = controller.queue.get
        first = True

        async def fail_once() -> Key | None:
            nonlocal first
            if first:
                first = False
                raise DefectError
            return await get()

        async def reconcile(_: Key) -> None:
            self.reconciled.append(controller.kind)
            if shutdown:
                try:
                    await asyncio.sleep(60.0)
                finally:
                    raise DefectError

        controller.queue.get = fail_once  # type: ignore[method-assign]
        return replace(controller, reconcile=reconcile)

    def dying_background(self, run_task: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        first = True

        async def fail_once() -> None:
            nonlocal first
            if first:
                first = False
                raise DefectError
            self.reconciled.append("in the background")
            await asyncio.Event().wait()

        return fail_once

    async def finish(self) -> None:
        self.finished += 1


async def live(deaths: Deaths, *, shutdown: bool) -> tuple[OperatorContext, list[str], int]:
    """Run an operator whose tasks die, and end it; its context, controllers, and number of background tasks."""
    context = BotHarness().operator().services
    slices = assemble(context, recently_deleted=RecentlyDeletedMappings(clock=asyncio.get_running_loop().time))
    controllers = tuple(deaths.dying(one, shutdown=shutdown) for one in slices.tasks.controllers)
    background = tuple(deaths.dying_background(one) for one in slices.tasks.background)
    events, first = context.recorder.run, True

    async def events_once() -> None:
        nonlocal first
        if first:
            first = False
            raise DefectError
        await events()

    context.recorder.run = events_once  # type: ignore[method-assign]
    tasks = Tasks(controllers=controllers, background=background, finish=deaths.finish)
    work = Work(tasks, recorder=context.recorder, metrics=context.metrics)
    running = asyncio.create_task(work.run())
    for one in controllers:
        one.queue.add(KEY)
    await asyncio.sleep(10.0)
    work.close()
    await running
    return context, [one.kind for one in controllers], len(background)


@pytest.mark.parametrize("shutdown", [False, True], ids=["at work", "at the shutdown"])
def test_each_task_of_an_operator_survives_its_death(shutdown: bool) -> None:
    deaths = Deaths()
    context, kinds, background = run(live(deaths, shutdown=shutdown))
    restarts = {
        sample.labels["task"]: sample.value
        for metric in context.metrics.task_restarts.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    }
    expected = {*(f"workers of {kind}" for kind in kinds), "events"}
    assert expected >= TASKS
    assert {name: count for name, count in restarts.items() if name in expected} == dict.fromkeys(expected, 1.0)
    assert background > 0
    assert sum(count for name, count in restarts.items() if name not in expected) == background
    assert sorted(deaths.reconciled) == sorted([*kinds, *["in the background"] * background])
    assert deaths.finished == 1

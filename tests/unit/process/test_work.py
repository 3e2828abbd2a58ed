"""The check at the start, and the work of a leading process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from meetingbots.kube.errors import AlreadyExistsError, ForbiddenError, KubeError, NotFoundError, UnavailableError
from meetingbots.kube.event_recorder import EventRecorder
from meetingbots.kube.resources import SECRETS
from meetingbots.process.operator import Work, warn_if_namespace_is_missing
from meetingbots.runtime.metrics import Metrics
from meetingbots.runtime.object_cache import Key
from meetingbots.runtime.work_queue import WorkQueue
from meetingbots.runtime.workers import Controller, Tasks

from tests.unit.fake_kube import Call, FakeKube
from tests.unit.virtual_time import run


def answering(error: KubeError) -> FakeKube:
    async def refuse(call: Call) -> None:
        if call.moment == "before":
            raise error

    return FakeKube(hook=refuse)


async def test_a_missing_namespace_is_logged_with_the_remedy(caplog: pytest.LogCaptureFixture) -> None:
    kube = answering(NotFoundError('namespaces "bots-system" not found', status=404))
    assert await warn_if_namespace_is_missing(kube, namespace="bots-system")
    [line] = caplog.messages
    assert "kubectl create namespace bots-system" in line
    assert "--system-namespace" in line


@pytest.mark.parametrize(
    "error",
    [
        AlreadyExistsError("there", status=409),
        ForbiddenError("no", status=403),
        UnavailableError("connection refused"),
    ],
)
async def test_other_errors_log_nothing(caplog: pytest.LogCaptureFixture, error: KubeError) -> None:
    assert not await warn_if_namespace_is_missing(answering(error), namespace="bots-system")
    assert caplog.messages == []


async def test_the_dry_run_creates_nothing() -> None:
    kube = FakeKube()
    assert not await warn_if_namespace_is_missing(kube, namespace="bots-system")
    assert kube.peek(SECRETS, namespace="bots-system", name="meetingbots-receiver") is None


KEY = Key("ns", "a")


class Harness:
    """A `Work` with one controller and one background task of the test."""

    def __init__(
        self,
        *,
        reconcile: Callable[[Key], Awaitable[float | None]],
        background: Callable[[], Awaitable[None]],
        interruptible: bool = False,
    ) -> None:
        self.log: list[str] = []
        clock = asyncio.get_running_loop().time
        self.queue: WorkQueue[Key] = WorkQueue(clock=clock)
        controller = Controller(
            kind="Thing", queue=self.queue, reconcile=reconcile, workers=2, interruptible=interruptible
        )
        tasks = Tasks(controllers=(controller,), background=(background,), finish=self.finish)
        recorder = EventRecorder(kube=FakeKube(), clock=lambda: datetime(2030, 1, 1, tzinfo=UTC), instance="i")
        self.work = Work(tasks, recorder=recorder, metrics=Metrics())

    async def finish(self) -> None:
        self.log.append("finished")


async def forever() -> None:
    await asyncio.Event().wait()


def test_started_work_is_finished_and_then_what_is_unsaved_is_stored() -> None:
    async def main() -> list[str]:
        async def reconcile(_: Key) -> None:
            await asyncio.sleep(5.0)
            harness.log.append("reconciled")

        harness = Harness(reconcile=reconcile, background=forever)
        running = asyncio.create_task(harness.work.run())
        harness.queue.add(KEY)
        await asyncio.sleep(1.0)
        harness.work.close()
        await running
        return harness.log

    assert run(main()) == ["reconciled", "finished"]


def test_interruptible_work_is_cancelled_at_the_end() -> None:
    async def main() -> list[str]:
        async def reconcile(_: Key) -> None:
            await asyncio.sleep(3600.0)
            harness.log.append("reconciled")

        harness = Harness(reconcile=reconcile, background=forever, interruptible=True)
        running = asyncio.create_task(harness.work.run())
        harness.queue.add(KEY)
        await asyncio.sleep(1.0)
        harness.work.close()
        await running
        return harness.log

    assert run(main()) == ["finished"]


def test_what_is_unsaved_is_stored_even_when_the_other_tasks_die() -> None:
    async def main() -> list[str]:
        async def dies(_: Key) -> None:
            raise RuntimeError

        async def dying_background() -> None:
            harness.log.append("background")
            raise RuntimeError

        harness = Harness(reconcile=dies, background=dying_background)
        running = asyncio.create_task(harness.work.run())
        harness.queue.add(KEY)
        await asyncio.sleep(3.5)
        harness.work.close()
        await running
        return harness.log

    # The background task dies after 0, 1 and 3 seconds and is started again each time.
    assert run(main()) == ["background"] * 3 + ["finished"]


def test_what_is_unsaved_is_stored_when_the_work_itself_is_cancelled() -> None:
    async def main() -> list[str]:
        async def reconcile(_: Key) -> None:
            await asyncio.sleep(3600.0)

        harness = Harness(reconcile=reconcile, background=forever)
        running = asyncio.create_task(harness.work.run())
        harness.queue.add(KEY)
        await asyncio.sleep(1.0)
        running.cancel()
        await asyncio.wait({running})
        return harness.log

    assert run(main()) == ["finished"]

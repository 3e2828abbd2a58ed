"""The modules on the way of a MeetingBot, from its event to its started Pod, are those that the docs list."""

import asyncio
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import meetingbots
from meetingbots.kube.resources import BOTS, PODS, Resource
from meetingbots.mappings.recently_deleted import RecentlyDeletedMappings
from meetingbots.process.dispatcher import Dispatcher
from meetingbots.runtime.workers import Workers

from tests.unit.bots.reconcile.bot_harness import BotHarness

SOURCE = Path(meetingbots.__file__).parent
PAGE = SOURCE.parents[1] / "docs/contributors/architecture.md"
TRACED = ("bots", "credentials", "mappings", "process", "runtime")
"""The harness plays the API server and Zoom, so their clients are not traced."""


@contextmanager
def traced_modules() -> Iterator[set[str]]:
    """The modules that execute a function within the context, relative to the package."""
    files: set[str] = set()
    found: set[str] = set()

    def called(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            files.add(frame.f_code.co_filename)

    before = sys.getprofile()
    sys.setprofile(called)
    try:
        yield found
    finally:
        sys.setprofile(before)
        found |= {str(Path(file).relative_to(SOURCE)) for file in files if file.startswith(f"{SOURCE}/")}


def documented() -> list[str]:
    """The modules in the page's table of this way."""
    section = PAGE.read_text().partition("### Modules on the way")[2].partition("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")]
    return re.findall(r"`([\w/]+\.py)`", "\n".join(rows))


class Process:
    """An operator's dispatcher and its workers for bots, with the harness as API server, node and Zoom."""

    def __init__(self, harness: BotHarness) -> None:
        operator = harness.operator()
        context = operator.services
        self._harness = harness
        self._dispatcher = Dispatcher(
            caches=context.caches,
            queues=context.queues,
            recently_deleted=RecentlyDeletedMappings(clock=harness.clock.seconds),
        )
        [self._controller] = [one for one in operator.slice.controllers if one.kind == "MeetingBot"]
        self._workers = Workers(self._controller, metrics=context.metrics)
        self._delivered: dict[str, str] = {}

    async def start_the_bot(self) -> None:
        """Deliver the events of the bot and its Pod until the container has started."""
        work = asyncio.create_task(self._workers.run())
        try:
            async with asyncio.timeout(60):
                while not self._harness.kubelet.heard:
                    self._deliver(BOTS, self._dispatcher.bot)
                    self._deliver(PODS, self._dispatcher.pod)
                    await asyncio.sleep(0)
                    self._harness.kubelet.work()
        finally:
            self._controller.queue.close()
            await work

    def _deliver(self, resource: Resource, to: Callable[..., None]) -> None:
        for item in self._harness.cluster.all(resource):
            uid, version = item["metadata"]["uid"], item["metadata"]["resourceVersion"]
            if self._delivered.get(uid) != version:
                self._delivered[uid] = version
                to(item, deleted=False)


async def test_a_start_touches_the_modules_that_the_page_lists() -> None:
    harness = BotHarness()
    harness.kubelet.image = 0
    harness.put_bot(tokens=["LocalRecording"])
    harness.put_mapping()
    process = Process(harness)
    with traced_modules() as touched:
        await process.start_the_bot()
    assert harness.heard() == harness.zoom.tokens.given
    traced = {one for one in touched if one.partition("/")[0] in TRACED}
    assert traced == {one for one in documented() if one.partition("/")[0] in TRACED}
    assert len([one for one in traced if one.startswith("bots/")]) <= 21


def test_the_page_lists_modules_that_exist_and_each_once() -> None:
    listed = documented()
    assert len(set(listed)) == len(listed) > 20
    assert [one for one in listed if not (SOURCE / one).is_file()] == []

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from meetingbots.kube.errors import ForbiddenError
from meetingbots.kube.resources import MAPPINGS
from meetingbots.mappings.reconcile import compaction as module
from meetingbots.mappings.reconcile.compaction import MappingCompaction
from meetingbots.mappings.store import MappingWriter
from meetingbots.runtime.object_cache import Key

from tests.unit.credentials.reconcile.credential_harness import START, Bench
from tests.unit.fake_kube import Call
from tests.unit.mappings.reconcile.mapping_harness import sessions_of, sweeper_of, writer_of

OURS = {"manager": "meetingbots", "operation": "Update"}
TOOL = {"manager": "gitops", "operation": "Apply"}


class Pauses:
    """Records the compaction's pauses, which take no time; after `count` pauses it stays asleep."""

    def __init__(self, count: int) -> None:
        self.seconds: list[float] = []
        self._count = count
        self.done = asyncio.Event()

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if len(self.seconds) == self._count:
            self.done.set()
            await asyncio.Event().wait()


@asynccontextmanager
async def running(compaction: MappingCompaction) -> AsyncIterator[None]:
    task = asyncio.create_task(compaction.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def put(bench: Bench, name: str, *managers: dict[str, str], namespace: str = "team") -> dict[str, Any]:
    item = {
        "metadata": {"name": name, "namespace": namespace, "labels": {}, "managedFields": list(managers)},
        "spec": {"meetingId": name},
        "status": {"phase": "Scheduled", "eventTimes": {"existence": int(START.timestamp() * 1000)}},
    }
    return bench.kube.put(MAPPINGS, item)


def managers(bench: Bench, name: str) -> list[dict[str, str]]:
    item = bench.kube.peek(MAPPINGS, namespace="team", name=name)
    assert item is not None
    found: list[dict[str, str]] = item["metadata"]["managedFields"]
    return found


async def test_a_mapping_that_only_we_wrote_is_compacted_once() -> None:
    bench, pauses = Bench(), Pauses(count=1)
    operator = bench.operator()
    compaction = MappingCompaction(writer=writer_of(operator.services), sleep=pauses)
    sweeper = sweeper_of(
        operator.services, sessions=sessions_of(operator.services, operator.tokens), compaction=compaction
    )
    put(bench, "81234567890", OURS)
    put(bench, "81234567891", OURS, TOOL)
    status = bench.kube.peek(MAPPINGS, namespace="team", name="81234567890")["status"]  # type: ignore[index]
    for _ in range(2):
        await sweeper.reconcile(Key("", ""))
    assert bench.kube.count("patch", MAPPINGS) == 0
    async with running(compaction):
        await asyncio.wait_for(pauses.done.wait(), 60)
    assert bench.kube.count("patch", MAPPINGS) == 1
    assert managers(bench, "81234567890") == [{}]
    assert bench.kube.peek(MAPPINGS, namespace="team", name="81234567890")["status"] == status  # type: ignore[index]
    assert managers(bench, "81234567891") == [OURS, TOOL]
    await bench.close()


async def test_a_failure_stops_the_compaction_of_its_namespace_only() -> None:
    bench, pauses = Bench(), Pauses(count=2)
    operator = bench.operator()
    compaction = MappingCompaction(writer=writer_of(operator.services), sleep=pauses)
    for namespace, name in (("hostile", "81234567890"), ("hostile", "81234567891"), ("team", "81234567892")):
        put(bench, name, OURS, namespace=namespace)
        compaction.add(Key(namespace, name))

    async def refuse(call: Call) -> None:
        if call.verb == "patch" and call.namespace == "hostile":
            raise ForbiddenError("a policy", status=403)

    bench.kube.hook = refuse
    async with running(compaction):
        await asyncio.wait_for(pauses.done.wait(), 60)
    assert pauses.seconds == [0.05, 0.05]
    assert managers(bench, "81234567892") == [{}]
    assert bench.kube.count("patch", MAPPINGS) == 1
    await bench.close()


async def test_a_mapping_that_is_gone_is_no_failure() -> None:
    bench, pauses = Bench(), Pauses(count=1)
    operator = bench.operator()
    compaction = MappingCompaction(writer=writer_of(operator.services), sleep=pauses)
    compaction.add(Key("team", "81234567890"))
    async with running(compaction):
        await asyncio.wait_for(pauses.done.wait(), 60)
    assert pauses.seconds == [0.05]
    await bench.close()


async def test_no_more_mappings_wait_than_the_limit() -> None:
    bench = Bench()
    operator = bench.operator()
    written: list[str] = []
    pauses = Pauses(count=module.MAX_WAITING)

    class CountingWriter(MappingWriter):
        async def write(self, *, meeting_id: str, **_: object) -> bool:
            written.append(meeting_id)
            return True

    writer = CountingWriter(kube=operator.services.kube, clock=lambda: 0.0)
    compaction = MappingCompaction(writer=writer, sleep=pauses)
    for number in range(module.MAX_WAITING + 5):
        compaction.add(Key("team", str(number)))
    async with running(compaction):
        await asyncio.wait_for(pauses.done.wait(), 60)
    assert written == [str(number) for number in range(module.MAX_WAITING)]
    await bench.close()

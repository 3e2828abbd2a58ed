"""`python -m tests.bench.scale`: what objects cost at size, which BENCH_SCALE_MAPPINGS and others (size.py) change."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.bench.burst.player import Player
from tests.bench.burst.usage import usage
from tests.bench.credentials.population import populate
from tests.bench.load.harness import NAMESPACE, Harness, harness
from tests.bench.load.lines import show
from tests.bench.load.measures import kube_calls
from tests.bench.machine import machine
from tests.bench.scale import population
from tests.bench.scale.footprint import Footprint, after_restart
from tests.bench.scale.size import Size

MEMORY = "API server's memory"
TOKEN_LIFE_SECONDS = 3600
SETTLE_SECONDS = 45
"""For the first reconciliation of everything, and the first sweep of mappings."""


class Stages:
    """Prints what each kind of object adds, beside the same number of empty objects."""

    def __init__(self, harness: Harness) -> None:
        self._harness = harness
        self._floor: dict[str, float] = {}

    async def base(self) -> Footprint:
        """Everything that is there by now."""
        return await after_restart(self._harness.cluster, self._harness.wire)

    async def floor(self, before: Footprint, *, count: int) -> None:
        """Take what came since `before` as the floor."""
        show(name="API server without our objects", value=before.apiserver, unit="MiB")
        self._floor = _each(before, await self.base(), count=count)
        for part, value in self._floor.items():
            show(name=f"{part} of one of {count} empty mappings", value=value, unit="KiB")

    async def added(self, what: str, before: Footprint, *, count: int, target: str = "") -> Footprint:
        """Print one object's share of what came since `before`, and the totals."""
        now = await self.base()
        for part, value in _each(before, now, count=count).items():
            goal = target if part == MEMORY else ""
            show(
                name=f"{part} of one of {count} {what}",
                value=value,
                unit="KiB",
                floor=self._floor.get(part),
                target=goal,
            )
        show(name="  API server in all", value=now.apiserver, unit="MiB")
        show(name="  etcd in all", value=now.etcd, unit="MiB")
        show(name="  etcd's database in use", value=now.etcd_used, unit="MiB")
        show(name="  controller manager in all", value=now.manager, unit="MiB")
        return now


def _each(before: Footprint, now: Footprint, *, count: int) -> dict[str, float]:
    """KiB of one object."""
    return {
        MEMORY: (now.apiserver - before.apiserver) * 1024 / count,
        "API server's live heap": (now.apiserver_heap - before.apiserver_heap) * 1024 / count,
        "etcd's database": (now.etcd_used - before.etcd_used) * 1024 / count,
    }


async def main() -> int:
    """Build up in stages, and measure after each."""
    try:
        size = Size.from_environment()
    except ValueError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    print(f"{machine()}; {size}", flush=True)
    async with harness() as running:
        await asyncio.to_thread(running.stack.operator.stop)
        await asyncio.to_thread(running.stack.receiver.stop)
        stages = Stages(running)
        await objects(running, stages, size)
        await processes(running, stages, size)
    return 0


async def objects(running: Harness, stages: Stages, size: Size) -> None:
    """What each kind costs the control plane."""
    bare = await stages.base()
    await population.empty_mappings(running, count=size.few)
    await stages.floor(bare, count=size.few)
    await population.drop_empty_mappings(running)
    bare = await stages.base()
    await populate(running, count=size.credentials, life=TOKEN_LIFE_SECONDS)
    before = await stages.added("credentials with their token Secrets", bare, count=size.credentials)
    people = await population.owners(running)
    await population.new_mappings(running, people, count=size.few)
    await stages.added("mappings after their first write", before, count=size.few, target="<= 10 KiB")
    for count in sorted({size.few, size.mappings}):
        await population.started_mappings(running, people, count=count)
        await stages.added("mappings after their second write", before, count=count, target="<= 10 KiB")


async def processes(running: Harness, stages: Stages, size: Size) -> None:
    """What bots cost the control plane, and all of it operator and receiver."""
    people = await population.owners(running)
    await asyncio.to_thread(running.stack.start)
    async with playing(running) as player:
        original = await population.finished_bot(running, player, people)
    print(f"a finished bot is {len(json.dumps(original))} bytes of JSON", flush=True)
    await asyncio.to_thread(running.stack.operator.stop)
    before = await stages.base()
    await population.finished_bots(running, count=size.finished)
    before = await stages.added("finished bots", before, count=size.finished, target="<= 20 KiB")
    await asyncio.to_thread(running.stack.operator.start)
    async with playing(running) as player:
        await population.live_bots(running, player, people, first=1, count=size.live)
    await stages.added("live bots with their Pods", before, count=size.live)
    await at_rest(running, size)


@asynccontextmanager
async def playing(running: Harness) -> AsyncIterator[Player]:
    """Play the kubelet. Its watches do not survive a restart of the API server."""
    player = Player(running.wire, namespace=NAMESPACE)
    player.start()
    try:
        yield player
    finally:
        await player.stop()


async def at_rest(running: Harness, size: Size) -> None:
    """Restart operator and receiver with everything there."""
    stack = running.stack
    for name, program in (("operator", stack.operator), ("receiver", stack.receiver)):
        await asyncio.to_thread(program.stop)
        began = time.monotonic()
        await asyncio.to_thread(program.start)
        show(name=f"{name}: from its start until ready", value=time.monotonic() - began, unit="s", target="<= 10 s")
    await asyncio.sleep(SETTLE_SECONDS)
    programs = {"operator": stack.operator, "receiver": stack.receiver}
    calls = {name: kube_calls(running, name) for name in programs}
    used, began = {name: usage(program.pid) for name, program in programs.items()}, time.monotonic()
    await asyncio.sleep(size.rest)
    seconds = time.monotonic() - began
    for name, program in programs.items():
        now = usage(program.pid)
        cpu, called = now.cpu - used[name].cpu, kube_calls(running, name) - calls[name]
        show(name=f"{name}: memory at rest", value=now.memory, unit="MiB")
        show(name=f"{name}: CPU at rest", value=100 * cpu / seconds, unit="% of one core")
        show(name=f"{name}: requests to the API server at rest", value=called / seconds, unit="1/s")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

"""`python -m tests.bench.load`: prints the figures at size, which BENCH_LOAD_MAPPINGS and others (size.py) change."""

import asyncio
import time

from tests.bench.burst.figures import spread
from tests.bench.load import measures, receiving
from tests.bench.load.harness import Harness, harness
from tests.bench.load.lines import show
from tests.bench.load.population import make_mappings, make_people
from tests.bench.load.size import Size

FEW = 300


async def main() -> None:
    """Build the load up, and measure on the way."""
    size = Size.from_environment()
    async with harness() as running:
        await measure(running, size)


async def measure(running: Harness, size: Size) -> None:
    """Print every line."""
    began = time.monotonic()
    people = await make_people(running, count=size.credentials)
    show(name=f"{size.credentials} consents Ready and synced", value=time.monotonic() - began, unit="s")
    writes, seconds = await measures.sync_with_three_changes(running, people)
    show(name="sync of 300 meetings with 3 changes: writes", value=writes, unit="writes", target="3")
    show(name="sync of 300 meetings with 3 changes: time", value=seconds, unit="s")
    await make_mappings(running, people, count=min(FEW, size.mappings))
    floor = await measures.lookup_p50(running, among=min(FEW, size.mappings))
    began = time.monotonic()
    await make_mappings(running, people, first=FEW, count=max(0, size.mappings - FEW))
    show(name=f"{size.mappings} mappings created by the bench", value=time.monotonic() - began, unit="s")
    looked = await measures.lookup_p50(running, among=size.mappings)
    show(name="look-up of one mapping, p50", value=looked, unit="ms", floor=floor, target="<= 2 ms")
    for name, (rest, most) in (await measures.restarted_memory(running)).items():
        show(name=f"{name}: memory at rest", value=rest, unit="MiB", target="< 300 MiB")
        show(name=f"{name}: most memory since its start", value=most, unit="MiB", target="< 300 MiB")
    writes, seconds = await measures.sync_with_three_changes(running, people, skip=2)
    show(name="the same sync among all mappings: writes", value=writes, unit="writes", target="3")
    show(name="the same sync among all mappings: time", value=seconds, unit="s")
    ours, bare = await receiving.rates(running, people, first=size.mappings, events=size.events, runs=size.runs)
    show(
        name="receiver: events written a second", value=ours.rate, unit="1/s", floor=bare.rate, target=">= 0.7 of floor"
    )
    show(name="receiver: CPU for an event", value=ours.cpu, unit="ms", floor=bare.cpu)
    place = size.mappings + 2 * size.runs * size.events + 1
    answers = await receiving.answers_at(running, people, first=place, per_second=100, seconds=20)
    times = spread([answer.seconds * 1000 for answer in answers])
    show(name="receiver: answer at 100 events a second, p50", value=times.p50, unit="ms")
    show(
        name="receiver: answer at 100 events a second, p99",
        value=times.p99,
        unit="ms",
        target="< 3000 ms (Zoom's limit)",
    )


if __name__ == "__main__":
    asyncio.run(main())

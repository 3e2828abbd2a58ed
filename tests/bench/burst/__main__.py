"""Command: `python -m tests.bench.burst`; the size is set by the environment (see `size`)."""

import sys

from tests.bench.burst import report, run
from tests.bench.burst.command import run_bench, say
from tests.bench.machine import machine


async def measure(harness: run.Harness) -> None:
    """Measure what is wanted, and print it as it comes."""
    size = harness.size
    if size.only != "one":
        for _ in range(size.runs):
            say(f"== {size.bots} bots with one joinAt over {size.credentials} credentials")
            say(machine())
            floor = await run.floor(harness, credentials=size.credentials)
            say(*report.of_burst("bare loop", floor))
            burst, life = await run.operator(harness, credentials=size.credentials)
            say(*report.of_burst("operator ", burst), *report.of_life(life, bots=size.bots))
            say(report.of_ratio(burst, floor))
    if size.only != "many":
        say(f"== {size.bots} bots with one joinAt over one credential (Business plan, its whole share)")
        say(machine())
        burst, life = await run.operator(harness, credentials=1)
        say(*report.of_burst("operator ", burst), *report.of_life(life, bots=size.bots), report.of_limit(burst))


sys.exit(run_bench(measure))

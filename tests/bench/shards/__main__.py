"""Command: `python -m tests.bench.shards`: `BENCH_BOTS` bots over `BENCH_CREDENTIALS` credentials."""

import asyncio
import sys
from dataclasses import replace

from tests.bench.burst.command import run_bench, say
from tests.bench.burst.figures import spread
from tests.bench.burst.run import Burst, Harness, Life, operator
from tests.bench.machine import machine

SHARDS = ("east", "west")
MOST_SHARE = 0.55
"""Target: the share of the CPU that the busier one of two shards may use."""


def cpu(life: Life) -> float:
    """CPU seconds for the whole life of the bots."""
    return life.ended.usage.cpu - life.before.usage.cpu


def say_usage(name: str, burst: Burst, life: Life) -> None:
    """Print what one operator did."""
    say(f"{name}: {len(burst.started)} bots, {cpu(life):.1f} s CPU, {life.ended.usage.memory:.0f} MiB at the end")
    say(f"{name}: joinAt to container started {spread(burst.started)}")


async def measure(harness: Harness) -> None:
    """Measure both."""
    size = harness.size
    say(machine())
    burst, whole = await operator(harness, credentials=size.credentials)
    say_usage("one operator", burst, whole)
    part = replace(harness, size=replace(size, bots=size.bots // 2))
    seen = await asyncio.gather(
        *(operator(part, credentials=max(1, size.credentials // 2), shard=shard) for shard in SHARDS)
    )
    for shard, (burst, life) in zip(SHARDS, seen, strict=True):
        say_usage(f"shard {shard}", burst, life)
    used = [cpu(life) for _, life in seen]
    share = max(used) / sum(used)
    met = "met" if share <= MOST_SHARE else "MISSED"
    say(f"share of the busier shard: {share:.2f} (target <= {MOST_SHARE}: {met})")
    say(f"CPU of both shards against one operator: {sum(used) / cpu(whole):.2f} times")


sys.exit(run_bench(measure))

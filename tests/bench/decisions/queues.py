"""0010: planned times in our queue beside one asyncio task for each object, as kopf's timers and daemons are."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import Iterator
from typing import Final

from meetingbots.runtime.work_queue import WorkQueue

_KEYS: Final = 10_000


def figures() -> Iterator[str]:
    """Memory and CPU of ten thousand planned times."""
    for name, plan in (("our queue", _in_queue), ("one task for each object", _in_tasks)):
        memory, seconds = asyncio.run(plan())
        yield f"{_KEYS:,} planned times in {name}: {memory / 1e6:.1f} MB, {seconds:.2f} s of CPU to plan and cancel"


async def _in_queue() -> tuple[int, float]:
    began = time.process_time()
    tracemalloc.start()
    queue: WorkQueue[str] = WorkQueue(clock=asyncio.get_running_loop().time)
    for number in range(_KEYS):
        queue.add(f"acme/bot-{number}", after=3600)
    memory = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    queue.close()
    return memory, time.process_time() - began


async def _in_tasks() -> tuple[int, float]:
    began = time.process_time()
    tracemalloc.start()
    tasks = [asyncio.create_task(asyncio.sleep(3600), name=f"acme/bot-{number}") for number in range(_KEYS)]
    await asyncio.sleep(0)
    memory = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return memory, time.process_time() - began

"""0012: time in Python's garbage collector, with its defaults and with our thresholds."""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

import orjson
from meetingbots.runtime.process_setup import tune_garbage_collection

from tests.bench.decisions.objects import pod

_OBJECTS: Final = 5_000
_EVENTS: Final = 20_000


def figures() -> Iterator[str]:
    """Share of CPU time and longest pause while a full cache takes in events."""
    for name in ("default", "ours"):
        done = subprocess.run(
            [sys.executable, "-m", "tests.bench.decisions.collector", name], capture_output=True, text=True, check=True
        )
        yield f"{_EVENTS:,} events of {_OBJECTS:,} cached Pods, thresholds {name}: {done.stdout.strip()}"


def _measure() -> str:
    pauses: list[float] = []
    began = [0.0]

    def note(phase: str, _: dict[str, Any]) -> None:
        now = time.perf_counter()
        if phase == "start":
            began[0] = now
        else:
            pauses.append(now - began[0])

    gc.callbacks.append(note)
    sent = [orjson.dumps(pod(number)) for number in range(_OBJECTS)]
    started = time.process_time()
    cache = [orjson.loads(one) for one in sent]
    for number in range(_EVENTS):
        cache[number % _OBJECTS] = orjson.loads(sent[number % _OBJECTS])
    total = time.process_time() - started
    return f"{100 * sum(pauses) / total:.0f} % of {total:.2f} s, longest pause {1000 * max(pauses, default=0):.0f} ms"


if __name__ == "__main__":
    if sys.argv[1] == "ours":
        tune_garbage_collection()
    print(_measure())

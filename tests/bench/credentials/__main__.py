"""`python -m tests.bench.credentials`: 10,000 credentials on one operator; BENCH_CREDENTIALS_COUNT changes the size."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from tests.bench.burst.usage import usage
from tests.bench.credentials.population import Population, populate
from tests.bench.credentials.size import Size
from tests.bench.load.harness import Harness, harness
from tests.bench.load.lines import show
from tests.bench.load.measures import kube_calls
from tests.bench.metrics import read_metrics

BIN_SECONDS = 10
"""What counts as an instant: at Zoom's usual hour and 10,000 credentials, some 40 renewals."""


@dataclass(frozen=True)
class Measured:
    """What a stretch of time has cost the operator."""

    seconds: float
    cpu: float
    calls: float
    memory: float


async def main() -> int:
    """Build up, restart, watch."""
    try:
        size = Size.from_environment()
    except ValueError as error:
        sys.stderr.write(f"bench: {error}\n")
        return 2
    async with harness() as running:
        await asyncio.to_thread(running.stack.operator.stop)
        await asyncio.to_thread(running.stack.receiver.stop)
        began = time.monotonic()
        people = await populate(running, count=size.count, life=size.life)
        show(name=f"{size.count} credentials made by the bench", value=time.monotonic() - began, unit="s")
        await measure(running, size, people)
    return 0


async def measure(running: Harness, size: Size, people: Population) -> None:
    """Print every line."""
    for which in ("first start", "restart"):
        await started(running, size, which=which)
    show(name="renewals before their time, by two starts", value=early(running, people), unit="renewals", target="0")
    before = refreshes(running, people)
    spent = await watched(running, seconds=size.window)
    times = [call.time for call in running.zoom.calls("oauth.token", client_id=people.app.client_id)][before:]
    show(name=f"renewals in {size.window} s", value=len(times), unit="renewals")
    show(
        name=f"renewals in an instant of {BIN_SECONDS} s: most to mean",
        value=peak(times, size),
        unit="times",
        target="<= 3",
    )
    show(name="CPU in the steady state", value=100 * spent.cpu / spent.seconds, unit="% of one core")
    show(name="CPU for one renewal, looks included", value=1000 * spent.cpu / max(1, len(times)), unit="ms")
    show(name="requests to the API server", value=spent.calls / spent.seconds, unit="1/s")
    show(name="memory in the steady state", value=spent.memory, unit="MiB")
    uses = running.zoom.records().refresh_uses
    show(name="most uses of one refresh token", value=max(uses.values(), default=0), unit="uses", target="1")


async def started(running: Harness, size: Size, *, which: str) -> None:
    """Start the operator (again): until /readyz, and until each credential was looked at."""
    operator = running.stack.operator
    await asyncio.to_thread(operator.stop)
    began = time.monotonic()
    await asyncio.to_thread(operator.start)
    show(name=f"{which}: until ready", value=time.monotonic() - began, unit="s", target="<= 10 s")
    while looked_at(running) < size.count:  # noqa: ASYNC110 - another process's metric
        await asyncio.sleep(0.5)
    seconds = time.monotonic() - began
    show(name=f"{which}: until all were looked at and are Ready", value=seconds, unit="s")
    show(name=f"{which}: CPU until then", value=usage(operator.pid).cpu, unit="s")


async def watched(running: Harness, *, seconds: float) -> Measured:
    """What a stretch of the steady state costs."""
    pid = running.stack.operator.pid
    begun, calls, start = usage(pid), kube_calls(running, "operator"), time.monotonic()
    await asyncio.sleep(seconds)
    ended = usage(pid)
    return Measured(
        seconds=time.monotonic() - start,
        cpu=ended.cpu - begun.cpu,
        calls=kube_calls(running, "operator") - calls,
        memory=ended.memory,
    )


def peak(times: list[float], size: Size) -> float:
    """The fullest instant against the mean."""
    if not times:
        return 0.0
    start = min(times)
    bins = Counter(int((moment - start) // BIN_SECONDS) for moment in times)
    return max(bins.values()) / (len(times) / max(1, size.window // BIN_SECONDS))


def early(running: Harness, people: Population) -> int:
    """Renewals of tokens that were to be renewed later than now."""
    now, used = datetime.now(UTC), running.zoom.records().refresh_uses
    return sum(moment > now for token, moment in people.planned.items() if token in used)


def refreshes(running: Harness, people: Population) -> int:
    """Renewals that Zoom has seen."""
    return len(running.zoom.calls("oauth.token", client_id=people.app.client_id))


def looked_at(running: Harness) -> int:
    """Credentials that the operator counts as Ready since its start."""
    samples = read_metrics(f"http://127.0.0.1:{running.stack.metrics_ports['operator']}")
    return sum(int(sample.value) for sample in samples if sample.name == "meetingbots_credential_ready")


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

"""The measurements at size: one look-up, the processes' memory, and the writes of a sync that finds little new."""

import asyncio
import random
import time

from tests.bench.burst.figures import spread
from tests.bench.burst.usage import usage
from tests.bench.load.harness import CREDENTIALS, MAPPINGS, Harness
from tests.bench.load.population import FIRST_MEETING, People
from tests.bench.metrics import read_metrics
from tests.zoomsim.scenario import MeetingWanted

LOOKUPS = 2000
AT_REST_CALLS = 50
"""In five seconds: a thousand credentials are looked at every ten minutes each, which never ends."""
SYNC_REQUEST = "meetingbots.dev/sync-requested-at"
MERGE = "application/merge-patch+json"


async def lookup_p50(harness: Harness, *, among: int) -> float:
    """Milliseconds for one mapping, one after another on one connection, half of them faster than this."""
    times = []
    for _ in range(LOOKUPS):
        name = FIRST_MEETING + random.randrange(among)
        began = time.perf_counter()
        await harness.single.send("GET", f"{MAPPINGS}/{name}")
        times.append(time.perf_counter() - began)
    return spread(times).p50 * 1000


async def restarted_memory(harness: Harness) -> dict[str, tuple[float, float]]:
    """MiB of operator and receiver, started with everything there and come to rest; and the most that they had."""
    stack = harness.stack
    await asyncio.to_thread(stack.operator.stop)
    await asyncio.to_thread(stack.receiver.stop)
    await asyncio.to_thread(stack.start)
    processes = {"operator": stack.operator, "receiver": stack.receiver}
    most = dict.fromkeys(processes, 0.0)
    calls, growth = 0.0, float("inf")
    while growth > AT_REST_CALLS:
        for _ in range(10):
            await asyncio.sleep(0.5)
            for name, process in processes.items():
                most[name] = max(most[name], usage(process.pid).memory)
        now = kube_calls(harness, "operator")
        calls, growth = now, now - calls
    return {name: (usage(process.pid).memory, most[name]) for name, process in processes.items()}


async def sync_with_three_changes(harness: Harness, people: People, *, skip: int = 0) -> tuple[float, float]:
    """Writes of mappings by the first user's next sync after one meeting came, one went and one moved; and seconds.

    `skip` are meetings that an earlier call has changed.
    """
    zoom, name = harness.zoom, people.names[0]
    gone, moved = people.meetings[skip : skip + 2]
    await asyncio.to_thread(zoom.act, gone, "delete", emit=False)
    await asyncio.to_thread(lambda: zoom.change_meeting(moved, emit=False, start_time=time.time() + 7200))
    await asyncio.to_thread(
        lambda: zoom.add_meeting(MeetingWanted(host_id=people.users[0].id, start_in=9000.0), emit=False)
    )
    before, began = mapping_writes(harness), time.monotonic()
    request = str(time.time())
    patch = {"metadata": {"annotations": {SYNC_REQUEST: request}}}
    await harness.wire.send("PATCH", f"{CREDENTIALS}/{name}", patch, media=MERGE)
    while True:
        status = (await harness.wire.ask("GET", f"{CREDENTIALS}/{name}")).get("status", {})
        if status.get("lastHandledSyncRequest") == request:
            return mapping_writes(harness) - before, time.monotonic() - began
        if time.monotonic() - began > 120:
            raise TimeoutError("the sync that was asked for is not done after two minutes")
        await asyncio.sleep(0.1)


def mapping_writes(harness: Harness) -> float:
    """Writes of mappings that the operator has made."""
    return kube_calls(harness, "operator", resource="meetingmappings", verbs=("create", "patch", "delete"))


def kube_calls(harness: Harness, process: str, *, resource: str = "", verbs: tuple[str, ...] = ()) -> float:
    """Requests to the API server that a process has made, by its own metric."""
    return sum(
        sample.value
        for sample in read_metrics(f"http://127.0.0.1:{harness.stack.metrics_ports[process]}")
        if sample.name == "meetingbots_kube_requests_total"
        and (not resource or sample.labels["resource"] == resource)
        and (not verbs or sample.labels["verb"] in verbs)
    )

"""What people read of a burst, with the targets beside it."""

import itertools
from collections.abc import Iterator

from tests.bench.burst.figures import per_bot, spread, used_share
from tests.bench.burst.operator import Snapshot
from tests.bench.burst.run import Burst, Life
from tests.bench.burst.size import LIGHT_CALLS_A_SECOND

FLOOR_RATIO = 1.2
LIMIT_SHARE = 0.95
CALLS_A_BOT = 8.0
KEPT_MIB = 20.0
EVENTS = "create events"


def of_burst(name: str, burst: Burst) -> Iterator[str]:
    """Delays and ages."""
    yield f"{name}: joinAt to token delivered   {spread(burst.delivered)}"
    yield f"{name}: joinAt to container started {spread(burst.started)}"
    yield f"{name}: token's age at the start    {spread(burst.ages)}"
    yield f"{name}: whole burst                 {burst.whole:.3f} s for {len(burst.delivered)} bots"


def of_life(life: Life, *, bots: int) -> Iterator[str]:
    """Calls and usage for each bot."""
    calls = per_bot(life.before.kube, life.ended.kube, bots=bots)
    events = calls.pop(EVENTS, 0.0)
    upkeep = _without_upkeep(calls, life.before, life.ended, bots=bots)
    counts = ", ".join(f"{kind} {count:.2f}" for kind, count in calls.items())
    total = round(sum(calls.values()), 2)  # a sweep's list, the key for links: a handful of calls are no bot's
    yield f"API calls a bot: {_judged(total, '<=', CALLS_A_BOT, digits=2)} ({counts}; Events {events:.2f})"
    yield f"besides, the credentials' and apps' own looks: {upkeep:.2f} Secrets read for each bot"
    late = {
        kind: count
        for kind, count in per_bot(life.staged.kube, life.joined.kube, bots=bots).items()
        if kind != EVENTS and kind.startswith("get ")
    }
    _without_upkeep(late, life.staged, life.joined, bots=bots)
    counts = ", ".join(f"{kind} {count:.2f}" for kind, count in late.items() if count) or "none"
    judged = _judged(sum(late.values()), "<=", 0.0)
    yield f"API calls a bot after joinAt that could have been made before: {judged} ({counts})"
    zoom = per_bot(life.before.zoom, life.ended.zoom, bots=bots)
    yield f"Zoom calls a bot: {', '.join(f'{kind} {count:.2f}' for kind, count in zoom.items())}"
    steps = (life.before, life.staged, life.joined, life.ended)
    cpu = [1000 * (after.usage.cpu - before.usage.cpu) / bots for before, after in itertools.pairwise(steps)]
    yield f"operator CPU a bot: staging {cpu[0]:.2f} ms, joining {cpu[1]:.2f} ms, end {cpu[2]:.2f} ms"
    before, ended, deleted = (one.usage.memory for one in (life.before, life.ended, life.deleted))
    kept = _judged(deleted - before, "<=", KEPT_MIB, digits=0)
    yield f"operator memory: {before:.0f} MiB before, {ended:.0f} MiB at the end, {deleted:.0f} MiB after the deletion"
    yield f"operator memory that the deleted bots leave behind, in MiB: {kept}"
    yield from (f"the operator complained: {line}" for line in life.warnings[:5])


def of_ratio(burst: Burst, floor: Burst) -> str:
    """How much longer than the floor."""
    ratio = burst.whole / floor.whole
    return f"whole burst against the floor: {_judged(ratio, '<=', FLOOR_RATIO, digits=2)} times"


def of_limit(burst: Burst) -> str:
    """How much of the account's limit was used."""
    share = used_share(burst.zoom_times, limit=LIGHT_CALLS_A_SECOND)
    return f"share of the allowed limit that was used: {_judged(share, '>=', LIMIT_SHARE, digits=3)}"


def _without_upkeep(calls: dict[str, float], before: Snapshot, after: Snapshot, *, bots: int) -> float:
    """Take out of `calls` what credentials and apps are looked after with, bots or not; how much that was."""
    upkeep = min(calls.get("get secrets", 0.0), (after.upkeep - before.upkeep) / bots)
    if upkeep:
        calls["get secrets"] -= upkeep
    return upkeep


def _judged(value: float, relation: str, target: float, *, digits: int = 2) -> str:
    met = value <= target + 1e-9 if relation == "<=" else value >= target
    return f"{value:.{digits}f} (target {relation} {target:g}: {'met' if met else 'MISSED'})"

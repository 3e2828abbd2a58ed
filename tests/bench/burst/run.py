"""One burst: by the bare loop, and by the operator; the same bots, the same Pods, the same Zoom."""

import asyncio
import contextlib
import math
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from tests.bench.burst import prepare
from tests.bench.burst.notices import NoticeSite
from tests.bench.burst.operator import Operator, Snapshot
from tests.bench.burst.player import Player
from tests.bench.burst.size import Size
from tests.bench.burst.wire import Wire
from tests.bench.burst.zoom import Customers, make_customers
from tests.cluster.controlplane import ControlPlane
from tests.cluster.service import Service
from tests.cluster.warden import Warden
from tests.zoomsim.client import SimClient

LIMIT_SECONDS = 180.0
FLOOR_SETTLES_SECONDS = 6.0
DELETION_SETTLES_SECONDS = 20.0
"""Until the operator has closed idle connections, and kopf's tasks have ended."""


@dataclass(frozen=True)
class Burst:
    """What was seen of one burst, in seconds: from joinAt to each delivery and start, tokens' ages, and the whole.

    `zoom_times`: when each join token was asked for, by the simulator's clock.
    """

    delivered: list[float]
    started: list[float]
    ages: list[float]
    whole: float
    zoom_times: list[float]


@dataclass(frozen=True)
class Life:
    """What the operator had done before its bots came, before the burst, after it, at its bots' end and deletion."""

    before: Snapshot
    staged: Snapshot
    joined: Snapshot
    ended: Snapshot
    deleted: Snapshot
    warnings: list[str]


@dataclass(frozen=True, kw_only=True)
class Harness:
    """What all bursts stand on."""

    cluster: ControlPlane
    zoom: SimClient
    folder: Path
    warden: Warden
    size: Size
    say: Callable[[str], None]

    def customers(self, *, credentials: int) -> tuple[str, Customers]:
        """A fresh namespace's name, and its customers at Zoom."""
        mark = uuid4().hex[:6]
        made = make_customers(self.zoom, mark=mark, credentials=credentials, bots=self.size.bots)
        return f"bench-{mark}", made


async def floor(harness: Harness, *, credentials: int) -> Burst:
    """The burst by the bare loop."""
    namespace, customers = harness.customers(credentials=credentials)
    bots, kubeconfig = harness.size.bots, harness.cluster.kubeconfig("admin")
    async with Wire(kubeconfig) as wire:
        player = await _stage(wire, namespace)
        try:
            made = await prepare.make_bots(wire, namespace, customers, join_at=time.time() + 3600)
            plan = await prepare.floor_plan(
                wire, namespace, customers, bots=made, kubeconfig=kubeconfig, zoom=harness.zoom.base_url, start=0.0
            )
            await player.until(lambda: len(player.waiting) >= bots, what="Pods at the gate", seconds=LIMIT_SECONDS)
            start = math.ceil(time.time() + FLOOR_SETTLES_SECONDS)
            path = harness.folder / f"{namespace}.json"
            replace(plan, start=start).write(path)
            command = [sys.executable, "-m", "tests.bench.burst.floor", str(path)]
            loop = Service(command, log=harness.folder / f"{namespace}.log", warden=harness.warden)
            loop.start()
            await player.until(
                lambda: len(player.cleared) >= bots or not loop.running, what="the floor", seconds=LIMIT_SECONDS
            )
            if loop.running:
                await asyncio.to_thread(loop.wait_stopped)
            elif loop.exit_code:
                raise RuntimeError(loop.tail())
            await player.until(lambda: len(player.cleared) >= bots, what="the floor's end", seconds=10)
        finally:
            await player.stop()
    return _seen(harness, player, customers, start)


async def operator(harness: Harness, *, credentials: int, shard: str = "") -> tuple[Burst, Life]:
    """The burst by the operator, or by that of a shard."""
    namespace, customers = harness.customers(credentials=credentials)
    bots = harness.size.bots
    async with Wire(harness.cluster.kubeconfig("admin")) as wire, notice_site(harness, namespace) as site:
        player = await _stage(wire, namespace)
        began = time.monotonic()
        await prepare.make_customers(wire, namespace, customers)
        if site is not None:
            await wire.send("POST", f"/api/v1/namespaces/{namespace}/secrets", site.secret)
        staging = harness.size.staging_seconds(writing=time.monotonic() - began)
        process = await asyncio.to_thread(
            Operator,
            harness.cluster,
            namespace=namespace,
            zoom=harness.zoom.base_url,
            folder=harness.folder,
            warden=harness.warden,
            environment=site.environment if site is not None else {},
            shard=shard,
        )
        await asyncio.to_thread(process.start)
        try:
            await prepare.wait_ready(wire, namespace, count=credentials)
            before = await asyncio.to_thread(process.snapshot)
            join_at = float(math.ceil(time.time() + staging))
            await prepare.make_bots(wire, namespace, customers, join_at=join_at)
            await player.until(lambda: len(player.waiting) >= bots, what="Pods at the gate", seconds=LIMIT_SECONDS)
            harness.say(f"staged {join_at - time.time():.0f} s before joinAt")
            if time.time() > join_at - 2:
                raise RuntimeError("the Pods were not at the gate in time; this machine needs a smaller BENCH_BOTS")
            await asyncio.sleep(join_at - time.time() - 0.5)
            staged = await asyncio.to_thread(process.snapshot)
            await player.until(lambda: len(player.cleared) >= bots, what="the burst's end", seconds=LIMIT_SECONDS)
            await asyncio.sleep(1)
            joined = await asyncio.to_thread(process.snapshot)
            await player.succeed(sorted(player.started))
            await prepare.wait_phase(wire, namespace, "Succeeded", count=bots, seconds=LIMIT_SECONDS)
            if site is not None:
                await site.wait_done(bots=bots, seconds=LIMIT_SECONDS)
                harness.say(f"notices a bot: {site.accepted / bots:.2f}")
            await asyncio.sleep(1)
            ended = await asyncio.to_thread(process.snapshot)
            await prepare.delete_bots(wire, namespace)
            await asyncio.sleep(DELETION_SETTLES_SECONDS)
            deleted = await asyncio.to_thread(process.snapshot)
        finally:
            await player.stop()
            await asyncio.to_thread(process.stop)
    return _seen(harness, player, customers, join_at), Life(before, staged, joined, ended, deleted, process.warnings())


@contextlib.asynccontextmanager
async def notice_site(harness: Harness, namespace: str) -> AsyncIterator[NoticeSite | None]:
    """The namespace's webhook, if the bench has one."""
    if not harness.size.notices:
        yield None
        return
    folder = harness.folder / f"{namespace}-site"
    folder.mkdir()
    with NoticeSite(folder) as site:
        yield site


async def _stage(wire: Wire, namespace: str) -> Player:
    await prepare.make_namespace(wire, namespace)
    player = Player(wire, namespace=namespace)
    player.start()
    return player


def _seen(harness: Harness, player: Player, customers: Customers, start: float) -> Burst:
    calls = harness.zoom.calls("meetings.jointoken", client_id=customers.app.client_id)
    return Burst(
        delivered=[moment - start for moment in player.delivered.values()],
        started=[moment - start for moment in player.started.values()],
        ages=[moment - player.issued[name] for name, moment in player.started.items()],
        whole=max(player.cleared.values()) - start,
        zoom_times=[call.time for call in calls if call.status == 200],
    )

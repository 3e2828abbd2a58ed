"""`python -m tests.bench.hostile`: a tenant's token delay and webhook answers, with and without a hostile tenant.

`BENCH_HOSTILE_RUNS` (3) says how often; each run has a cluster of its own. The target: at most twice as long.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.burst.figures import Spread, spread
from tests.bench.burst.player import Player
from tests.bench.burst.usage import usage
from tests.bench.burst.wire import Wire, all_of
from tests.bench.burst.zoom import zoom_process
from tests.bench.hostile.failing import FailingPods
from tests.bench.load.lines import show
from tests.bench.machine import machine
from tests.cluster.api import core_path, wait_until
from tests.cluster.binaries import ensure_binaries
from tests.cluster.controlplane import ControlPlane
from tests.cluster.crds import crd_files, load_crds
from tests.cluster.warden import Warden
from tests.stack.event_sender import counts, event_body, send_at_pace, signed_request
from tests.stack.hostile_tenant import HostileTenant, Targets, flood
from tests.stack.hung_server import HungServer
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant

ROOT = Path(__file__).resolve().parents[3]
BOTS = 40
BOTS_PER_SECOND = 2
EVENTS_PER_SECOND = 10
LEAD_SECONDS = 3600
STAGING_SECONDS = 75
SETTLE_SECONDS = 10
TARGET = 2.0


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A control plane with both tenants, operator and receiver."""

    cluster: ControlPlane
    stack: Stack
    good: Tenant
    hostile: Tenant
    hung: HungServer
    admission: HungServer


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Seconds from joinAt to the delivered token, and until webhooks are answered."""

    tokens: Spread
    answers: Spread


@contextmanager
def scene() -> Iterator[Scene]:
    """Start everything."""
    with (
        tempfile.TemporaryDirectory(prefix="meetingbots-bench-") as name,
        HungServer() as hung,
        HungServer() as admission,
    ):
        folder, warden = Path(name), Warden()
        try:
            with (
                zoom_process(folder, warden) as zoom,
                ControlPlane(binaries=ensure_binaries(), crds=load_crds(crd_files(ROOT / "crds"))) as cluster,
                Stack(
                    cluster,
                    zoom_url=zoom.base_url,
                    system="meetingbots-system",
                    settings={"ALLOWED_TOKEN_URL_HOSTS": f"private:localhost:{hung.port}"},
                    folder=folder / "stack",
                ) as stack,
            ):
                good, hostile = (new_tenant(cluster, zoom, tenant) for tenant in ("good", "hostile"))
                yield Scene(cluster=cluster, stack=stack, good=good, hostile=hostile, hung=hung, admission=admission)
        finally:
            warden.close()


def new_tenant(cluster: ControlPlane, zoom: object, name: str) -> Tenant:
    """Create a namespace in which Pods can be created."""
    cluster.api.create(core_path("namespaces"), {"metadata": {"name": name}})
    account = core_path("serviceaccounts", namespace=name, name="default")
    wait_until(lambda: cluster.api.get(account) is not None, what="default service account")
    return Tenant(cluster, zoom, name)  # type: ignore[arg-type]


async def measure(scene: Scene, player: Player, *, label: str, first: int) -> Measured:
    """Bots join one after another while events arrive."""
    good, begin = scene.good, int(time.time()) + STAGING_SECONDS
    due = {f"{label}-{number}": float(begin + number // BOTS_PER_SECOND) for number in range(BOTS)}

    def create(bot: str, join_at: float) -> None:
        meeting = good.meeting()
        good.mapping(meeting.id, "alice")
        text = datetime.fromtimestamp(join_at, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        good.bot(bot, meeting.id, joinAt=text, leadSeconds=LEAD_SECONDS)

    await all_of([asyncio.to_thread(create, bot, join_at) for bot, join_at in due.items()], at_once=8)
    late = max(0.0, time.time() - begin)
    if late:
        raise RuntimeError(f"the bots were created {late:.1f} s too late")
    await asyncio.sleep(begin - time.time())
    pids = {"operator": scene.stack.operator.pid, "receiver": scene.stack.receiver.pid}
    cpu = {name: usage(pid).cpu for name, pid in pids.items()}
    answers = await send_at_pace(
        [good_event(good, first + number) for number in range(EVENTS_PER_SECOND * BOTS // BOTS_PER_SECOND)],
        port=scene.stack.receiver_port,
        per_second=EVENTS_PER_SECOND,
    )

    def delays() -> list[float]:
        found = {pod.rsplit("-", 2)[0]: moment for pod, moment in player.delivered.items()}
        return [found[bot] - joins for bot, joins in due.items() if bot in found]

    await player.until(lambda: len(delays()) == BOTS, what=f"{BOTS} tokens", seconds=120)
    spent = [f"{name} {usage(pid).cpu - cpu[name]:.1f} s" for name, pid in pids.items()]
    print(f"{label}: answers {counts(answers)}; CPU in {time.time() - begin:.0f} s: {', '.join(spent)}", flush=True)
    return Measured(tokens=spread(delays()), answers=spread([answer.seconds for answer in answers]))


def good_event(tenant: Tenant, meeting: int) -> bytes:
    """The start of a meeting of the tenant's user."""
    item = {"id": str(meeting), "uuid": f"run-{meeting}", "host_id": tenant.user.id, "type": 2}
    body = event_body("meeting.started", account_id=tenant.account.id, event_ts=int(time.time() * 1000), item=item)
    return signed_request(body, client_id=tenant.app.client_id, secret=tenant.app.webhook_secret_token)


async def run(scene: Scene, *, number: int) -> None:
    """One run: alone, then beside the hostile tenant."""
    await asyncio.to_thread(scene.good.ready_credential)
    admin = scene.cluster.kubeconfig("admin")
    attacker = HostileTenant(
        tenant=scene.hostile,
        victim_client_id=scene.good.app.client_id,
        hung_port=scene.hung.port,
        admission_port=scene.admission.port,
    )
    targets = Targets(
        receiver_port=scene.stack.receiver_port,
        token_port=scene.stack.token_port,
        client_id=scene.hostile.app.client_id,
        secret=scene.hostile.app.webhook_secret_token,
        victim_client_id=scene.good.app.client_id,
    )
    async with Wire(admin) as wire:
        players = (Player(wire, namespace="good"), FailingPods(wire, namespace="hostile"))
        for player in players:
            player.start()
        alone = await measure(scene, players[0], label="alone", first=91_000_000_000)
        await asyncio.to_thread(attacker.plant)
        with attacker.churn(), flood(targets) as end:
            await asyncio.sleep(SETTLE_SECONDS)
            beside = await measure(scene, players[0], label="beside", first=92_000_000_000)
            print(f"hostile: {await asyncio.to_thread(end)}, {scene.hung.most} connections hung", flush=True)
        for player in players:
            await player.stop()
    report(number, alone, beside)


def report(number: int, alone: Measured, beside: Measured) -> None:
    """Print each figure beside that of the same run without the attack."""
    for name, with_attack, without in (
        ("joinAt to token delivered", beside.tokens, alone.tokens),
        ("webhook answered", beside.answers, alone.answers),
    ):
        for part in ("p50", "p99"):
            value, floor = getattr(with_attack, part), getattr(without, part)
            show(name=f"run {number}: {name}, {part}", value=value, unit="s", floor=floor, target=f"<= {TARGET} times")


def main() -> int:
    """Run it several times."""
    for number in range(1, int(os.environ.get("BENCH_HOSTILE_RUNS") or 3) + 1):
        print(machine(), flush=True)
        with scene() as running:
            asyncio.run(run(running, number=number))
    return 0


if __name__ == "__main__":
    sys.exit(main())

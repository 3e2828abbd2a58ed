"""Command: `python -m tests.bench.outcomes`; `BENCH_OUTCOMES_BOTS` (200) says how many bots there are.

Bots with every outcome live through their meetings. The operator's counters are compared with what the simulator of
Zoom recorded of the same bots; the exit code is 1 if they differ. `BENCH_OUTCOMES_PICTURE=1` scrapes both processes
with a Prometheus and draws the dashboard's panels from its data into docs/screenshots/dashboard.svg.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.bench.load.lines import show
from tests.bench.metrics import read_metrics
from tests.bench.outcomes import bots
from tests.bench.outcomes.bots import LIMIT_SECONDS, Played
from tests.cluster.api import core_path, wait_until
from tests.cluster.binaries import ensure_binaries
from tests.cluster.controlplane import ControlPlane
from tests.cluster.crds import crd_files, load_crds
from tests.cluster.kubelet import KubeletDouble
from tests.pictures.dashboard import Window, dashboard
from tests.stack.prometheus import Prometheus, panels
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.server import serving_in_thread
from tests.zoomsim.world import Account, User

ROOT: Final = Path(__file__).resolve().parents[3]
NAMESPACE: Final = "outcomes"
PLAYERS: Final = 8
PICTURE: Final = ROOT / "docs" / "screenshots" / "dashboard.svg"
_LAST_SCRAPES_SECONDS: Final = 3.0
MEETINGS: Final = 20
# The act of each bot, in turn; None: its token is required, so that it never starts.
ACTS: Final[tuple[Callable[[Played], None] | None, ...]] = (
    bots.records,
    bots.records,
    bots.is_refused,
    bots.records,
    bots.is_not_answered,
    bots.waits,
    bots.says_nothing,
    None,
)
# These bots join a stranger's meeting, for which there is no token, or stay away.
WITHOUT_TOKEN: Final = (bots.is_refused, bots.is_not_answered, None)


@contextmanager
def installation() -> Iterator[tuple[Tenant, SimClient, KubeletDouble, Stack]]:
    """A control plane with the product, and one customer."""
    with (
        tempfile.TemporaryDirectory(prefix="meetingbots-bench-") as folder,
        ControlPlane(binaries=ensure_binaries(), crds=load_crds(crd_files(ROOT / "crds"))) as cluster,
        serving_in_thread() as zoom,
        KubeletDouble(cluster.kubeconfig("kubelet")) as kubelet,
        Stack(cluster, zoom_url=zoom.base_url, system="meetingbots-system", folder=Path(folder)) as stack,
    ):
        cluster.api.create(core_path("namespaces"), {"metadata": {"name": NAMESPACE}})
        account = core_path("serviceaccounts", namespace=NAMESPACE, name="default")
        wait_until(lambda: cluster.api.get(account) is not None, what="default service account")
        tenant = Tenant(cluster, zoom, NAMESPACE, patience=LIMIT_SECONDS)
        zoom.change_app(tenant.app.client_id, webhook_url=stack.webhook_url(tenant.app.client_id))
        yield tenant, zoom, kubelet, stack


def live(tenant: Tenant, zoom: SimClient, kubelet: KubeletDouble, *, count: int) -> list[str]:
    """Let so many bots live; returns their names."""
    tenant.ready_credential()
    meetings = [tenant.meeting(emit=True) for _ in range(MEETINGS)]
    for meeting in meetings:
        tenant.mapping(meeting.id, "alice")
    account = zoom.add_account(Account())
    host = zoom.add_user(User(account_id=account.id, email="host@stranger.example"))
    stranger = tenant.meeting(host_id=host.id)

    def one(number: int) -> str:
        act = ACTS[number % len(ACTS)]
        meeting = stranger if act in WITHOUT_TOKEN else meetings[number // len(ACTS) % MEETINGS]
        bot = Played(name=f"bot-{number}", tenant=tenant, zoom=zoom, kubelet=kubelet, meeting=meeting)
        if act is None:
            bot.create(tokenPolicy="Required", startDeadlineSeconds=2)
        else:
            bot.create(bypassWaitingRoom=act is not bots.waits)
            bot.play(act)
        tenant.wait_phase(bot.name, "Failed", seconds=LIMIT_SECONDS)
        return bot.name

    with ThreadPoolExecutor(PLAYERS) as pool:
        return list(pool.map(one, range(count)))


def by_zoom(zoom: SimClient, names: list[str]) -> Counter[str]:
    """The outcomes by the simulator's record: how each bot entered, and how its visit ended."""
    entered = {visit.display_name: visit for visit in zoom.joins()}
    ended = {visit.display_name: visit.state for visit in zoom.participants()}
    outcomes: Counter[str] = Counter()
    for name in names:
        visit = entered.get(name)
        if visit is None:
            outcomes["not_started"] += 1
        elif not visit.customer_key:
            outcomes["not_reported"] += 1
        elif visit.state == "asks_host":
            outcomes["denied" if ended[name] == "denied" else "not_recorded"] += 1
        else:
            outcomes["recorded" if visit.recording else "not_admitted"] += 1
    return outcomes


def by_operator(stack: Stack) -> tuple[Counter[str], Mapping[str, float]]:
    """The operator's counters: outcomes, and further samples by name."""
    outcomes: Counter[str] = Counter()
    samples: dict[str, float] = {}
    for sample in read_metrics(f"http://127.0.0.1:{stack.metrics_ports['operator']}"):
        if sample.name == "meetingbots_recordings_total" and sample.value:
            outcomes[sample.labels["outcome"]] += int(sample.value)
        elif sample.name == "meetingbots_join_to_recording_seconds_count":
            samples[sample.name] = sample.value
    return outcomes, samples


def _drawn() -> str:
    return os.environ.get("BENCH_OUTCOMES_PICTURE", "")


@contextmanager
def picture(stack: Stack, *, wanted: bool) -> Iterator[None]:
    """If `wanted`, draw the dashboard from what a Prometheus scrapes while the body runs."""
    if not wanted:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="meetingbots-prometheus-") as folder:
        prometheus = Prometheus(Path(folder), stack)
        try:
            wait_until(prometheus.scrapes_both, what="the first scrapes", limit_seconds=60)
            begun = time.time()
            yield
            time.sleep(_LAST_SCRAPES_SECONDS)
            window = Window(begun, time.time())
            shown = list(panels(rate_interval="1m", whole_range=f"{window.end - window.start:.0f}s"))
            PICTURE.write_text(dashboard(shown, prometheus, window), encoding="utf-8")
        finally:
            prometheus.close()


def main() -> int:
    """Run the bots; print the outcomes of both records."""
    count = int(os.environ.get("BENCH_OUTCOMES_BOTS") or 200)
    begun = time.monotonic()
    with installation() as (tenant, zoom, kubelet, stack), picture(stack, wanted=bool(_drawn())):
        names = live(tenant, zoom, kubelet, count=count)
        seconds = time.monotonic() - begun
        wanted, (counted, samples) = by_zoom(zoom, names), by_operator(stack)
    for outcome in sorted({*wanted, *counted}):
        show(name=f"outcomes: {outcome}", value=counted[outcome], unit="bots", target=f"{wanted[outcome]} by Zoom")
    measured = samples.get("meetingbots_join_to_recording_seconds_count", 0.0)
    show(name="outcomes: measured recordings", value=measured, unit="bots", target=f"{wanted['recorded']} by Zoom")
    show(name="outcomes: time", value=seconds, unit="s")
    return int(counted != wanted or measured != wanted["recorded"])


if __name__ == "__main__":
    sys.exit(main())

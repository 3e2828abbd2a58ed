"""The operator under measurement: the real process with the chart's rights, its counts and what it uses."""

import os
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.burst.usage import Usage, usage
from tests.bench.metrics import read_metrics
from tests.cluster.controlplane import ControlPlane
from tests.cluster.warden import Warden
from tests.stack.processes import Program, free_port
from tests.stack.rights import grant

SECRETS_READ = {"ZoomCredential": 3, "Receiver": 1}
"""By the kind of what is looked at."""


@dataclass(frozen=True)
class Snapshot:
    """What the operator had done by a moment: API calls by verb and resource, calls to Zoom, usage.

    `upkeep` is how many Secrets it read for the credentials' sake: three at each look at a credential (its app, its
    grant, its tokens), and one at each look at an app for the receiver.
    """

    kube: dict[str, float]
    zoom: dict[str, float]
    usage: Usage
    upkeep: float


class Operator:
    """One operator process for one namespace. With `BENCH_PROFILE` set, its cProfile file is left there.

    Shards share one system namespace, and each has its Lease.
    """

    def __init__(
        self,
        cluster: ControlPlane,
        *,
        namespace: str,
        zoom: str,
        folder: Path,
        warden: Warden,
        environment: Mapping[str, str],
        shard: str = "",
    ) -> None:
        health, self._metrics = free_port(), free_port()
        system = "shards-system" if shard else f"{namespace}-system"
        settings = {
            "ZOOM_API_URL": f"{zoom}/v2",
            "ZOOM_OAUTH_URL": f"{zoom}/oauth",
            "SYSTEM_NAMESPACE": system,
            "HEALTH_PORT": str(health),
            "METRICS_PORT": str(self._metrics),
        }
        if shard:
            settings |= {"LEADER_ELECT": "true", "LEASE_NAME": f"meetingbots-operator-{shard}"}
        kubeconfig = grant(cluster, "operator", system=system, served=(namespace,), shard=shard)
        profile = os.environ.get("BENCH_PROFILE", "")
        under = ["cProfile", "-o", f"{profile}.{namespace}", "-m"] if profile else []
        self._program = Program(
            [*under, "meetingbots", "operator", f"--namespace={namespace}"],
            environment={f"MEETINGBOTS_{key}": value for key, value in settings.items()}
            | {"KUBECONFIG": str(kubeconfig)}
            | dict(environment),
            ready_url=f"http://127.0.0.1:{health}/readyz",
            log=folder / f"{namespace}.log",
            warden=warden,
        )

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self._program.start()

    def stop(self) -> None:
        """End it in order."""
        self._program.stop()

    def warnings(self) -> list[str]:
        """What it complained about."""
        return [line for line in self._program.text().splitlines() if " WARNING " in line or " ERROR " in line]

    def snapshot(self) -> Snapshot:
        """Ask it."""
        kube: defaultdict[str, float] = defaultdict(float)
        zoom: defaultdict[str, float] = defaultdict(float)
        upkeep = 0.0
        for sample in read_metrics(f"http://127.0.0.1:{self._metrics}"):
            if sample.name == "meetingbots_kube_requests_total":
                kube[f"{sample.labels['verb']} {sample.labels['resource']}"] += sample.value
            elif sample.name == "meetingbots_zoom_requests_total":
                zoom[f"{sample.labels['call']} {sample.labels['code']}"] += sample.value
            elif sample.name == "meetingbots_reconcile_duration_seconds_count":
                upkeep += sample.value * SECRETS_READ.get(sample.labels["kind"], 0)
        return Snapshot(dict(kube), dict(zoom), usage(self._program.pid), upkeep)

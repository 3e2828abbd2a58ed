"""An installation with operator.shards: one receiver, and operators that start and stop one by one."""

from collections.abc import Collection
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.cluster.api import Api
from tests.cluster.controlplane import ControlPlane
from tests.cluster.warden import Warden
from tests.stack.processes import Program, free_port
from tests.stack.rights import grant
from tests.stack.stack import Stack

LEASE = "/apis/coordination.k8s.io/v1/namespaces/{}/leases/meetingbots-operator-{}"


class Shards:
    """The receiver serves `served`; each operator serves what it is started with."""

    def __init__(
        self, cluster: ControlPlane, *, zoom_url: str, system: str, served: Collection[str], folder: Path
    ) -> None:
        self.system = system
        self._cluster = cluster
        self._zoom_url = zoom_url
        self._stack = Stack(cluster, zoom_url=zoom_url, system=system, served=tuple(served), folder=folder)
        self._operators: list[Program] = []
        self._warden = Warden()

    @property
    def api(self) -> Api:
        """Client as administrator."""
        return self._cluster.api

    def __enter__(self) -> Self:
        self._stack.receiver.start(wait=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for operator in self._operators:
            operator.stop()
        self._stack.stop()
        self._warden.close()

    def wait_receiver(self) -> None:
        """Wait until the receiver is ready, which needs the Secret that an operator makes."""
        self._stack.receiver.wait_ready()

    def webhook_url(self, client_id: str) -> str:
        """What is to be set as the event notification endpoint of the Zoom app."""
        return self._stack.webhook_url(client_id)

    def start(self, shard: str, *, served: Collection[str]) -> Program:
        """Start the operator of a shard, with the rights of the chart; give it while it starts."""
        health = free_port()
        settings = {
            "ZOOM_API_URL": f"{self._zoom_url}/v2",
            "ZOOM_OAUTH_URL": f"{self._zoom_url}/oauth",
            "PUBLIC_URL": self._stack.receiver_url,
            "SYSTEM_NAMESPACE": self.system,
            "BOT_IMAGE": "bot-example",
            "HEALTH_PORT": str(health),
            "METRICS_PORT": "0",
            "LEADER_ELECT": "true",
            "LEASE_NAME": f"meetingbots-operator-{shard}",
        }
        kubeconfig = grant(self._cluster, "operator", system=self.system, served=tuple(served), shard=shard)
        program = Program(
            ["meetingbots", "operator", *(f"--namespace={name}" for name in served)],
            environment={f"MEETINGBOTS_{key}": value for key, value in settings.items()}
            | {"KUBECONFIG": str(kubeconfig), "PYTHONUNBUFFERED": "1"},
            ready_url=f"http://127.0.0.1:{health}/readyz",
            log=self._stack.folder / f"operator-{shard}-{len(self._operators)}.log",
            warden=self._warden,
        )
        self._operators.append(program)
        program.start(wait=False)
        return program

    def holder(self, shard: str) -> str:
        """Who holds the Lease of a shard; empty: nobody."""
        found = self.api.get(LEASE.format(self.system, shard)) or {}
        return str(found.get("spec", {}).get("holderIdentity") or "")

"""An installation on a control plane of its own, whose operator a test may restart."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tests.cluster.api import core_path, wait_until
from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.stack.event_sender import event_body, send_all, signed_request
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.event_loop import run

PATIENCE = 90.0
"""Seconds for everything that a test waits for; a busy machine is slow."""


def new_namespace(cluster: ControlPlane, *, prefix: str = "test") -> str:
    """A fresh namespace in which Pods can be created."""
    name = f"{prefix}-{uuid4().hex[:8]}"
    cluster.api.create(core_path("namespaces"), {"metadata": {"name": name}})
    account = core_path("serviceaccounts", namespace=name, name="default")
    wait_until(lambda: cluster.api.get(account) is not None, what="default service account", limit_seconds=PATIENCE)
    return name


def wait_known(stack: Stack, tenant: Tenant) -> None:
    """Wait until the receiver knows the tenant's app: Zoom repeats an event that it refuses only after minutes."""
    body = event_body("app.attack_test", account_id=tenant.account.id, event_ts=int(time.time() * 1000), item={})

    def answer() -> int:
        client_id, secret = tenant.app.client_id, tenant.app.webhook_secret_token
        request = signed_request(body, client_id=client_id, secret=secret)
        [answered] = run(send_all([request], port=stack.receiver_port))
        return answered.status

    wait_until(lambda: answer() == 204, what="the receiver knows the app", limit_seconds=PATIENCE, every_seconds=0.2)


@dataclass(frozen=True)
class Installation:
    """A control plane, its node, and the product on it."""

    cluster: ControlPlane
    zoom: SimClient
    kubelet: KubeletDouble
    stack: Stack

    def tenant(self) -> Tenant:
        """A fresh customer whose app sends its events to the receiver."""
        tenant = Tenant(self.cluster, self.zoom, new_namespace(self.cluster), patience=PATIENCE)
        self.zoom.change_app(tenant.app.client_id, webhook_url=self.stack.webhook_url(tenant.app.client_id))
        return tenant

    def restart_operator(self) -> None:
        """Kill the operator, as a crash would, and start another one."""
        self.stack.operator.kill()
        self.stack.operator.start()


@contextmanager
def installed(cluster: ControlPlane, zoom: SimClient, *, folder: Path) -> Iterator[Installation]:
    """The product on `cluster`, for all namespaces; logs go to `folder`."""
    with (
        KubeletDouble(cluster.kubeconfig("kubelet")) as kubelet,
        Stack(cluster, zoom_url=zoom.base_url, system="meetingbots-system", folder=folder) as stack,
    ):
        yield Installation(cluster, zoom, kubelet, stack)

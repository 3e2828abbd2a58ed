"""What a run takes place on: a control plane, a node, a Zoom, two operators and two receivers, and customers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from tests.cluster.api import core_path, wait_until
from tests.cluster.binaries import ensure_binaries
from tests.cluster.controlplane import ControlPlane
from tests.cluster.crds import crd_files, load_crds
from tests.cluster.flags import HOST
from tests.cluster.kubelet import KubeletDouble
from tests.cluster.ports import free_ports
from tests.soak.stepped import CLOCK
from tests.stack.balancer import balancing
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.disorder import Disorder
from tests.zoomsim.server import serving_in_thread
from tests.zoomsim.sim import ZoomSim
from tests.zoomsim.world import User

ROOT: Final = Path(__file__).resolve().parents[2]
CREDENTIALS: Final = ("alice", "carol")
TENANTS: Final = 2
REPLICAS: Final = 2
TOKEN_SECONDS: Final = 20
"""The life of an access token: each credential refreshes a few times a minute."""
RETRIES: Final = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""When Zoom sends an event again, in seconds after the try before; sooner than the real one, and longer."""


@dataclass
class Customer:
    """A tenant with a user for each credential; `users` is by the credential's name."""

    tenant: Tenant
    users: dict[str, User] = field(default_factory=dict)

    def consent(self, name: str) -> None:
        """The user of a credential consents, for the first time or again."""
        tenant = self.tenant
        consented = tenant.zoom.consent(client_id=tenant.app.client_id, user=self.users[name].id)
        tenant.secret(name, refresh_token=consented.refresh_token)

    def begin(self, name: str, **spec: Any) -> None:
        """Create a credential."""
        tenant = self.tenant
        email = f"{name}-{tenant.namespace}@tenant.example"
        self.users[name] = tenant.zoom.add_user(User(account_id=tenant.account.id, email=email))
        self.consent(name)
        tenant.credential(name, **spec)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """All of it. `sim` is read only (it runs in a thread); `clocks` are the replicas' files."""

    cluster: ControlPlane
    kubelet: KubeletDouble
    sim: ZoomSim
    zoom: SimClient
    replicas: tuple[Stack, ...]
    clocks: tuple[Path, ...]
    customers: tuple[Customer, ...]


@contextmanager
def standing(*, seed: int, folder: Path) -> Iterator[Scene]:
    """Start everything and wait until every credential is Ready; `folder` gets the logs."""
    sim = ZoomSim()
    sim.webhooks.retry_after_seconds = RETRIES
    sim.webhooks.disorder = Disorder(chance=random.Random(f"{seed}-webhooks"))
    crds = load_crds(crd_files(ROOT / "crds"))
    with ExitStack() as stack:
        cluster = stack.enter_context(ControlPlane(binaries=ensure_binaries(), crds=crds, audit=True))
        kubelet = stack.enter_context(KubeletDouble(cluster.kubeconfig("kubelet")))
        zoom = stack.enter_context(serving_in_thread(sim))
        clocks = tuple(folder / f"clock-{number}" for number in range(REPLICAS))
        token_ports = free_ports(REPLICAS, host=HOST)
        token_url = f"http://127.0.0.1:{stack.enter_context(balancing(token_ports))}"
        replicas = tuple(
            _replica(cluster, zoom, folder=folder, clock=clock, token_port=token_port, token_url=token_url)
            for clock, token_port in zip(clocks, token_ports, strict=True)
        )
        for replica in replicas:
            stack.enter_context(replica)
        port = stack.enter_context(balancing([replica.receiver_port for replica in replicas]))
        customers = tuple(_customer(cluster, zoom, number=number, port=port) for number in range(TENANTS))
        for customer in customers:
            for name in CREDENTIALS:
                customer.tenant.wait_ready("zoomcredentials", name)
        yield Scene(
            cluster=cluster,
            kubelet=kubelet,
            sim=sim,
            zoom=zoom,
            replicas=replicas,
            clocks=clocks,
            customers=customers,
        )


def _replica(
    cluster: ControlPlane, zoom: SimClient, *, folder: Path, clock: Path, token_port: int, token_url: str
) -> Stack:
    """Operator and receiver as the chart runs them: with a Lease, and one address for the token endpoints."""
    clock.write_text("0")
    own = {CLOCK: str(clock), "MEETINGBOTS_TOKEN_PORT": str(token_port), "MEETINGBOTS_TOKEN_URL": token_url}
    return Stack(
        cluster,
        zoom_url=zoom.base_url,
        system="meetingbots-system",
        settings={"LEADER_ELECT": "true"},
        environment=own,
        folder=folder / f"replica-{clock.name}",
        module="tests.soak.stepped",
    )


def _customer(cluster: ControlPlane, zoom: SimClient, *, number: int, port: int) -> Customer:
    namespace = f"tenant-{number}"
    cluster.api.create(core_path("namespaces"), {"metadata": {"name": namespace}})
    account = core_path("serviceaccounts", namespace=namespace, name="default")
    wait_until(lambda: cluster.api.get(account) is not None, what="default service account", limit_seconds=120)
    tenant = Tenant(cluster, zoom, namespace, patience=180.0)
    tenant.webhook_url = f"http://127.0.0.1:{port}/webhooks/{tenant.app.client_id}"
    zoom.change_app(tenant.app.client_id, webhook_url=tenant.webhook_url, access_token_seconds=TOKEN_SECONDS)
    tenant.app_secret()
    customer = Customer(tenant)
    for name in CREDENTIALS:
        customer.begin(name, tokenDeletionPolicy="Delete" if number else "Retain")
    return customer

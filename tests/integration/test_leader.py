"""Two operators and one Lease: the standby is ready and does nothing, and takes over when the leader ends or dies."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.cluster.api import Api, wait_until
from tests.cluster.controlplane import ControlPlane
from tests.cluster.warden import Warden
from tests.stack.processes import Program, free_port
from tests.stack.rights import grant
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient

LEASE = "/apis/coordination.k8s.io/v1/namespaces/{}/leases/meetingbots-operator"


@dataclass(frozen=True)
class Pair:
    """Two operators of a namespace of their own, with the rights of the chart."""

    api: Api
    system: str
    served: str
    start: Callable[[str], Program]

    def holder(self) -> str:
        return str(self.lease().get("holderIdentity") or "")

    def lease(self) -> dict[str, Any]:
        found = self.api.get(LEASE.format(self.system))
        return dict(found["spec"]) if found else {}

    def wait_new_holder(self, old: str) -> None:
        wait_until(lambda: self.holder() not in ("", old), what="another holder")


@pytest.fixture
def pair(cluster: ControlPlane, zoom: SimClient, namespace: str, tmp_path: Path) -> Iterator[Pair]:
    system = f"system-{uuid4().hex[:8]}"
    kubeconfig = grant(cluster, "operator", system=system, served=(namespace,))
    warden = Warden()
    running: list[Program] = []

    def start(name: str) -> Program:
        health = free_port()
        settings = {
            "ZOOM_API_URL": f"{zoom.base_url}/v2",
            "ZOOM_OAUTH_URL": f"{zoom.base_url}/oauth",
            "SYSTEM_NAMESPACE": system,
            "HEALTH_PORT": str(health),
            "METRICS_PORT": "0",
            "LEADER_ELECT": "true",
        }
        program = Program(
            ["meetingbots", "operator", f"--namespace={namespace}"],
            environment={f"MEETINGBOTS_{key}": value for key, value in settings.items()}
            | {"KUBECONFIG": str(kubeconfig), "PYTHONUNBUFFERED": "1"},
            ready_url=f"http://127.0.0.1:{health}/readyz",
            log=tmp_path / f"{name}.log",
            warden=warden,
        )
        running.append(program)
        program.start()
        return program

    yield Pair(api=cluster.api, system=system, served=namespace, start=start)
    for program in running:
        program.stop()
    warden.close()


def test_the_standby_is_ready_and_takes_over_when_the_leader_is_killed(
    pair: Pair, cluster: ControlPlane, zoom: SimClient
) -> None:
    leader = pair.start("one")
    first = pair.holder()
    standby = pair.start("two")
    assert "standing by" in standby.text()
    assert "serving" not in standby.text()
    leader.kill()
    assert pair.holder() == first, "the Lease is still valid"
    pair.wait_new_holder(first)
    assert pair.lease()["leaseTransitions"] == 1
    # And it works: a consent given now becomes Ready.
    Tenant(cluster, zoom, pair.served).ready_credential()
    assert "serving" in standby.text()


def test_a_leader_that_ends_in_order_hands_over_at_once(pair: Pair) -> None:
    leader = pair.start("one")
    first = pair.holder()
    standby = pair.start("two")
    leader.stop()
    assert pair.holder() != first, "the leader releases the Lease before it ends"
    pair.wait_new_holder(first)
    wait_until(lambda: "serving" in standby.text(), what="the other one serves")


def test_a_leader_that_lost_the_lease_ends(pair: Pair) -> None:
    leader = pair.start("one")
    taken = {"holderIdentity": "somebody", "renewTime": "2030-01-01T00:00:00.000000Z"}
    pair.api.patch(LEASE.format(pair.system), {"spec": taken})
    wait_until(lambda: not leader.running, what="the leader has ended")
    assert leader.exit_code == 1
    assert "to somebody" in leader.text()
    assert pair.holder() == "somebody"


def test_a_standby_ends_and_the_leader_keeps_the_lease(pair: Pair) -> None:
    pair.start("one")
    first = pair.holder()
    standby = pair.start("two")
    standby.stop()
    assert not standby.running
    assert pair.holder() == first

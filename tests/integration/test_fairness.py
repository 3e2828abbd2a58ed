"""A hostile tenant at full tilt does not delay the others."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.cluster.api import core_path, wait_until
from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient

HOSTILE_CREDENTIALS = 120
HUNG_SECONDS = 5.0
"""The time limit of an access token URL."""


@pytest.fixture
def hung_port() -> Iterator[int]:
    """A server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def installation(own_cluster: ControlPlane, zoom: SimClient, hung_port: int, tmp_path: Path) -> Iterator[Stack]:
    settings = {"ALLOWED_TOKEN_URL_HOSTS": f"private:localhost:{hung_port}"}
    with (
        KubeletDouble(own_cluster.kubeconfig("kubelet")),
        Stack(
            own_cluster, zoom_url=zoom.base_url, system="meetingbots-system", settings=settings, folder=tmp_path
        ) as running,
    ):
        yield running


def new_tenant(cluster: ControlPlane, zoom: SimClient) -> Tenant:
    name = f"test-{uuid4().hex[:8]}"
    cluster.api.create(core_path("namespaces"), {"metadata": {"name": name}})
    account = core_path("serviceaccounts", namespace=name, name="default")
    wait_until(lambda: cluster.api.get(account) is not None, what="default service account")
    return Tenant(cluster, zoom, name)


def seconds_to_ready(tenant: Tenant, name: str) -> float:
    began = time.monotonic()
    tenant.consent(name)
    tenant.credential(name)
    tenant.wait_ready("zoomcredentials", name)
    return time.monotonic() - began


def test_hung_token_urls_of_one_tenant_do_not_delay_the_credentials_of_another(
    own_cluster: ControlPlane, zoom: SimClient, installation: Stack, hung_port: int
) -> None:
    good, hostile = new_tenant(own_cluster, zoom), new_tenant(own_cluster, zoom)
    good.app_secret()
    alone = max(seconds_to_ready(good, f"alone-{number}") for number in range(3))

    hostile.app_secret()
    grant = {"accessTokenURL": {"url": f"https://localhost:{hung_port}/token"}}
    for number in range(HOSTILE_CREDENTIALS):
        hostile.credential(f"hung-{number}", grant=grant, refreshPolicy="Continuous")
    beside = max(seconds_to_ready(good, f"beside-{number}") for number in range(3))
    print(f"ready in {alone:.2f} s alone, in {beside:.2f} s beside a hostile tenant")
    assert hostile.condition("zoomcredentials", "hung-0").get("status") != "True"
    assert beside < max(2 * alone, 2 * HUNG_SECONDS)

"""Shards on a real API server: rights and admission policies as they bite, and the upgrades to and between shards."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from meetingbots.models.names import RECEIVER_SECRET

from tests.chart.rendering import Helm
from tests.chart.test_install import DEPLOYMENTS, Release, may
from tests.cluster.api import Api, ApiError, core_path, wait_until
from tests.cluster.controlplane import ControlPlane

LARGE = 3000
"""Entries of a Secret that is almost full."""


@pytest.fixture
def release(cluster: ControlPlane, programs: Path) -> Iterator[Release]:
    made = Release(cluster, Helm(programs / "helm", kubeconfig=cluster.kubeconfig()))
    yield made
    made.clean_up()


def shards(**served: list[str]) -> dict[str, Any]:
    return {"operator": {"shards": [{"name": name, "namespaces": found} for name, found in served.items()]}}


def as_shard(api: Api, system: str, shard: str) -> Api:
    """The API as a shard's ServiceAccount sees it."""
    path = f"{core_path('serviceaccounts', namespace=system, name=f'meetingbots-operator-{shard}')}/token"
    token = api.create(path, {"spec": {"expirationSeconds": 3600}})["status"]["token"]
    address = urlsplit(api.url)
    return Api(host=address.hostname or "", port=address.port or 0, ca=api.ca, token=token)


def refused(api: Api, path: str, data: dict[str, str | None]) -> bool:
    """Whether the policy refuses this change of the projected Secret; nothing is changed."""
    try:
        api.request("PATCH", path, {"data": data}, query={"dryRun": "All"}, content_type="application/merge-patch+json")
    except ApiError as error:
        if "a shard writes the entries of its own namespaces only" not in error.message:
            raise
        return True
    return False


def test_from_one_operator_to_shards_and_a_namespace_moves(release: Release) -> None:
    system, *teams = (release.namespace() for _ in range(4))
    api, [a, b, c] = release.api, teams
    release.install("meetingbots", system, values={"watch": {"namespaces": teams}})
    release.upgrade("meetingbots", system, values=shards(east=[a, b], west=[c]))
    deployments = api.request("GET", DEPLOYMENTS.format(system))["items"]
    assert {one["metadata"]["name"] for one in deployments} == {
        "meetingbots-operator-east",
        "meetingbots-operator-west",
        "meetingbots-receiver",
    }
    lease = "coordination.k8s.io/leases"
    asked = [
        (a, "operator-east", "get", "secrets", "", True),
        (c, "operator-east", "get", "secrets", "", False),
        (c, "operator-west", "watch", "meetingbots.dev/meetingbots", "", True),
        (a, "operator-west", "list", "meetingbots.dev/meetingbots", "", False),
        (system, "operator-west", "patch", lease, "meetingbots-operator-west", True),
        (system, "operator-west", "patch", lease, "meetingbots-operator-east", False),
        (system, "operator-west", "patch", "secrets", RECEIVER_SECRET, True),
        (a, "receiver", "watch", "meetingbots.dev/zoomcredentials", "", True),
        (c, "receiver", "watch", "meetingbots.dev/zoomcredentials", "", True),
        (a, "operator", "get", "secrets", "", False),
    ]
    for namespace, account, verb, resource, name, expected in asked:
        allowed = may(release, namespace, f"meetingbots-{account}", verb, resource, name=name, of=system)
        assert allowed is expected, f"{account} {verb} {resource} {name}"

    moved = shards(east=[a], west=[b, c])
    moved["operator"]["shards"][0]["formerNamespaces"] = [b]
    release.upgrade("meetingbots", system, values=moved)
    for account in ("operator-east", "operator-west"):
        assert may(release, b, f"meetingbots-{account}", "patch", "secrets", of=system)
    del moved["operator"]["shards"][0]["formerNamespaces"]
    release.upgrade("meetingbots", system, values=moved)
    assert not may(release, b, "meetingbots-operator-east", "patch", "secrets", of=system)
    assert may(release, b, "meetingbots-operator-west", "patch", "secrets", of=system)


def test_a_shard_writes_its_part_of_the_receivers_secret_only(release: Release) -> None:
    system, a, b = (release.namespace() for _ in range(3))
    release.install("meetingbots", system, values=shards(east=[a], west=[b]))
    path = core_path("secrets", namespace=system, name=RECEIVER_SECRET)
    entries = {f"{b}.app-{number}": "eA==" for number in range(LARGE)}
    body = {"metadata": {"name": RECEIVER_SECRET}, "data": {f"{a}.app": "eA==", "link_signing_key": "eA==", **entries}}
    release.api.create(core_path("secrets", namespace=system), body)
    east = as_shard(release.api, system, "east")
    wait_until(partial(refused, east, path, {f"{b}.app": "eA=="}), what="the policy in force")
    west = as_shard(release.api, system, "west")
    wait_until(partial(refused, west, path, {f"{a}.app": "eQ=="}), what="the other shard's policy in force")
    assert refused(east, path, {f"{b}.app-1": "eQ=="})
    assert refused(east, path, {f"{b}.app-1": None})
    assert refused(east, path, {f"{a}-more.app": "eQ=="})
    own: list[dict[str, str | None]] = [
        {f"{a}.app": "eQ=="},
        {f"{a}.app": None},
        {f"{a}.with.dots": "eQ=="},
        {"link_signing_key": "eQ=="},
    ]
    for change in own:
        assert not refused(east, path, change)
    assert not refused(west, path, {f"{b}.app-1": None})
    assert not refused(release.api, path, {f"{b}.app-1": None, f"{a}.app": None})
    other = core_path("secrets", namespace=a, name="alice-zoom-token")
    release.api.create(core_path("secrets", namespace=a), {"metadata": {"name": "alice-zoom-token"}})
    assert not refused(east, other, {"access_token": "eA=="})

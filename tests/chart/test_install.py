"""Installs on a real API server: Pod Security, rights as they bite, CRDs over upgrade, rollback and uninstall."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from tests.chart.rendering import CHART, EVERYTHING, Helm, HelmError, only
from tests.cluster.api import Api, ApiError, core_path, wait_until
from tests.cluster.controlplane import ControlPlane

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/meetingmappings.meetingbots.dev"
MAPPINGS = "/apis/meetingbots.dev/v1alpha1/namespaces/{}/meetingmappings"
DEPLOYMENTS = "/apis/apps/v1/namespaces/{}/deployments"
CRDS = tuple(
    f"{CRD.rpartition('/')[0]}/{kind}.meetingbots.dev" for kind in ("meetingmappings", "meetingbots", "zoomcredentials")
)
NO_CRDS = {"crds": {"enabled": False}}


class Release:
    """Installs in fresh namespaces, uninstalled at the end with their CRDs."""

    def __init__(self, cluster: ControlPlane, helm: Helm) -> None:
        self.cluster = cluster
        self.helm = helm
        self._installed: list[tuple[str, str]] = []

    @property
    def api(self) -> Api:
        return self.cluster.api

    def namespace(self, **labels: str) -> str:
        name = f"ns-{uuid4().hex[:8]}"
        self.api.create(core_path("namespaces"), {"metadata": {"name": name, "labels": labels}})
        return name

    def install(self, name: str, namespace: str, *, values: dict[str, Any] | None = None, chart: Path = CHART) -> str:
        said = self.helm.run("install", name, str(chart), "--namespace", namespace, values=values or {})
        self._installed.append((name, namespace))
        return said

    def upgrade(self, name: str, namespace: str, *, values: dict[str, Any] | None = None, chart: Path = CHART) -> str:
        return self.helm.run("upgrade", name, str(chart), "--namespace", namespace, values=values or {})

    def uninstall(self, name: str, namespace: str) -> str:
        # A CRD that goes before its storage is set up stays Terminating for minutes (InstanceDeletionFailed).
        served(self.api)
        self._installed.remove((name, namespace))
        return self.helm.run("uninstall", name, "--namespace", namespace)

    def clean_up(self) -> None:
        for name, namespace in list(self._installed):
            self.uninstall(name, namespace)
        served(self.api)
        for path in CRDS:
            self.api.delete(path)
        wait_gone(self.api)


@pytest.fixture
def release(cluster: ControlPlane, programs: Path) -> Iterator[Release]:
    made = Release(cluster, Helm(programs / "helm", kubeconfig=cluster.kubeconfig()))
    yield made
    made.clean_up()


def wait_gone(api: Api) -> None:
    """Wait until none of our CRDs is left; if one stays, say what Kubernetes says of its removal."""
    try:
        wait_until(lambda: not any(api.get(path) for path in CRDS), what="the CRDs are gone")
    except TimeoutError as error:
        left = [found["status"].get("conditions") for path in CRDS if (found := api.get(path)) is not None]
        raise TimeoutError(f"{error}; what is left says {left}") from None


def served(api: Api) -> None:
    """Wait until every CRD of ours that is there and stays can be listed."""

    def can_be_listed(path: str) -> bool:
        found = api.get(path)
        if found is None or "deletionTimestamp" in found["metadata"]:
            return True
        plural = found["spec"]["names"]["plural"]
        return api.raw("GET", f"/apis/{found['spec']['group']}/v1alpha1/{plural}")[0] == 200

    wait_until(lambda: all(map(can_be_listed, CRDS)), what="our CRDs are served")


def has_two(api: Api, namespace: str, component: str) -> bool:
    items = api.request("GET", core_path("pods", namespace=namespace))["items"]
    return [one["metadata"]["labels"]["app.kubernetes.io/component"] for one in items].count(component) == 2


def may(release: Release, namespace: str, account: str, verb: str, resource: str, *, name: str = "", of: str) -> bool:
    """Whether a release's ServiceAccount of `of` may do this in `namespace`."""
    group, _, plural = resource.rpartition("/")
    attributes = {"namespace": namespace, "verb": verb, "group": group, "resource": plural, "name": name}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"user": f"system:serviceaccount:{of}:{account}", "resourceAttributes": attributes},
    }
    answer = release.api.create("/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    return bool(answer["status"]["allowed"])


def test_installs_where_pod_security_is_restricted(release: Release) -> None:
    """The API server itself makes the Pods pass: the ReplicaSets' Pods are there."""
    namespace = release.namespace(**{"pod-security.kubernetes.io/enforce": "restricted"})
    notes = release.install("meetingbots", namespace, values={"publicUrl": "https://bots.example"})
    assert "https://bots.example/webhooks/CLIENT_ID" in notes
    served(release.api)
    for component in ("operator", "receiver"):
        wait_until(partial(has_two, release.api, namespace, component), what=f"two Pods of the {component}")
    # And it would have refused others.
    loose = {"securityContext": {"allowPrivilegeEscalation": True}}
    bad = only(release.helm.template(loose, namespace=namespace), "Deployment", ending="operator")
    pod = {"metadata": {"name": "bad"}, "spec": bad["spec"]["template"]["spec"]}
    pod["spec"]["serviceAccountName"] = "meetingbots-operator"
    with pytest.raises(ApiError, match="allowPrivilegeEscalation"):
        release.api.request("POST", core_path("pods", namespace=namespace), pod, query={"dryRun": "All"})


def test_the_notes_commands_work_as_they_are_printed(release: Release, tmp_path: Path) -> None:
    namespace, team = release.namespace(), release.namespace()
    notes = release.install("meetingbots", namespace, values={"watch": {"namespaces": [team]}})
    served(release.api)
    blocks = [block for block in notes.split("\n\n") if block.lstrip().startswith("kubectl") and "rollout" not in block]
    # Nothing runs here that could make the credential Ready.
    lines = [line for block in blocks for line in block.splitlines() if " wait " not in line]
    done = subprocess.run(
        ["sh", "-e"],
        input="\n".join(lines),
        env={
            "PATH": f"{release.cluster.binaries}:{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "KUBECONFIG": str(release.cluster.kubeconfig()),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "secret/zoom-app created",
        "secret/alice created",
        "zoomcredential.meetingbots.dev/alice created",
    ]
    credential = release.api.get(f"/apis/meetingbots.dev/v1alpha1/namespaces/{team}/zoomcredentials/alice")
    assert credential is not None
    reference = credential["spec"]["grant"]["refreshToken"]["secretKeyRef"]
    secret = release.api.get(core_path("secrets", namespace=team, name=reference["name"]))
    assert secret is not None
    assert reference["key"] in secret["data"]


def test_everything_is_taken_field_by_field(release: Release) -> None:
    """Server-side apply, as Helm 4 does it, refuses unknown and duplicate fields."""
    namespace = release.namespace()
    for name in ("team-a", "team-b"):
        release.api.ensure(core_path("namespaces"), {"metadata": {"name": name}})
    values = {**yaml.safe_load(EVERYTHING.read_text()), "namespaceOverride": namespace}
    release.install("all", release.namespace(), values=values)
    ingress = release.api.get(f"/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses/all-meetingbots-receiver")
    assert ingress is not None
    assert ingress["spec"]["rules"][0]["host"] == "hooks.example"
    monitors = release.api.request("GET", f"/apis/monitoring.coreos.com/v1/namespaces/{namespace}/servicemonitors")
    assert len(monitors["items"]) == 1
    routes = release.api.request("GET", f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes")
    assert len(routes["items"]) == 1


def test_rights_by_namespace_end_at_the_namespace(release: Release) -> None:
    system, mine, other = release.namespace(), release.namespace(), release.namespace()
    release.install("meetingbots", system, values={"watch": {"namespaces": [mine]}})
    asked = [
        (mine, "meetingbots-operator", "get", "secrets", "", True),
        (mine, "meetingbots-operator", "list", "secrets", "", False),
        (mine, "meetingbots-operator", "watch", "secrets", "", False),
        (other, "meetingbots-operator", "get", "secrets", "", False),
        (other, "meetingbots-operator", "list", "meetingbots.dev/meetingbots", "", False),
        (mine, "meetingbots-operator", "watch", "meetingbots.dev/meetingbots", "", True),
        (system, "meetingbots-operator", "patch", "coordination.k8s.io/leases", "meetingbots-operator", True),
        (system, "meetingbots-operator", "patch", "coordination.k8s.io/leases", "another", False),
        (system, "meetingbots-operator", "get", "secrets", "another", False),
        (mine, "meetingbots-receiver", "get", "secrets", "alice-zoom-token", False),
        (mine, "meetingbots-receiver", "create", "pods", "", False),
        (mine, "meetingbots-receiver", "patch", "meetingbots.dev/meetingmappings", "", True),
        (system, "meetingbots-receiver", "get", "secrets", "meetingbots-receiver", True),
        (system, "meetingbots-receiver", "watch", "secrets", "meetingbots-receiver", True),
        (system, "meetingbots-receiver", "list", "secrets", "", False),
        (other, "meetingbots-receiver", "list", "meetingbots.dev/zoomcredentials", "", False),
    ]
    for namespace, account, verb, resource, name, expected in asked:
        allowed = may(release, namespace, account, verb, resource, name=name, of=system)
        assert allowed is expected, f"{account} {verb} {resource} {name} in {'mine' if namespace == mine else 'other'}"


def test_two_releases_in_one_cluster(release: Release) -> None:
    first, second = release.namespace(), release.namespace()
    release.install("meetingbots", first)
    with pytest.raises(
        HelmError, match=r'CustomResourceDefinition "\w+\.meetingbots\.dev".*exists and cannot be imported'
    ):
        release.install("meetingbots", second)
    release.install("meetingbots", second, values=NO_CRDS)
    with pytest.raises(HelmError, match=r'Role "meetingbots-\w+-system".*exists and cannot be imported'):
        release.install("another", second, values=NO_CRDS)
    release.uninstall("meetingbots", second)
    assert release.api.get(f"{DEPLOYMENTS.format(first)}/meetingbots-operator") is not None
    assert may(release, second, "meetingbots-operator", "list", "meetingbots.dev/meetingbots", of=first)


def test_a_missing_namespace_is_an_error(release: Release) -> None:
    namespace = release.namespace()
    with pytest.raises(HelmError, match='namespaces "not-there" not found'):
        release.install("meetingbots", namespace, values={"watch": {"namespaces": ["not-there"]}})
    release.helm.run("uninstall", "meetingbots", "--namespace", namespace)


def test_crds_are_upgraded_and_rolled_back_and_objects_stay(release: Release, tmp_path: Path) -> None:
    namespace = release.namespace()
    release.install("meetingbots", namespace)
    served(release.api)
    mapping = {
        "apiVersion": "meetingbots.dev/v1alpha1",
        "kind": "MeetingMapping",
        "metadata": {"name": "81234567890"},
        "spec": {"meetingId": "81234567890"},
    }
    uid = release.api.create(MAPPINGS.format(namespace), mapping)["metadata"]["uid"]
    newer = tmp_path / "meetingbots"
    shutil.copytree(CHART, newer)
    file = newer / "files" / "crds" / "meetingbots.dev_meetingmappings.yaml"
    crd = yaml.safe_load(file.read_text())
    crd["spec"]["versions"][0]["additionalPrinterColumns"].append(
        {"name": "New", "type": "string", "jsonPath": ".status.uuid"}
    )
    file.write_text(yaml.safe_dump(crd))

    def columns() -> list[str]:
        found = release.api.request("GET", CRD)
        return [column["name"] for column in found["spec"]["versions"][0]["additionalPrinterColumns"]]

    before = columns()
    release.upgrade("meetingbots", namespace, chart=newer)
    assert columns() == [*before, "New"]
    release.helm.run("rollback", "meetingbots", "1", "--namespace", namespace)
    assert columns() == before
    kept = release.api.request("GET", f"{MAPPINGS.format(namespace)}/81234567890")
    assert kept["metadata"]["uid"] == uid


def test_uninstall_keeps_crds_and_objects_and_the_next_install_takes_them_over(release: Release) -> None:
    namespace = release.namespace()
    release.install("meetingbots", namespace)
    served(release.api)
    mapping = {
        "apiVersion": "meetingbots.dev/v1alpha1",
        "kind": "MeetingMapping",
        "metadata": {"name": "81234567890"},
        "spec": {"meetingId": "81234567890"},
    }
    uid = release.api.create(MAPPINGS.format(namespace), mapping)["metadata"]["uid"]
    assert "kept due to the resource policy" in release.uninstall("meetingbots", namespace)
    assert release.api.get(f"{DEPLOYMENTS.format(namespace)}/meetingbots-operator") is None
    kept = release.api.request("GET", f"{MAPPINGS.format(namespace)}/81234567890")
    assert kept["metadata"]["uid"] == uid
    release.install("meetingbots", namespace)
    assert release.api.request("GET", f"{MAPPINGS.format(namespace)}/81234567890")["metadata"]["uid"] == uid


def test_another_release_adopts_kept_crds_with_take_ownership(release: Release) -> None:
    first, second = release.namespace(), release.namespace()
    release.install("meetingbots", first)
    release.uninstall("meetingbots", first)
    with pytest.raises(HelmError, match="exists and cannot be imported"):
        release.install("meetingbots", second)
    release.helm.run("install", "meetingbots", str(CHART), "--namespace", second, "--take-ownership")
    assert release.api.request("GET", CRD)["metadata"]["annotations"]["meta.helm.sh/release-namespace"] == second
    release.helm.run("uninstall", "meetingbots", "--namespace", second)


def test_uninstall_removes_crds_that_are_not_to_be_kept(release: Release) -> None:
    namespace = release.namespace()
    release.install("meetingbots", namespace, values={"crds": {"keep": False}})
    served(release.api)
    release.uninstall("meetingbots", namespace)
    wait_gone(release.api)

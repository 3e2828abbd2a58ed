"""The cluster itself, the images on it, and the late-token gate on a real kubelet."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from meetingbots import __version__

from tests.cluster.api import Api, core_path, wait_until
from tests.cluster.audit import read_calls
from tests.kind.cluster import KindCluster
from tests.kind.project_images import ProjectImages

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

RESTRICTED: dict[str, Any] = {
    "runAsNonRoot": True,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
# The kubelet looks at a Pod again only when a list of its containers is newer than its last look, and it makes one each
# second: a Secret that comes right after that look waits for it.
LIST_SECONDS = 1.0


class Namespace:
    """A namespace of its own that takes Pods of the restricted Pod Security level only."""

    def __init__(self, name: str, *, cluster: KindCluster) -> None:
        self.name = name
        self.api: Api = cluster.api()
        self._cluster = cluster

    def start(self) -> None:
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        self.api.create(core_path("namespaces"), {"metadata": {"name": self.name, "labels": labels}})
        # Pods are refused until the namespace has its account.
        account = core_path("serviceaccounts", namespace=self.name, name="default")
        wait_until(lambda: self.api.get(account) is not None, what="the namespace's account")

    def run(self, name: str, *, container: dict[str, Any]) -> None:
        """Create a Pod of one container."""
        spec = {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "containers": [{"name": "bot", "imagePullPolicy": "Never", "securityContext": RESTRICTED} | container],
        }
        self.api.create(core_path("pods", namespace=self.name), {"metadata": {"name": name}, "spec": spec})

    def state(self, pod: str) -> dict[str, Any]:
        """State of the Pod's container: `waiting`, `running` or `terminated`; empty until the kubelet reports one."""
        found = self.api.request("GET", core_path("pods", namespace=self.name, name=pod))
        statuses = found["status"].get("containerStatuses", [])
        state: dict[str, Any] = statuses[0]["state"] if statuses else {}
        return state

    def output(self, pod: str) -> str:
        """What the Pod's container printed, once it has ended."""
        wait_until(lambda: "terminated" in self.state(pod), what=f"the end of {pod}", limit_seconds=60)
        return self._cluster.kubectl("logs", pod, "-n", self.name).strip()


@pytest.fixture
def namespace(kind_cluster: KindCluster) -> Iterator[Namespace]:
    made = Namespace(f"e2e-{uuid4().hex[:8]}", cluster=kind_cluster)
    made.start()
    yield made
    made.api.delete(core_path("namespaces", name=made.name))


def test_the_cluster_resolves_names_and_writes_an_audit_log(kind_cluster: KindCluster, tmp_path: Path) -> None:
    ready = kind_cluster.kubectl("-n", "kube-system", "rollout", "status", "deployment/coredns", "--timeout=60s")
    assert "successfully rolled out" in ready
    calls = list(read_calls(kind_cluster.copy_audit_log(tmp_path / "audit.log")))
    assert any(call.user == f"system:node:{kind_cluster.node_name}" for call in calls)


def test_the_image_runs_as_a_restricted_pod(project_images: ProjectImages, namespace: Namespace) -> None:
    namespace.run("version", container={"image": project_images.operator, "args": ["--version"]})
    assert namespace.output("version") == __version__
    assert namespace.state("version")["terminated"]["exitCode"] == 0


def test_nothing_in_the_image_can_be_written_or_is_root(project_images: ProjectImages, namespace: Namespace) -> None:
    script = "id -u; id -g; touch /opt/meetingbots/x 2>/dev/null || echo read-only"
    namespace.run("who", container={"image": project_images.operator, "command": ["sh", "-c", script]})
    assert namespace.output("who").split() == ["1000", "1000", "read-only"]


def test_the_operator_says_its_first_line_in_under_two_seconds(
    project_images: ProjectImages, namespace: Namespace
) -> None:
    script = "date +%s.%N; meetingbots operator; date +%s.%N"
    namespace.run("operator", container={"image": project_images.operator, "command": ["sh", "-c", script]})
    began, said, ended = namespace.output("operator").splitlines()
    assert said.startswith("meetingbots operator: no access to Kubernetes:")
    print(f"operator to its first line: {float(ended) - float(began):.2f} s")
    assert float(ended) - float(began) < 2


@pytest.mark.parametrize(("pause_seconds", "most_seconds"), [(0.0, 2.0), (2 * LIST_SECONDS, 1.0)])
def test_a_pod_waits_for_its_late_secret_and_starts_at_once_when_touched(
    project_images: ProjectImages, namespace: Namespace, pause_seconds: float, most_seconds: float
) -> None:
    source = {"secretKeyRef": {"name": "late-zoom", "key": "join_token"}}
    script = "import os, time; print(time.time(), os.environ['ZOOM_JOIN_TOKEN'])"
    container = {
        "image": project_images.example_bot,
        "command": ["python3", "-c", script],
        "env": [{"name": "ZOOM_JOIN_TOKEN", "valueFrom": source}],
    }
    namespace.run("late", container=container)

    def waiting() -> dict[str, Any]:
        state: dict[str, Any] = namespace.state("late").get("waiting", {})
        return state

    wait_until(lambda: waiting().get("reason") == "CreateContainerConfigError", what="the Pod waits for its Secret")
    assert waiting()["message"] == 'secret "late-zoom" not found'

    time.sleep(pause_seconds)  # nobody can set the clock of a real kubelet
    secret = {"metadata": {"name": "late-zoom"}, "stringData": {"join_token": "made-up"}}
    namespace.api.create(core_path("secrets", namespace=namespace.name), secret)
    delivered = time.time()
    touch = {"metadata": {"annotations": {"meetingbots.dev/touched": "1"}}}
    namespace.api.patch(core_path("pods", namespace=namespace.name, name="late"), touch)
    started, token = namespace.output("late").split()
    assert token == "made-up"
    age = float(started) - delivered
    print(f"started {age:.2f} s after the Secret, which came {pause_seconds:.0f} s after the wait began")
    assert 0 < age < most_seconds

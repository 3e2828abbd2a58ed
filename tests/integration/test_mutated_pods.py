"""Clusters that change our Pods: a mutating webhook adds containers and labels, or replaces images and annotations."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.proxy.authority import Authority
from tests.stack.tenant import Tenant

WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
SECONDS = 90.0
LABEL = {"op": "add", "path": "/metadata/labels/mesh.example~1injected", "value": "true"}
SLEEP = {"image": "test/sleep"}
Patch = list[dict[str, Any]]
SIDE_CAR: Patch = [
    LABEL,
    {"op": "add", "path": "/spec/containers/-", "value": {"name": "mesh-proxy", **SLEEP}},
    {"op": "add", "path": "/spec/priority", "value": 0},
    {"op": "replace", "path": "/spec/terminationGracePeriodSeconds", "value": 45},
]
# The proxy comes before the bot, and an init container sets up the network.
MESH: Patch = [
    LABEL,
    {"op": "add", "path": "/spec/containers/0", "value": {"name": "mesh-proxy", **SLEEP}},
    {
        "op": "add",
        "path": "/spec/initContainers",
        "value": [{"name": "mesh-init", "image": "test/exit", "args": ["0"]}],
    },
    {"op": "add", "path": "/metadata/annotations/mesh.example~1status", "value": '{"containers":["mesh-proxy"]}'},
]
NATIVE_SIDE_CAR: Patch = [
    LABEL,
    {
        "op": "add",
        "path": "/spec/initContainers",
        "value": [{"name": "mesh-proxy", **SLEEP, "restartPolicy": "Always"}],
    },
]
# A policy engine: images from a mirror, no annotations but its own, other tolerations and a pull policy.
POLICIES: Patch = [
    LABEL,
    {"op": "replace", "path": "/spec/containers/0/image", "value": "bot-example@sha256:" + "0" * 64},
    {"op": "add", "path": "/spec/containers/0/imagePullPolicy", "value": "Always"},
    {"op": "add", "path": "/spec/containers/0/resources", "value": {"requests": {"cpu": "10m"}}},
    {"op": "add", "path": "/spec/tolerations", "value": [{"operator": "Exists"}]},
    {"op": "replace", "path": "/metadata/annotations", "value": {"policies.example/changed": "true"}},
]


class Injector(BaseHTTPRequestHandler):
    """Answers admission reviews with the patch."""

    patch: Patch = SIDE_CAR

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        patch = base64.b64encode(json.dumps(self.patch).encode()).decode()
        response = {"uid": review["request"]["uid"], "allowed": True, "patchType": "JSONPatch", "patch": patch}
        body = json.dumps({**review, "response": response}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name of the base class
        """Log nothing."""


@pytest.fixture
def injected(cluster: ControlPlane, namespace: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the webhook apply the patch in `request.param` to every new Pod of the namespace."""
    authority = Authority(tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Patching", (Injector,), {"patch": request.param}))
    server.socket = authority.server_context("127.0.0.1").wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    webhook = {
        "name": "inject.mesh.example",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "failurePolicy": "Fail",
        "clientConfig": {
            "url": f"https://127.0.0.1:{server.server_port}/",
            "caBundle": base64.b64encode(authority.ca_file.read_bytes()).decode(),
        },
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
    }
    cluster.api.create(WEBHOOKS, {"metadata": {"name": f"inject-{namespace}"}, "webhooks": [webhook]})
    yield
    cluster.api.delete(f"{WEBHOOKS}/inject-{namespace}")
    server.shutdown()
    server.server_close()
    thread.join(timeout=10)


@pytest.mark.parametrize(
    ("injected", "containers"),
    [
        pytest.param(SIDE_CAR, ["bot", "mesh-proxy"], id="side-car"),
        pytest.param(MESH, ["mesh-init", "mesh-proxy", "bot"], id="mesh"),
        pytest.param(NATIVE_SIDE_CAR, ["mesh-proxy", "bot"], id="native side-car"),
        pytest.param(POLICIES, ["bot"], id="policies"),
    ],
    indirect=["injected"],
)
@pytest.mark.usefixtures("injected", "kubelet")
def test_a_mutated_pod_is_not_replaced(tenant: Tenant, containers: list[str]) -> None:
    tenant.patience = SECONDS
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    tenant.bot("recorder", meeting.id)

    def injected() -> bool:
        return [pod["metadata"]["labels"].get("mesh.example/injected") for pod in tenant.pods()] == ["true"]

    tenant.wait("a changed Pod", injected)
    tenant.wait_phase("recorder", "Running")
    tenant.wait("the bot records", lambda: [visit.state for visit in tenant.visits(meeting.id)] == ["recording"])
    status = tenant.status("meetingbots", "recorder")
    assert (status["attempts"], status.get("infrastructureRestarts", 0)) == (1, 0)
    assert status["token"]["kinds"] == ["LocalRecording"]
    [pod] = tenant.pods()
    found = [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]
    assert [container["name"] for container in found] == containers

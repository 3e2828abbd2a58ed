"""A cluster that changes our Pods: a mutating webhook adds a side-car and a label and shortens the grace period."""

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
PATCH = [
    {"op": "add", "path": "/metadata/labels/mesh.example~1injected", "value": "true"},
    {"op": "add", "path": "/spec/containers/-", "value": {"name": "mesh-proxy", "image": "bot-example"}},
    {"op": "add", "path": "/spec/priority", "value": 0},
    {"op": "replace", "path": "/spec/terminationGracePeriodSeconds", "value": 45},
]


class Injector(BaseHTTPRequestHandler):
    """Answers admission reviews with the patch."""

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        patch = base64.b64encode(json.dumps(PATCH).encode()).decode()
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
def injected(cluster: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[None]:
    """Let the webhook change every new Pod of the namespace."""
    authority = Authority(tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Injector)
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


@pytest.mark.usefixtures("injected", "kubelet")
def test_a_mutated_pod_is_not_replaced(tenant: Tenant) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    tenant.bot("recorder", meeting.id)

    def injected() -> bool:
        return [pod["metadata"]["labels"].get("mesh.example/injected") for pod in tenant.pods()] == ["true"]

    tenant.wait("a Pod with the side-car", injected)
    tenant.wait("the bot runs", lambda: tenant.phase("recorder") == "Running")
    tenant.wait("the bot records", lambda: [visit.state for visit in tenant.visits(meeting.id)] == ["recording"])
    status = tenant.status("meetingbots", "recorder")
    assert (status["attempts"], status.get("infrastructureRestarts", 0)) == (1, 0)
    [pod] = tenant.pods()
    assert [container["name"] for container in pod["spec"]["containers"]] == ["bot", "mesh-proxy"]
    assert pod["spec"]["terminationGracePeriodSeconds"] == 45

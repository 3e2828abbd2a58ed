"""The Zoom simulator as a Pod of a kind cluster: for Pods at a Service's name, for tests through the API server."""

import ssl
from types import TracebackType
from typing import Any, Self

import httpx

from tests.cluster.api import Api, core_path, wait_until
from tests.kind.cluster import KindCluster
from tests.zoomsim.client import SimClient

NAMESPACE = "zoom"
NAME = "zoom-simulator"
PORT = 8085
READY_SECONDS = 120
ANSWER_SECONDS = 30
# The cluster's own name for it: the same port everywhere, for network policies look at the Pod's.
URL = f"http://{NAME}.{NAMESPACE}.svc:{PORT}"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


class SimulatorPod:
    """As a context manager the Pod is made anew, and `zoom` drives it; it goes with its namespace, or its cluster.

    `image` is on the node already. What the simulator knows is gone when its Pod is.
    """

    def __init__(self, cluster: KindCluster, *, image: str) -> None:
        self._cluster = cluster
        self._image = image
        self._api: Api = cluster.api()
        self.zoom = SimClient(URL, http=self._through_the_api_server())

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.zoom.close()

    def start(self) -> None:
        """Make it, in place of one that is there, and wait until it answers."""
        self._api.ensure(core_path("namespaces"), {"metadata": {"name": NAMESPACE, "labels": RESTRICTED}})
        account = core_path("serviceaccounts", namespace=NAMESPACE, name="default")
        wait_until(lambda: self._api.get(account) is not None, what=f"the account of namespace {NAMESPACE}")
        pod = core_path("pods", namespace=NAMESPACE, name=NAME)
        self._api.delete(pod)
        wait_until(lambda: self._api.get(pod) is None, what="the end of an earlier simulator", limit_seconds=60)
        self._cluster.apply(_pod(self._image), _service())
        wait_until(self._ready, what="the simulator's Pod is ready", limit_seconds=READY_SECONDS, every_seconds=0.2)

    def _ready(self) -> bool:
        found = self._api.get(core_path("pods", namespace=NAMESPACE, name=NAME)) or {}
        conditions = found.get("status", {}).get("conditions", [])
        return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)

    def _through_the_api_server(self) -> httpx.Client:
        proxy = f"{core_path('services', namespace=NAMESPACE, name=NAME)}:{PORT}/proxy"
        return httpx.Client(
            base_url=f"{self._api.url}{proxy}",
            verify=ssl.create_default_context(cafile=str(self._api.ca)),
            headers={"Authorization": f"Bearer {self._api.token}"},
            timeout=ANSWER_SECONDS,
            trust_env=False,
        )


def _pod(image: str) -> dict[str, Any]:
    container = {
        "name": "zoom",
        "image": image,
        "imagePullPolicy": "Never",
        "args": ["--host", "0.0.0.0", "--port", str(PORT), "--url", URL],
        "ports": [{"name": "http", "containerPort": PORT}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spec = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    metadata = {"name": NAME, "namespace": NAMESPACE, "labels": {"app": NAME}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _service() -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": NAME, "namespace": NAMESPACE},
        "spec": {"selector": {"app": NAME}, "ports": [{"name": "http", "port": PORT, "targetPort": "http"}]},
    }

"""What Flux is in a cluster: objects of the controller, of the server that keeps commits, and of their rights."""

from typing import Any

from tests.flux.artifact_server import PORT
from tests.flux.images import FluxImages

SYSTEM = "flux-system"
CONTROLLER = "kustomize-controller"
ARTIFACTS = "artifacts"
# As Flux's own manifests have them; no leader election, as there is one Pod, and no notification-controller.
CONTROLLER_ARGUMENTS = ("--watch-all-namespaces", "--log-level=info", "--feature-gates=ExternalArtifact=true")
HEALTH_PORT = 9440


def flux_objects(images: FluxImages) -> list[dict[str, Any]]:
    """Everything but the namespace and the CRDs."""
    account = {"name": CONTROLLER, "namespace": SYSTEM}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"{SYSTEM}-{CONTROLLER}"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", **account}],
        },
        _deployment(CONTROLLER, {"serviceAccountName": CONTROLLER, **_controller(images.controller)}),
        _deployment(ARTIFACTS, {"automountServiceAccountToken": False, **_artifacts(images.artifacts)}),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": ARTIFACTS, "namespace": SYSTEM},
            "spec": {"selector": {"app": ARTIFACTS}, "ports": [{"name": "http", "port": PORT, "targetPort": "http"}]},
        },
    ]


def _controller(image: str) -> dict[str, Any]:
    container = _container("manager", image, port={"name": "healthz", "containerPort": HEALTH_PORT}, ready="/readyz")
    container |= {
        "args": list(CONTROLLER_ARGUMENTS),
        "env": [{"name": "RUNTIME_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}],
        "volumeMounts": [{"name": "temporary", "mountPath": "/tmp"}],
    }
    return {"containers": [container], "volumes": [{"name": "temporary", "emptyDir": {}}]}


def _artifacts(image: str) -> dict[str, Any]:
    return {"containers": [_container("server", image, port={"name": "http", "containerPort": PORT}, ready="/healthz")]}


def _container(name: str, image: str, *, port: dict[str, Any], ready: str) -> dict[str, Any]:
    return {
        "name": name,
        "image": image,
        "imagePullPolicy": "Never",
        "ports": [port],
        "readinessProbe": {"httpGet": {"path": ready, "port": port["name"]}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "1Gi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _deployment(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    common = {
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": SYSTEM},
        "spec": {
            "replicas": 1,
            # One that ends does not give way to another one's commits, which that would not have.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": common | spec},
        },
    }

"""kind's configuration of a cluster, and kubeadm's within it: for kind's published node image and for our own."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.kind.node_image import REGISTRY, NodeVersions

POLICY_ON_NODE = "/etc/kubernetes/audit-policy.json"
LOGS_ON_NODE = "/var/log/kubernetes"
AUDIT_LOG_ON_NODE = f"{LOGS_ON_NODE}/audit.log"
AUDIT_ARGUMENTS = {"audit-policy-file": POLICY_ON_NODE, "audit-log-path": AUDIT_LOG_ON_NODE}

Object = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class ClusterShape:
    """What a cluster is to be like: `own_node` holds the versions of our node image, if that is used.

    `audit_policy` is a file on this machine.
    """

    name: str
    audit_policy: Path
    own_node: NodeVersions | None = None


def kind_config(shape: ClusterShape) -> str:
    """Text for `kind create cluster --config` (JSON, which is YAML)."""
    node: Object = {
        "role": "control-plane",
        "extraMounts": [{"hostPath": str(shape.audit_policy), "containerPath": POLICY_ON_NODE, "readOnly": True}],
    }
    patches = _audit_patches()
    config: Object = {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "name": shape.name, "nodes": [node]}
    if shape.own_node is not None:
        config["networking"] = {"disableDefaultCNI": True}  # the node has a bridge of its own
        patches += _own_node_patches(shape.own_node)
    config["kubeadmConfigPatches"] = [json.dumps(patch) for patch in patches]
    return json.dumps(config, indent=2) + "\n"


def _audit_patches() -> list[Object]:
    """Let the API server write an audit log. kubeadm's older API has arguments as a map, the newer one as a list."""
    volumes = [
        {"name": "audit-policy", "hostPath": POLICY_ON_NODE, "mountPath": POLICY_ON_NODE, "readOnly": True}
        | {"pathType": "File"},
        {"name": "audit-log", "hostPath": LOGS_ON_NODE, "mountPath": LOGS_ON_NODE, "pathType": "DirectoryOrCreate"},
    ]
    as_list = [{"name": name, "value": value} for name, value in AUDIT_ARGUMENTS.items()]
    return [
        {
            "apiVersion": f"kubeadm.k8s.io/{version}",
            "kind": "ClusterConfiguration",
            "apiServer": {"extraArgs": arguments, "extraVolumes": volumes},
        }
        for version, arguments in (("v1beta3", AUDIT_ARGUMENTS), ("v1beta4", as_list))
    ]


def _own_node_patches(versions: NodeVersions) -> list[Object]:
    """Take the control plane from the node's own images, and let the kubelet run with few rights."""
    dns = {"imageRepository": REGISTRY, "imageTag": versions.by_program["coredns"]}
    etcd = {"local": {"imageRepository": REGISTRY, "imageTag": versions.by_program["etcd"]}}
    return [
        {"kind": "ClusterConfiguration", "imageRepository": REGISTRY, "dns": dns, "etcd": etcd},
        {
            "kind": "KubeletConfiguration",
            "cgroupDriver": "cgroupfs",
            "cgroupRoot": "/kubelet",
            "featureGates": {"KubeletInUserNamespace": True},
            "failSwapOn": False,
        },
    ]

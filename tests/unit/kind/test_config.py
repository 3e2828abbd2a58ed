import json
from pathlib import Path
from typing import Any

from tests.kind.config import AUDIT_LOG_ON_NODE, ClusterShape, kind_config
from tests.kind.node_image import NodeVersions

POLICY = Path("/somewhere/policy.json")


def read(own_node: NodeVersions | None = None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    config = json.loads(kind_config(ClusterShape(name="one", audit_policy=POLICY, own_node=own_node)))
    return config, [json.loads(patch) for patch in config["kubeadmConfigPatches"]]


def test_the_published_node_keeps_its_own_network_and_images() -> None:
    config, patches = read()
    assert config["name"] == "one"
    assert "networking" not in config
    assert not any("imageRepository" in patch for patch in patches)


def test_our_own_node_has_its_bridge_and_takes_its_own_images() -> None:
    config, patches = read(NodeVersions(by_program={"coredns": "v1.2.3", "etcd": "v3.4.5", "kubelet": "v1.34.4"}))
    assert config["networking"] == {"disableDefaultCNI": True}
    cluster = next(patch for patch in patches if "imageRepository" in patch)
    assert cluster["imageRepository"] == "localhost"
    assert cluster["dns"] == {"imageRepository": "localhost", "imageTag": "v1.2.3"}
    assert cluster["etcd"]["local"]["imageTag"] == "v3.4.5"
    kubelet = next(patch for patch in patches if patch["kind"] == "KubeletConfiguration")
    assert (kubelet["cgroupDriver"], kubelet["cgroupRoot"]) == ("cgroupfs", "/kubelet")


def test_the_audit_log_is_asked_for_in_both_forms_of_kubeadms_api() -> None:
    config, patches = read()
    [mount] = config["nodes"][0]["extraMounts"]
    assert mount["hostPath"] == str(POLICY)
    arguments = {patch["apiVersion"]: patch["apiServer"]["extraArgs"] for patch in patches}
    assert arguments["kubeadm.k8s.io/v1beta3"]["audit-policy-file"] == mount["containerPath"]
    assert {"name": "audit-log-path", "value": AUDIT_LOG_ON_NODE} in arguments["kubeadm.k8s.io/v1beta4"]

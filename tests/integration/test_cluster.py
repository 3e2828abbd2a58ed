"""The test cluster itself: what the other integration tests rely on is shown here to be so."""

import json
import time
from pathlib import Path

import pytest

from tests.cluster.api import ApiError, core_path, wait_until
from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.integration.pods import SECRET_ENV, Pods, container


def test_owned_objects_are_collected(cluster: ControlPlane, namespace: str) -> None:
    maps = core_path("configmaps", namespace=namespace)
    owner = cluster.api.create(maps, {"metadata": {"name": "owner"}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    cluster.api.create(maps, {"metadata": {"name": "owned", "ownerReferences": [reference]}})
    cluster.api.delete(f"{maps}/owner")
    wait_until(lambda: cluster.api.get(f"{maps}/owned") is None, what="the owned object collected")


def test_a_service_account_may_do_what_its_role_says(cluster: ControlPlane, namespace: str) -> None:
    kubeconfig = cluster.service_account_kubeconfig(namespace, "reader")
    assert kubeconfig.stat().st_mode & 0o077 == 0
    token = json.loads(kubeconfig.read_text())["users"][0]["user"]["token"]
    reader = cluster.api_with_token(token)
    secrets = core_path("secrets", namespace=namespace)
    with pytest.raises(ApiError) as refused:
        reader.request("GET", secrets)
    assert refused.value.status == 403
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}
    cluster.api.create(f"{rbac}/roles", {"metadata": {"name": "read"}, "rules": [rule]})
    subject = {"kind": "ServiceAccount", "name": "reader", "namespace": namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "read"}
    binding = {"metadata": {"name": "read"}, "subjects": [subject], "roleRef": role}
    cluster.api.create(f"{rbac}/rolebindings", binding)
    wait_until(lambda: reader.raw("GET", secrets)[0] == 200, what="the role in force")


def test_calls_are_counted_by_user(cluster: ControlPlane, namespace: str) -> None:
    maps = core_path("configmaps", namespace=namespace)
    cluster.api.create(maps, {"metadata": {"name": "counted"}})
    cluster.api.get(f"{maps}/counted")
    mine = [call for call in cluster.calls() if call.name == "counted" and call.user == "admin"]
    assert [(call.verb, call.resource, call.code) for call in mine] == [
        ("create", "configmaps", 201),
        ("get", "configmaps", 200),
    ]


def test_kubectl_is_there(cluster: ControlPlane, namespace: str) -> None:
    assert namespace in cluster.kubectl("get", "namespaces", "-o", "name")
    assert Path(cluster.environment()["PATH"].split(":")[0]) == cluster.binaries


@pytest.mark.parametrize("crash", [False, True])
def test_a_restarted_api_server_has_its_data_and_the_kubelet_finds_it(
    own_cluster: ControlPlane, *, crash: bool
) -> None:
    with KubeletDouble(own_cluster.kubeconfig("kubelet")) as kubelet:
        pods = Pods(own_cluster.api, "default")
        pods.create("survivor", container("test/sleep", env=[SECRET_ENV]))
        pods.wait_reason("survivor", "CreateContainerConfigError")
        server = own_cluster.server
        own_cluster.restart_apiserver(crash=crash)
        assert own_cluster.server == server
        assert pods.get("survivor")["metadata"]["name"] == "survivor"
        pods.secret()
        pods.touch("survivor", touched="1")
        pods.wait_phase("survivor", "Running")
        assert kubelet.record("default", "survivor").starts == {"bot": 1}
        own_cluster.stop_apiserver(crash=True)
        kubelet.kill("default", "survivor", "bot")
        time.sleep(0.3)  # the double fails to report the end meanwhile
        own_cluster.start_apiserver()
        pods.wait_phase("survivor", "Failed")

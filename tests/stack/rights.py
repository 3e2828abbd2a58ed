"""The rights of operator and receiver, from the chart's own lists, bound to ServiceAccounts of the test cluster."""

from pathlib import Path
from typing import Any, Literal

import yaml

from tests.cluster.api import core_path
from tests.cluster.controlplane import ControlPlane

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "charts" / "meetingbots" / "rbac"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
Process = Literal["operator", "receiver"]


def read_rules(process: Process) -> dict[str, list[dict[str, Any]]]:
    """The rules of a process: `served` for each namespace that it serves, `system` for its own, `cluster` for all."""
    found: dict[str, list[dict[str, Any]]] = yaml.safe_load((RULES / f"{process}.yaml").read_text())
    return found


def grant(cluster: ControlPlane, process: Process, *, system: str, served: tuple[str, ...], shard: str = "") -> Path:
    """Make the process's ServiceAccount with exactly its rights; gives its kubeconfig. No `served`: all namespaces.

    A `shard` of the operator has an account and a Lease of its own.
    """
    account = f"{process}-{shard}" if shard else process
    name = f"{system}-{account}"
    api, rules = cluster.api, _with_lease(read_rules(process), f"meetingbots-{account}")
    path = cluster.service_account_kubeconfig(system, account)
    subject = [{"kind": "ServiceAccount", "name": account, "namespace": system}]
    if served:
        for namespace in served:
            _bind(api, namespace, name, rules["served"], subject)
    else:
        _bind_cluster(api, name, rules["served"], subject)
    if rules.get("cluster"):
        _bind_cluster(api, f"{name}-cluster", rules["cluster"], subject)
    _bind(api, system, f"{name}-system", rules["system"], subject)
    return path


def _with_lease(rules: dict[str, list[dict[str, Any]]], lease: str) -> dict[str, list[dict[str, Any]]]:
    for rule in rules["system"]:
        if rule["resources"] == ["leases"] and "resourceNames" in rule:
            rule["resourceNames"] = [lease]
    return rules


def _bind_cluster(api: Any, name: str, rules: list[dict[str, Any]], subject: list[dict[str, str]]) -> None:
    api.apply(f"{RBAC}/clusterroles/{name}", _role("ClusterRole", name, rules))
    binding = {"roleRef": _ref("ClusterRole", name), "subjects": subject}
    api.apply(f"{RBAC}/clusterrolebindings/{name}", _object("ClusterRoleBinding", name) | binding)


def _bind(api: Any, namespace: str, name: str, rules: list[dict[str, Any]], subject: list[dict[str, str]]) -> None:
    api.ensure(core_path("namespaces"), {"metadata": {"name": namespace}})
    api.apply(f"{RBAC}/namespaces/{namespace}/roles/{name}", _role("Role", name, rules))
    binding = {"roleRef": _ref("Role", name), "subjects": subject}
    api.apply(f"{RBAC}/namespaces/{namespace}/rolebindings/{name}", _object("RoleBinding", name) | binding)


def _role(kind: str, name: str, rules: list[dict[str, Any]]) -> dict[str, Any]:
    return _object(kind, name) | {"rules": rules}


def _object(kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": name}}


def _ref(kind: str, name: str) -> dict[str, str]:
    return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}

"""The rights that the chart grants are those of rbac/*.yaml, which the other tests run with, and no more."""

from typing import Any

import pytest
from meetingbots.models.names import RECEIVER_SECRET
from meetingbots.runtime.settings import OperatorSettings

from tests.chart.rendering import Helm, Object, of_kind
from tests.stack.rights import Process, read_rules

NAMESPACES = ["team-a", "team-b"]
CLUSTER_SCOPED = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}


def granted(objects: list[Object], process: str) -> dict[str, list[dict[str, Any]]]:
    """The rules that a process's ServiceAccount has, by namespace (`*`: all), through the bindings."""
    roles = {
        (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): one["rules"]
        for kind in ("Role", "ClusterRole")
        for one in of_kind(objects, kind)
    }
    found: dict[str, list[dict[str, Any]]] = {}
    for kind in ("RoleBinding", "ClusterRoleBinding"):
        for binding in of_kind(objects, kind):
            [subject] = binding["subjects"]
            if subject != {"kind": "ServiceAccount", "name": f"x-meetingbots-{process}", "namespace": "system"}:
                continue
            namespace = binding["metadata"].get("namespace", "")
            place = (binding["roleRef"]["kind"], namespace, binding["roleRef"]["name"])
            found.setdefault(namespace or "*", []).extend(roles[place])
    return found


@pytest.mark.parametrize("process", ["operator", "receiver"])
def test_cluster_wide(helm: Helm, process: Process) -> None:
    rules = read_rules(process)
    assert granted(helm.template(), process) == {"*": rules["served"], "system": rules["system"]}


@pytest.mark.parametrize("process", ["operator", "receiver"])
def test_by_namespace(helm: Helm, process: Process) -> None:
    rules = read_rules(process)
    objects = helm.template({"watch": {"namespaces": NAMESPACES}})
    assert granted(objects, process) == dict.fromkeys(NAMESPACES, rules["served"]) | {"system": rules["system"]}
    assert {one["kind"] for one in objects} & CLUSTER_SCOPED == {"CustomResourceDefinition"}


@pytest.mark.parametrize("namespaces", [[], NAMESPACES])
def test_the_token_endpoint_takes_token_reviews_and_nothing_else(helm: Helm, namespaces: list[str]) -> None:
    rules = read_rules("operator")
    assert rules["cluster"] == [
        {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}
    ]
    off = helm.template({"watch": {"namespaces": namespaces}})
    objects = helm.template({"watch": {"namespaces": namespaces}, "tokenEndpoint": {"enabled": True}})
    before, now = granted(off, "operator"), granted(objects, "operator")
    everywhere = now.pop("*")
    assert sorted(everywhere, key=str) == sorted(before.pop("*", []) + rules["cluster"], key=str)
    assert now == before
    assert granted(objects, "receiver") == granted(off, "receiver")


def test_the_release_namespace_may_be_served_too(helm: Helm) -> None:
    rules = read_rules("operator")
    objects = helm.template({"watch": {"namespaces": ["system"]}})
    found = granted(objects, "operator")["system"]
    assert [rule for rule in rules["served"] + rules["system"] if rule not in found] == []
    assert len(found) == len(rules["served"] + rules["system"])


def test_nothing_of_the_cluster_is_needed_by_namespace_without_crds(helm: Helm) -> None:
    objects = helm.template({"watch": {"namespaces": NAMESPACES}, "crds": {"enabled": False}})
    assert not {one["kind"] for one in objects} & CLUSTER_SCOPED


def test_rights_may_be_left_to_others(helm: Helm) -> None:
    kinds = {one["kind"] for one in helm.template({"rbac": {"create": False}})}
    assert not kinds & {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}


def test_no_wildcards_and_secrets_by_name(helm: Helm) -> None:
    objects = helm.template({"rbac": {"aggregateToEdit": True}})
    rules = [rule for kind in ("Role", "ClusterRole") for one in of_kind(objects, kind) for rule in one["rules"]]
    for rule in rules:
        assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
        if "secrets" in rule["resources"] and {"list", "watch"} & set(rule["verbs"]):
            assert rule["resourceNames"] == [RECEIVER_SECRET]


def test_the_receiver_reads_one_secret_only() -> None:
    rules = read_rules("receiver")
    assert not [rule for rule in rules["served"] if "secrets" in rule["resources"] and set(rule["verbs"]) - {"create"}]
    for rule in rules["system"]:
        if set(rule["verbs"]) - {"create"}:
            assert rule["resourceNames"] == [RECEIVER_SECRET]


def test_the_lease_that_may_be_written_is_the_one_that_is_used() -> None:
    [named] = [r for r in read_rules("operator")["system"] if r["resources"] == ["leases"] and "patch" in r["verbs"]]
    assert named["resourceNames"] == [OperatorSettings.model_fields["lease_name"].default]
    assert {"get", "patch"} == set(named["verbs"])


def test_editors_manage_our_kinds_but_no_status(helm: Helm) -> None:
    objects = helm.template({"rbac": {"aggregateToEdit": True}})
    [role] = of_kind(objects, "ClusterRole", ending=":edit")
    labels = role["metadata"]["labels"]
    assert labels["rbac.authorization.k8s.io/aggregate-to-edit"] == "true"
    assert "rbac.authorization.k8s.io/aggregate-to-view" not in labels
    [rule] = role["rules"]
    assert rule["apiGroups"] == ["meetingbots.dev"]
    assert sorted(rule["resources"]) == ["meetingbots", "meetingmappings", "zoomcredentials"]

"""With operator.shards, each shard has an operator with a Lease and rights of its own; one receiver serves all."""

import re
import shutil
import subprocess
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from meetingbots.bots.manifests.environment import endpoint_url
from meetingbots.runtime.settings import OperatorSettings, ReceiverSettings

from tests.chart.rendering import SHARDS, Helm, HelmError, Object, of_kind, only
from tests.chart.test_rights import granted
from tests.chart.test_settings import container, settings
from tests.stack.rights import read_rules

NAMESPACES = {"a": ["team-a", "team-b"], "1": ["team-c"]}
EVERYWHERE = [name for served in NAMESPACES.values() for name in served]
LABEL = "meetingbots.dev/shard"


@cache
def plain(helm: Helm) -> list[Object]:
    return helm.template(SHARDS)


def rendered(helm: Helm, **values: Any) -> list[Object]:
    return helm.template(SHARDS | values) if values else deepcopy(plain(helm))


def shard_of(one: Object) -> str:
    return str(one["metadata"]["labels"].get(LABEL, ""))


def test_each_shard_has_a_deployment_for_its_namespaces(helm: Helm, monkeypatch: pytest.MonkeyPatch) -> None:
    objects = rendered(helm)
    for shard, namespaces in NAMESPACES.items():
        got = settings(container(objects, f"operator-{shard}"), OperatorSettings, monkeypatch)
        assert isinstance(got, OperatorSettings)
        assert list(got.namespace) == namespaces
        assert (got.leader_elect, got.lease_name) == (True, f"meetingbots-operator-{shard}")
    assert len(of_kind(objects, "Deployment")) == 3
    receiver = settings(container(objects, "receiver"), ReceiverSettings, monkeypatch)
    assert list(receiver.namespace) == EVERYWHERE


def test_a_deployment_selects_and_spreads_the_pods_of_its_shard(helm: Helm) -> None:
    for shard in NAMESPACES:
        spec = only(rendered(helm), "Deployment", ending=f"-operator-{shard}")["spec"]
        assert spec["selector"]["matchLabels"][LABEL] == shard
        assert spec["template"]["metadata"]["labels"][LABEL] == shard
        [spread] = spec["template"]["spec"]["topologySpreadConstraints"]
        assert spread["labelSelector"] == spec["selector"]


def test_each_shard_has_rights_in_its_namespaces_only(helm: Helm) -> None:
    objects = rendered(helm)
    rules = read_rules("operator")
    for shard, namespaces in NAMESPACES.items():
        found = granted(objects, f"operator-{shard}")
        system = found.pop("system")
        assert found == dict.fromkeys(namespaces, rules["served"])
        leases = [
            rule["resourceNames"] for rule in system if rule["resources"] == ["leases"] and "patch" in rule["verbs"]
        ]
        assert leases == [[f"meetingbots-operator-{shard}"]]
        others = [rule for rule in system if rule["resources"] != ["leases"]]
        assert others == [rule for rule in rules["system"] if rule["resources"] != ["leases"]]
    rules = read_rules("receiver")
    assert granted(objects, "receiver") == dict.fromkeys(EVERYWHERE, rules["served"]) | {"system": rules["system"]}
    assert not granted(objects, "operator")


def test_a_shard_keeps_its_rights_where_its_old_pods_may_still_store_tokens(helm: Helm) -> None:
    values = deepcopy(SHARDS)
    values["operator"]["shards"][0]["formerNamespaces"] = ["team-c"]
    objects = helm.template(values)
    for shard in NAMESPACES:
        assert granted(objects, f"operator-{shard}")["team-c"] == read_rules("operator")["served"]
    assert "--namespace=team-c" not in container(objects, "operator-a")["args"]
    for shard, own in {"a": ["team-a", "team-b", "team-c"], "1": ["team-c"]}.items():
        spec = only(objects, "ValidatingAdmissionPolicy", ending=f"-operator-{shard}")["spec"]
        [keys] = [one["expression"] for one in spec["variables"] if one["name"] == "own"]
        assert re.findall("'([^']+)': true", keys) == ["link_signing_key", *own]


def test_each_shard_has_an_account(helm: Helm) -> None:
    accounts = {one["metadata"]["name"] for one in of_kind(rendered(helm), "ServiceAccount")}
    assert accounts == {"x-meetingbots-operator-a", "x-meetingbots-operator-1", "x-meetingbots-receiver"}
    values = deepcopy(SHARDS)
    values["operator"]["serviceAccount"] = {"create": False, "name": "mine"}
    pod = only(helm.template(values), "Deployment", ending="-a")["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "mine-a"


def test_shards_with_one_account_do_not_deny_each_other_their_entries(helm: Helm) -> None:
    values = deepcopy(SHARDS)
    values["operator"]["serviceAccount"] = {"create": False}
    objects = helm.template(values)
    pods = [one["spec"]["template"]["spec"] for one in of_kind(objects, "Deployment")]
    assert [pod["serviceAccountName"] for pod in pods].count("default") == 2
    assert [one["metadata"]["name"] for one in of_kind(objects, "ValidatingAdmissionPolicy")] == [
        "system.x-meetingbots-receiver"
    ]


def test_services_policies_and_monitors_cover_all_shards(helm: Helm) -> None:
    objects = rendered(helm, metrics={"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}})
    pods = [
        one["spec"]["template"]["metadata"]["labels"]
        for one in of_kind(objects, "Deployment")
        if one["metadata"]["labels"]["app.kubernetes.io/component"] == "operator"
    ]
    selectors = [only(objects, "Service", ending="operator-metrics")["spec"]["selector"]]
    selectors.append(only(objects, "NetworkPolicy", ending="operator")["spec"]["podSelector"]["matchLabels"])
    selectors.append(only(objects, "PodMonitor")["spec"]["selector"]["matchLabels"])
    assert len(pods) == 2
    assert all(selector.items() <= labels.items() for selector in selectors for labels in pods)
    assert LABEL in only(objects, "ServiceMonitor")["spec"]["podTargetLabels"]
    assert LABEL in only(objects, "PodMonitor")["spec"]["podTargetLabels"]


@pytest.mark.parametrize(("firing", "leading"), [([], {"a": 1, "1": 1}), (["1"], {"a": 1, "1": 0})])
def test_an_alert_names_the_shard_that_does_not_work(
    helm: Helm, tmp_path: Path, firing: list[str], leading: dict[str, int]
) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is missing (Debian: apt-get install prometheus)")
    spec = only(rendered(helm, metrics={"prometheusRule": {"enabled": True}}), "PrometheusRule")["spec"]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(spec))
    target = 'namespace="system", job="x-meetingbots-operator-metrics"'
    series = [
        {"series": f'meetingbots_leading{{{target}, meetingbots_dev_shard="{shard}"}}', "values": f"{value}x10"}
        for shard, value in leading.items()
    ]
    alert = "MeetingBotsNoOperatorWorks"
    query = f'ALERTS{{alertname="{alert}", alertstate="firing"}}'
    samples = [
        {
            "labels": f'ALERTS{{alertname="{alert}", alertstate="firing", severity="critical", shard="{shard}"}}',
            "value": 1,
        }
        for shard in firing
    ]
    check = {"expr": query, "eval_time": "5m", "exp_samples": samples}
    case = {"interval": "1m", "input_series": series, "promql_expr_test": [check]}
    (tmp_path / "cases.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": [case]}))
    command = [promtool, "test", "rules", "cases.yaml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_bots_token_url_is_a_service_of_its_namespaces_shard(helm: Helm) -> None:
    """The URL depends on the namespace only, so it stays valid when the namespace moves to another shard."""
    objects = rendered(helm, tokenEndpoint={"enabled": True})
    urls = set()
    for shard, namespaces in NAMESPACES.items():
        found = container(objects, f"operator-{shard}")
        [url] = [one["value"] for one in found["env"] if one["name"] == "MEETINGBOTS_TOKEN_URL"]
        urls.add(url)
        for namespace in namespaces:
            host = urlsplit(endpoint_url(url, namespace=namespace)).hostname or ""
            service = only(objects, "Service", ending=host.removesuffix(".system.svc"))
            assert service["spec"]["selector"][LABEL] == shard
            assert service["metadata"]["annotations"] == {"meetingbots.dev/namespace": namespace}
    assert len(urls) == 1


def test_every_object_of_an_operator_has_its_shards_name(helm: Helm) -> None:
    shared = {"x-meetingbots-operator", "x-meetingbots-operator-metrics"}
    for one in rendered(helm):
        if one["metadata"]["labels"].get("app.kubernetes.io/component") == "operator":
            name = one["metadata"]["name"]
            assert (shard_of(one) and f"operator-{shard_of(one)}" in name) or name in shared, name


WRONG: list[tuple[list[dict[str, Any]], list[str], str]] = [
    (
        [{"name": "a", "namespaces": ["x"]}, {"name": "b", "namespaces": ["z", "x"]}],
        [],
        "namespace x is in the shards a and b",
    ),
    ([{"name": "a", "namespaces": ["x"]}, {"name": "a", "namespaces": ["z"]}], [], "two shards have the name a"),
    ([{"name": "a", "namespaces": []}], [], "/operator/shards/0/namespaces"),
    ([{"name": "a"}], [], "namespaces"),
    ([{"namespaces": ["x"]}], [], "name"),
    ([{"name": "A", "namespaces": ["x"]}], [], "/operator/shards/0/name"),
    ([{"name": "a.b", "namespaces": ["x"]}], [], "/operator/shards/0/name"),
    ([{"name": "a" * 60, "namespaces": ["x"]}], [], "more than 63 characters"),
    ([{"name": "a", "namespaces": ["x", "x"]}], [], "/operator/shards/0/namespaces"),
    ([{"name": "a", "namespaces": ["x"], "replicas": 3}], [], "replicas"),
    ([{"name": "a", "namespaces": ["x"], "formerNamespaces": ["x"]}], [], "shard a serves namespace x"),
    ([{"name": "a", "namespaces": ["x"]}], ["x", "z"], "namespace z of watch.namespaces is in no shard"),
    ([{"name": "a", "namespaces": ["x", "z"]}], ["x"], "namespace z of shard a is not in watch.namespaces"),
]


@pytest.mark.parametrize(("shards", "watched", "message"), WRONG)
def test_shards_that_cannot_work_are_refused(
    helm: Helm, shards: list[dict[str, Any]], watched: list[str], message: str
) -> None:
    with pytest.raises(HelmError, match=message):
        helm.template({"operator": {"shards": shards}, "watch": {"namespaces": watched}})


def test_watch_namespaces_may_list_the_same_namespaces(helm: Helm) -> None:
    assert helm.template(SHARDS | {"watch": {"namespaces": EVERYWHERE}}) == rendered(helm)

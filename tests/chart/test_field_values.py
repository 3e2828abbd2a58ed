"""Values from the field: each key is accepted and has its effect in the rendered objects."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, Helm, Object, of_kind, only

COMPONENTS = ("operator", "receiver")


def pod_of(objects: list[Object], component: str) -> dict[str, Any]:
    spec: dict[str, Any] = only(objects, "Deployment", ending=f"-{component}")["spec"]["template"]["spec"]
    return spec


def environment(pod: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in pod["containers"][0]["env"]}


def test_a_proxy(helm: Helm) -> None:
    proxy = [
        {"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"},
        {"name": "NO_PROXY", "value": "10.0.0.0/8,.svc,.cluster.local"},
    ]
    egress = [{"ports": [{"port": 3128, "protocol": "TCP"}]}]
    objects = helm.template({"operator": {"extraEnv": proxy}, "networkPolicy": {"operatorEgress": egress}})
    found = environment(pod_of(objects, "operator"))
    assert found["HTTPS_PROXY"] == "http://proxy.example:3128"
    assert found["NO_PROXY"] == "10.0.0.0/8,.svc,.cluster.local"
    assert egress[0] in only(objects, "NetworkPolicy", ending="-operator")["spec"]["egress"]


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_private_ca(helm: Helm, component: str) -> None:
    volume = {"name": "ca", "configMap": {"name": "corporate-ca"}}
    mount = {"name": "ca", "mountPath": "/etc/corporate", "readOnly": True}
    variable = {"name": "SSL_CERT_FILE", "value": "/etc/corporate/ca.crt"}
    own = {"extraEnv": [variable], "extraVolumes": [volume], "extraVolumeMounts": [mount]}
    pod = pod_of(helm.template({component: own}), component)
    assert volume in pod["volumes"]
    assert mount in pod["containers"][0]["volumeMounts"]
    assert environment(pod)["SSL_CERT_FILE"] == "/etc/corporate/ca.crt"
    mounts = [one["mountPath"] for one in pod["containers"][0]["volumeMounts"]]
    assert "/tmp" in mounts


@pytest.mark.parametrize(("enabled", "count"), [(True, 2), (False, 0)])
def test_an_umbrella_chart(helm: Helm, tmp_path: Path, enabled: bool, count: int) -> None:
    parent = tmp_path / "platform"
    (parent / "charts").mkdir(parents=True)
    (parent / "charts" / "meetingbots").symlink_to(CHART)
    dependency = {"name": "meetingbots", "version": "0.1.0", "condition": "meetingbots.enabled"}
    chart = {"apiVersion": "v2", "name": "platform", "version": "0.1.0", "dependencies": [dependency]}
    (parent / "Chart.yaml").write_text(yaml.safe_dump(chart))
    own = {"enabled": enabled, "image": {"repository": "registry.example/meetingbots"}}
    objects = helm.template({"global": {"zone": "a"}, "meetingbots": own}, chart=parent)
    assert len(of_kind(objects, "Deployment")) == count


def test_dns_ports_of_openshift(helm: Helm) -> None:
    for policy in of_kind(helm.template({"networkPolicy": {"dns": {"ports": [53, 5353]}}}), "NetworkPolicy"):
        ports = {(one["port"], one["protocol"]) for one in policy["spec"]["egress"][0]["ports"]}
        assert ports == {(53, "UDP"), (53, "TCP"), (5353, "UDP"), (5353, "TCP")}


@pytest.mark.parametrize("component", COMPONENTS)
def test_dns_and_hosts_of_the_pods(helm: Helm, component: str) -> None:
    config = {"nameservers": ["10.0.0.10"], "options": [{"name": "ndots", "value": "1"}]}
    aliases = [{"ip": "10.0.0.11", "hostnames": ["zoom.corp.example"]}]
    own = {"dnsPolicy": "None", "dnsConfig": config, "hostAliases": aliases}
    pod = pod_of(helm.template({component: own}), component)
    assert (pod["dnsPolicy"], pod["dnsConfig"], pod["hostAliases"]) == ("None", config, aliases)


def test_nothing_of_it_by_default(helm: Helm) -> None:
    for component in COMPONENTS:
        assert not {"dnsPolicy", "dnsConfig", "hostAliases"} & pod_of(helm.template(), component).keys()


def test_another_namespace(helm: Helm) -> None:
    values = {"namespaceOverride": "bots", "tokenEndpoint": {"enabled": True}}
    objects = helm.template(values, namespace="system")
    assert {one["metadata"]["namespace"] for one in objects if "namespace" in one["metadata"]} == {"bots"}
    for kind in ("RoleBinding", "ClusterRoleBinding"):
        for binding in of_kind(objects, kind):
            assert [subject["namespace"] for subject in binding["subjects"]] == ["bots"]
    url = environment(pod_of(objects, "operator"))["MEETINGBOTS_TOKEN_URL"]
    assert url == "http://x-meetingbots-operator-tokens.bots.svc:8082"
    [policy] = of_kind(objects, "ValidatingAdmissionPolicy")
    assert "system:serviceaccount:bots:x-meetingbots-receiver" in policy["spec"]["matchConditions"][0]["expression"]


def test_annotations_of_everything(helm: Helm) -> None:
    values = {
        "commonAnnotations": {"example/owner": "team", "example/tier": "all"},
        "operator": {"deploymentAnnotations": {"example/tier": "core"}, "podAnnotations": {"example/tier": "pod"}},
        "receiver": {"service": {"annotations": {"example/lb": "internal"}}},
    }
    objects = helm.template(values)
    for one in objects:
        assert one["metadata"]["annotations"]["example/owner"] == "team", one["metadata"]["name"]
    deployment = only(objects, "Deployment", ending="-operator")
    assert deployment["metadata"]["annotations"]["example/tier"] == "core"
    assert deployment["spec"]["template"]["metadata"]["annotations"]["example/tier"] == "pod"
    service = only(objects, "Service", ending="-receiver")["metadata"]["annotations"]
    assert service == {"example/owner": "team", "example/tier": "all", "example/lb": "internal"}
    crd = of_kind(objects, "CustomResourceDefinition")[0]["metadata"]["annotations"]
    assert crd["helm.sh/resource-policy"] == "keep"


def test_objects_of_the_users_own(helm: Helm) -> None:
    secret = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-a"}}
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ include \"meetingbots.fullname\" . }}-b'}\n"
    found = of_kind(helm.template({"extraObjects": [secret, text]}), "ConfigMap")
    assert [one["metadata"]["name"] for one in found] == ["x-a", "x-meetingbots-b"]


def test_a_load_balancer(helm: Helm) -> None:
    service = {
        "type": "LoadBalancer",
        "ipFamilyPolicy": "PreferDualStack",
        "ipFamilies": ["IPv6", "IPv4"],
        "loadBalancerClass": "example.com/internal",
        "loadBalancerSourceRanges": ["198.51.100.0/24", "2001:db8::/32"],
    }
    spec = only(helm.template({"receiver": {"service": service}}), "Service", ending="-receiver")["spec"]
    assert {key: spec[key] for key in service} == service
    cluster = only(
        helm.template({"receiver": {"service": {**service, "type": "ClusterIP"}}}), "Service", ending="-receiver"
    )
    assert not {key for key in cluster["spec"] if key.startswith("loadBalancer")}


def test_autoscaling_of_the_receiver(helm: Helm) -> None:
    autoscaling = {"enabled": True, "minReplicas": 3, "maxReplicas": 8, "targetCPUUtilizationPercentage": 50}
    objects = helm.template({"receiver": {"autoscaling": autoscaling}})
    spec = only(objects, "HorizontalPodAutoscaler")["spec"]
    deployment = only(objects, "Deployment", ending="-receiver")
    assert spec["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 8)
    assert spec["metrics"][0]["resource"]["target"]["averageUtilization"] == 50
    assert "replicas" not in deployment["spec"]  # else each upgrade resets the autoscaler
    assert only(objects, "Deployment", ending="-operator")["spec"]["replicas"] == 2
    assert not of_kind(helm.template(), "HorizontalPodAutoscaler")


@pytest.mark.parametrize(
    ("kind", "key", "endpoints"),
    [
        ("ServiceMonitor", "serviceMonitor", "endpoints"),
        ("PodMonitor", "podMonitor", "podMetricsEndpoints"),
    ],
)
def test_monitors(helm: Helm, kind: str, key: str, endpoints: str) -> None:
    relabelings = [{"sourceLabels": ["__meta_kubernetes_pod_node_name"], "targetLabel": "node"}]
    dropped = [{"action": "drop", "sourceLabels": ["__name__"], "regex": "python_.*"}]
    own = {"enabled": True, "labels": {"release": "p"}, "relabelings": relabelings, "metricRelabelings": dropped}
    objects = helm.template({"metrics": {key: own}})
    monitor = only(objects, kind)
    assert monitor["metadata"]["labels"]["release"] == "p"
    [endpoint] = monitor["spec"][endpoints]
    own_relabelings = endpoint["relabelings"][1:] if kind == "PodMonitor" else endpoint["relabelings"]
    assert (own_relabelings, endpoint["metricRelabelings"]) == (relabelings, dropped)
    pods = [one["spec"]["template"]["metadata"]["labels"] for one in of_kind(objects, "Deployment")]
    if kind == "PodMonitor":
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        assert [wanted <= labels.items() for labels in pods] == [True, True]
        for component in COMPONENTS:
            ports = {port["name"] for port in pod_of(objects, component)["containers"][0]["ports"]}
            assert endpoint["port"] in ports

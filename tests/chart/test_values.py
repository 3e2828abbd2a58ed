"""The schema (or a template) refuses wrong values with a message that names the key, and accepts unusual right ones."""

from typing import Any

import pytest
import yaml

from tests.chart.rendering import EVERYTHING, Helm, HelmError, of_kind, only

WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("unknown key", {"opreator": {}}, "opreator"),
    ("unknown key below", {"operator": {"replica": 3}}, "replica"),
    ("unknown key in a list", {"operator": {"tolerations": [{"kee": "x"}]}}, "kee"),
    ("unknown key of an affinity", {"receiver": {"affinity": {"podAfinity": {}}}}, "podAfinity"),
    ("unknown resource section", {"operator": {"resources": {"request": {}}}}, "request"),
    ("text for a number", {"operator": {"replicas": "2"}}, "/operator/replicas"),
    ("fewer than none", {"receiver": {"replicas": -1}}, "/receiver/replicas"),
    ("text for a switch", {"crds": {"keep": "yes"}}, "/crds/keep"),
    ("unknown log level", {"logs": {"level": "VERBOSE"}}, "/logs/level"),
    ("a public URL with a path", {"publicUrl": "https://bots.example/base"}, "/publicUrl"),
    ("a public URL without a scheme", {"publicUrl": "bots.example"}, "/publicUrl"),
    ("a Zoom URL that is none", {"zoom": {"apiUrl": "api.zoom.us"}}, "/zoom/apiUrl"),
    ("one namespace as text", {"watch": {"namespaces": "team-a"}}, "/watch/namespaces"),
    ("no namespace's name", {"watch": {"namespaces": ["Team_A"]}}, "/watch/namespaces/0"),
    ("a namespace twice", {"watch": {"namespaces": ["a", "a"]}}, "/watch/namespaces"),
    ("a host with a scheme", {"allowedTokenUrlHosts": ["https://x.example"]}, "/allowedTokenUrlHosts/0"),
    ("a way back with a scheme", {"allowedReturnUrlHosts": ["https://x.example"]}, "/allowedReturnUrlHosts/0"),
    ("a template with a Pod's kind", {"bot": {"template": {"kind": "Pod"}}}, "kind"),
    ("a template with a name", {"bot": {"template": {"metadata": {"name": "x"}}}}, "name"),
    (
        "a template that starts bots again",
        {"bot": {"template": {"spec": {"restartPolicy": "Always"}}}},
        "restartPolicy",
    ),
    ("a container without a name", {"bot": {"template": {"spec": {"containers": [{"image": "x"}]}}}}, "containers/0"),
    ("a digest that is none", {"image": {"digest": "sha256:12"}}, "/image/digest"),
    ("a tag with a repository", {"image": {"tag": "repo:1"}}, "/image/tag"),
    ("a port that is none", {"receiver": {"service": {"port": 70000}}}, "/receiver/service/port"),
    ("an environment variable without a name", {"operator": {"extraEnv": [{"value": "x"}]}}, "name"),
    (
        "a number as an environment variable",
        {"operator": {"extraEnv": [{"name": "A", "value": 1}]}},
        "/operator/extraEnv",
    ),
    ("a number as an annotation", {"receiver": {"podAnnotations": {"a": 1}}}, "/receiver/podAnnotations/a"),
    (
        "a route without a gateway",
        {"httpRoute": {"enabled": True}, "publicUrl": "https://a.example"},
        "/httpRoute/parentRefs",
    ),
    ("a grace that loses tokens", {"operator": {"terminationGracePeriodSeconds": 1}}, "/operator/terminationGrace"),
    ("no API server port", {"networkPolicy": {"apiServer": {"ports": []}}}, "/networkPolicy/apiServer/ports"),
    ("an ingress without a host", {"ingress": {"enabled": True}}, "set publicUrl"),
    ("a route without a host", {"httpRoute": {"enabled": True, "parentRefs": [{"name": "a"}]}}, "set publicUrl"),
    (
        "a monitor without metrics",
        {"metrics": {"enabled": False, "serviceMonitor": {"enabled": True}}},
        "serviceMonitor.enabled needs metrics.enabled",
    ),
    (
        "a Pod monitor without metrics",
        {"metrics": {"enabled": False, "podMonitor": {"enabled": True}}},
        "podMonitor.enabled needs metrics.enabled",
    ),
    ("a volume without a source", {"operator": {"extraVolumes": [{"name": "x"}]}}, "/operator/extraVolumes/0"),
    ("a relative mount", {"receiver": {"extraVolumeMounts": [{"name": "x", "mountPath": "a"}]}}, "mountPath"),
    ("no DNS port", {"networkPolicy": {"dns": {"ports": []}}}, "/networkPolicy/dns/ports"),
    ("a host alias without names", {"operator": {"hostAliases": [{"ip": "10.0.0.1"}]}}, "hostnames"),
    ("an unknown IP family", {"receiver": {"service": {"ipFamilies": ["IPv5"]}}}, "/receiver/service/ipFamilies"),
    ("an address for a range", {"receiver": {"service": {"loadBalancerSourceRanges": ["10.0.0.1"]}}}, "SourceRanges"),
    ("an unknown relabeling", {"metrics": {"podMonitor": {"relabelings": [{"target": "x"}]}}}, "target"),
    ("an object without a kind", {"extraObjects": [{"apiVersion": "v1"}]}, "/extraObjects/0"),
    (
        "alerts without metrics",
        {"metrics": {"enabled": False, "prometheusRule": {"enabled": True}}},
        "prometheusRule.enabled needs metrics.enabled",
    ),
]


@pytest.mark.parametrize(("values", "text"), [(one[1], one[2]) for one in WRONG], ids=[one[0] for one in WRONG])
def test_wrong_values_are_refused_by_name(helm: Helm, values: dict[str, Any], text: str) -> None:
    with pytest.raises(HelmError) as refusal:
        helm.template(values)
    assert text in str(refusal.value)


def test_everything_at_once_is_allowed(helm: Helm) -> None:
    kinds = {one["kind"] for one in helm.template(files=[EVERYTHING])}
    assert {"Ingress", "HTTPRoute", "ServiceMonitor", "PrometheusRule", "NetworkPolicy", "PodDisruptionBudget"} <= kinds
    assert {"PodMonitor", "HorizontalPodAutoscaler", "ValidatingAdmissionPolicy"} <= kinds


def test_global_values_of_a_parent_chart_are_accepted(helm: Helm) -> None:
    assert helm.template({"global": {"anything": {"at": "all"}}})


def test_null_removes_a_default(helm: Helm) -> None:
    """OpenShift chooses the user itself."""
    objects = helm.template({"podSecurityContext": {"runAsUser": None, "runAsGroup": None}})
    for deployment in of_kind(objects, "Deployment"):
        assert deployment["spec"]["template"]["spec"]["securityContext"] == {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }


def test_an_extra_environment_variable_replaces_ours(helm: Helm) -> None:
    """The API server refuses a list with both."""
    mine = [{"name": "MEETINGBOTS_LOG_LEVEL", "value": "DEBUG"}, {"name": "OTHER", "value": "1"}]
    pod = only(helm.template({"operator": {"extraEnv": mine}}), "Deployment", ending="operator")["spec"]["template"]
    environment = pod["spec"]["containers"][0]["env"]
    assert [one for one in environment if one["name"] == "MEETINGBOTS_LOG_LEVEL"] == [mine[0]]
    assert mine[1] in environment


def test_the_values_for_everything_are_not_the_defaults(helm: Helm) -> None:
    """Rendering with them shows the effect of each value."""
    defaults = yaml.safe_load((EVERYTHING.parents[2] / "charts" / "meetingbots" / "values.yaml").read_text())
    everything = yaml.safe_load(EVERYTHING.read_text())
    assert set(defaults) - set(everything) == {
        "nameOverride",
        "fullnameOverride",
        "podSecurityContext",
        "securityContext",
    }

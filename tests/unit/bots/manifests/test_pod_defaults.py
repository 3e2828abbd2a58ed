"""The defaults in a bot's Pod, and how a template overrides or removes each of them."""

from typing import Any

import pytest
from meetingbots.bots.decide.facts import MeetingRef
from meetingbots.bots.manifests.pod import SPEC_HASH_ANNOTATION, PodSettings, bot_pod, spec_hash

from tests.unit.bots.bot_builders import IMAGE, MEETING, NOW, POD, bot

DEFAULT_IMAGE = "registry.example/default:1"
CONTAINER_SECURITY = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def build(template: Any, *, default: dict[str, Any] | None = None) -> dict[str, Any]:
    settings = PodSettings(bot_image=DEFAULT_IMAGE, template=default or {})
    return bot_pod(bot(template=template), name=POD, meeting=MeetingRef(MEETING), settings=settings, now=NOW)


def with_bot(container: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "bot", "image": IMAGE, **(container or {})}], **spec}}


def container(pod: dict[str, Any], name: str = "bot") -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in pod["spec"]["containers"] if item["name"] == name)
    return found


def test_defaults() -> None:
    pod = build(with_bot())
    spec = pod["spec"]
    assert spec["restartPolicy"] == "Never"
    assert spec["automountServiceAccountToken"] is False
    assert spec["terminationGracePeriodSeconds"] == 60
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert spec["tolerations"] == [
        {"key": f"node.kubernetes.io/{trouble}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 900}
        for trouble in ("not-ready", "unreachable")
    ]
    made = container(pod)
    assert made["imagePullPolicy"] == "IfNotPresent"
    assert made["terminationMessagePolicy"] == "FallbackToLogsOnError"
    assert made["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert pod["metadata"]["annotations"] == {
        "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
        "karpenter.sh/do-not-disrupt": "true",
        SPEC_HASH_ANNOTATION: spec_hash(
            bot(template=with_bot()), meeting=MeetingRef(MEETING), settings=PodSettings(bot_image=DEFAULT_IMAGE)
        ),
    }


def test_a_template_may_override_the_defaults() -> None:
    security = {"runAsUser": 0, "seccompProfile": {"type": "Unconfined"}}
    own = {"allowPrivilegeEscalation": True, "capabilities": {"drop": ["NET_RAW"]}}
    forever = {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}
    template = with_bot(
        {"imagePullPolicy": "Always", "terminationMessagePolicy": "File", "securityContext": own},
        automountServiceAccountToken=True,
        terminationGracePeriodSeconds=0,
        securityContext=security,
        tolerations=[forever],
        nodeSelector={"disk": "ssd"},
    )
    template["metadata"] = {"annotations": {"karpenter.sh/do-not-disrupt": "false"}}
    pod = build(template)
    spec = pod["spec"]
    assert spec["automountServiceAccountToken"] is True
    assert spec["terminationGracePeriodSeconds"] == 0
    assert spec["securityContext"] == {**security, "runAsNonRoot": False}
    assert spec["tolerations"][0] == forever
    assert [item["key"] for item in spec["tolerations"][1:]] == ["node.kubernetes.io/unreachable"]
    assert spec["nodeSelector"] == {"disk": "ssd"}
    made = container(pod)
    assert (made["imagePullPolicy"], made["terminationMessagePolicy"]) == ("Always", "File")
    assert made["securityContext"] == own
    assert pod["metadata"]["annotations"]["karpenter.sh/do-not-disrupt"] == "false"


def test_an_unlimited_toleration_stays_alone() -> None:
    assert build(with_bot(tolerations=[{"operator": "Exists"}]))["spec"]["tolerations"] == [{"operator": "Exists"}]
    other = {"operator": "Exists", "effect": "NoSchedule"}
    assert len(build(with_bot(tolerations=[other]))["spec"]["tolerations"]) == 3


def test_a_container_that_asks_for_root_gets_it() -> None:
    pod = build(with_bot({"securityContext": {"runAsUser": 0}}))
    assert container(pod)["securityContext"]["runAsNonRoot"] is False
    strict = build(with_bot({"securityContext": {"runAsUser": 0}}, securityContext={"runAsNonRoot": True}))
    assert "runAsNonRoot" not in container(strict)["securityContext"]


def test_all_capabilities_but_the_added_ones_are_dropped() -> None:
    pod = build(with_bot({"securityContext": {"capabilities": {"add": ["SYS_NICE"]}}}))
    assert container(pod)["securityContext"]["capabilities"] == {"add": ["SYS_NICE"], "drop": ["ALL"]}


def test_a_privileged_container_gets_no_security_defaults() -> None:
    pod = build(with_bot({"securityContext": {"privileged": True}}))
    assert container(pod)["securityContext"] == {"privileged": True}


def test_side_cars_and_init_containers_get_the_security_defaults_only() -> None:
    template = with_bot(initContainers=[{"name": "setup", "image": "x"}])
    template["spec"]["containers"].insert(0, {"name": "sidecar", "image": "x"})
    pod = build(template)
    for made in (container(pod, "sidecar"), pod["spec"]["initContainers"][0]):
        assert made["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        assert set(made) == {"name", "image", "securityContext"}


POD_NULLS = [
    ({"automountServiceAccountToken": None}, "automountServiceAccountToken"),
    ({"terminationGracePeriodSeconds": None}, "terminationGracePeriodSeconds"),
    ({"tolerations": None}, "tolerations"),
]


@pytest.mark.parametrize(("template", "field"), POD_NULLS)
def test_null_removes_a_default_of_the_pod(template: dict[str, Any], field: str) -> None:
    assert field in build(with_bot())["spec"]
    assert field not in build(with_bot(**template))["spec"]
    assert field not in build(with_bot(), default={"spec": template})["spec"], "the default template's null counts too"


@pytest.mark.parametrize("field", ["runAsUser", "runAsNonRoot", "seccompProfile"])
def test_null_removes_a_security_default_of_the_pod(field: str) -> None:
    expected = dict(build(with_bot())["spec"]["securityContext"])
    del expected[field]
    assert build(with_bot(securityContext={field: None}))["spec"]["securityContext"] == expected
    over = build(with_bot(securityContext={field: None}), default={"spec": {"securityContext": {"runAsUser": 5}}})
    assert field not in over["spec"]["securityContext"]
    given = build(with_bot(securityContext={"runAsUser": 7}), default={"spec": {"securityContext": {field: None}}})
    assert given["spec"]["securityContext"]["runAsUser"] == 7


def test_null_for_a_whole_security_context_removes_all_of_its_defaults() -> None:
    pod = build(with_bot({"securityContext": None}, securityContext=None))
    assert pod["spec"]["securityContext"] == {}
    assert "securityContext" not in container(pod)
    assert build(with_bot(securityContext=None))["spec"]["containers"][0]["securityContext"] == CONTAINER_SECURITY


@pytest.mark.parametrize("field", ["runAsUser", "runAsNonRoot", "seccompProfile"])
def test_a_containers_null_removes_the_pods_default_for_it_alone(field: str) -> None:
    template = with_bot({"securityContext": {field: None}})
    template["spec"]["containers"].append({"name": "sidecar", "image": "x"})
    default = build(with_bot())["spec"]["securityContext"][field]
    pod = build(template)
    assert field not in pod["spec"]["securityContext"]
    assert container(pod)["securityContext"] == CONTAINER_SECURITY
    assert container(pod, "sidecar")["securityContext"] == {**CONTAINER_SECURITY, field: default}


@pytest.mark.parametrize(
    ("security", "expected"),
    [
        ({"allowPrivilegeEscalation": None}, {"capabilities": {"drop": ["ALL"]}}),
        ({"capabilities": None}, {"allowPrivilegeEscalation": False}),
        ({"capabilities": {"drop": None}}, {"allowPrivilegeEscalation": False, "capabilities": {}}),
    ],
)
def test_null_removes_a_security_default_of_any_container(security: Any, expected: dict[str, Any]) -> None:
    template = with_bot({"securityContext": security}, initContainers=[{"name": "i", "securityContext": security}])
    pod = build(template)
    assert container(pod)["securityContext"] == expected
    assert pod["spec"]["initContainers"][0]["securityContext"] == expected


def test_null_removes_a_default_of_container_bot_and_of_the_annotations() -> None:
    template = with_bot({"imagePullPolicy": None, "terminationMessagePolicy": None})
    template["metadata"] = {"annotations": {"karpenter.sh/do-not-disrupt": None}}
    pod = build(template)
    assert {"imagePullPolicy", "terminationMessagePolicy"}.isdisjoint(container(pod))
    assert set(pod["metadata"]["annotations"]) == {
        "cluster-autoscaler.kubernetes.io/safe-to-evict",
        SPEC_HASH_ANNOTATION,
    }
    template["metadata"] = {"annotations": None, "labels": None}
    assert set(build(template)["metadata"]["annotations"]) == {SPEC_HASH_ANNOTATION}


def test_null_elsewhere_counts_as_absent() -> None:
    template = with_bot(
        {"env": None, "args": None}, restartPolicy=None, initContainers=None, activeDeadlineSeconds=None
    )
    made, expected = build(template), build(with_bot())
    assert made["spec"] == expected["spec"]


def test_a_pod_for_windows_gets_no_linux_only_defaults() -> None:
    template = with_bot(os={"name": "windows"}, initContainers=[{"name": "setup", "image": "x"}])
    pod = build(template)
    assert pod["spec"]["securityContext"] == {"runAsNonRoot": True}
    assert [one["securityContext"] for one in (container(pod), pod["spec"]["initContainers"][0])] == [{}, {}]
    assert pod["spec"]["automountServiceAccountToken"] is False
    linux = build(with_bot(os={"name": "linux"}))
    assert linux["spec"]["securityContext"] == build(with_bot())["spec"]["securityContext"]

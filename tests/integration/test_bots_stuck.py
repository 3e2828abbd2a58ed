"""What keeps a bot from starting is reported within seconds; the bot goes on when it heals, until its deadline."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from tests.cluster.api import core_path
from tests.cluster.kubelet import KubeletDouble
from tests.stack.tenant import Tenant


def template(**container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "bot", "image": "test/sleep", **container}]}}


def bot(tenant: Tenant, name: str, wanted: dict[str, Any], **spec: Any) -> None:
    """A bot without tokens, with this template."""
    meeting = {"id": "81234567890"}
    tenant.apply("MeetingBot", name, {"meeting": meeting, "tokens": [], "template": wanted, **spec})


def wait_age(tenant: Tenant, name: str, seconds: float) -> None:
    """Wait until the bot is so old: a new deadline that has not passed yet replaces the Pod."""
    created = datetime.fromisoformat(tenant.get("meetingbots", name)["metadata"]["creationTimestamp"])
    tenant.wait(f"{name} is {seconds} s old", lambda: (datetime.now(UTC) - created).total_seconds() >= seconds)


def test_a_pod_that_fits_no_node(tenant: Tenant, kubelet: KubeletDouble) -> None:
    annotations = {"kubelet.test/unschedulable": "0/1 nodes are available: 1 Insufficient cpu."}
    wanted: dict[str, Any] = {"image": "test/sleep", "annotations": annotations, "tokens": []}
    tenant.bot("big", 81234567890, **wanted)
    condition = tenant.wait_reason("meetingbots", "big", "Unschedulable")
    assert "Insufficient cpu" in condition["message"]
    assert tenant.condition("meetingbots", "big", "Reconciling")["status"] == "True"
    wait_age(tenant, "big", 2)
    tenant.bot("big", 81234567890, startDeadlineSeconds=1, **wanted)
    condition = tenant.wait_reason("meetingbots", "big", "StartDeadlineExceeded")
    assert "Insufficient cpu" in condition["message"]
    assert tenant.phase("big") == "Failed"
    tenant.wait("no Pod is left", lambda: not tenant.pods())


def test_an_image_that_never_comes(tenant: Tenant, kubelet: KubeletDouble) -> None:
    bot(tenant, "nowhere", template(image="nowhere/at-all"))
    condition = tenant.wait_reason("meetingbots", "nowhere", "ImagePullFailed")
    assert "nowhere/at-all" in condition["message"]
    wait_age(tenant, "nowhere", 2)
    bot(tenant, "nowhere", template(image="nowhere/at-all"), startDeadlineSeconds=1)
    condition = tenant.wait_reason("meetingbots", "nowhere", "StartDeadlineExceeded")
    assert "nowhere/at-all" in condition["message"]
    tenant.wait("no Pod is left", lambda: not tenant.pods())


def test_a_secret_of_the_authors_own_that_is_missing(tenant: Tenant, kubelet: KubeletDouble) -> None:
    own = {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "upload", "key": "key"}}}
    bot(tenant, "uploads", template(env=[own]))
    condition = tenant.wait_reason("meetingbots", "uploads", "ConfigError")
    assert "upload" in condition["message"]
    tenant.secret("upload", key="value")
    tenant.wait_phase("uploads", "Running")


def test_a_service_account_that_is_missing(tenant: Tenant, kubelet: KubeletDouble) -> None:
    wanted = template()
    wanted["spec"]["serviceAccountName"] = "recorder"
    bot(tenant, "uses-account", wanted)
    condition = tenant.wait_reason("meetingbots", "uses-account", "ConfigError")
    assert "recorder" in condition["message"]
    path = core_path("serviceaccounts", namespace=tenant.namespace)
    tenant.cluster.api.create(path, {"metadata": {"name": "recorder"}})
    tenant.wait_phase("uses-account", "Running")


def test_a_quota_that_frees_up(tenant: Tenant, kubelet: KubeletDouble) -> None:
    path = core_path("resourcequotas", namespace=tenant.namespace)
    body = {"metadata": {"name": "few"}, "spec": {"hard": {"count/pods": "1"}}}
    tenant.cluster.api.create(path, body)
    quota = core_path("resourcequotas", namespace=tenant.namespace, name="few")
    tenant.wait("the quota counts", lambda: "used" in (tenant.cluster.api.get(quota) or {}).get("status", {}))
    bot(tenant, "first", template())
    tenant.wait_phase("first", "Running")
    bot(tenant, "second", template())
    condition = tenant.wait_reason("meetingbots", "second", "QuotaExceeded")
    assert "few" in condition["message"]
    tenant.delete("meetingbots", "first")
    tenant.wait_phase("second", "Running")
    assert tenant.status("meetingbots", "second")["attempts"] == 1


def test_an_admission_policy_that_refuses(tenant: Tenant, kubelet: KubeletDouble) -> None:
    name = f"no-latest-{tenant.namespace}"
    group = "/apis/admissionregistration.k8s.io/v1"
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]
    allowed = {"expression": "object.spec.containers.all(c, !c.image.endsWith(':latest'))", "message": "name a version"}
    policy = {"failurePolicy": "Fail", "matchConstraints": {"resourceRules": rules}, "validations": [allowed]}
    here = {"matchLabels": {"kubernetes.io/metadata.name": tenant.namespace}}
    binding = {"policyName": name, "validationActions": ["Deny"], "matchResources": {"namespaceSelector": here}}
    api = tenant.cluster.api
    api.create(f"{group}/validatingadmissionpolicies", {"metadata": {"name": name}, "spec": policy})
    api.create(f"{group}/validatingadmissionpolicybindings", {"metadata": {"name": name}, "spec": binding})
    try:
        number = count()

        def refused() -> bool:
            # A new policy takes effect a little later, and bots of one shape share a dry run: each has its own image.
            mark = next(number)
            bot_name = f"latest-{mark}"
            bot(tenant, bot_name, template(image=f"test/sleep-{mark}:latest"), joinAt="2999-01-01T00:00:00Z")
            tenant.wait("looked at", lambda: bool(tenant.condition("meetingbots", bot_name)))
            ready = tenant.condition("meetingbots", bot_name)
            return ready["reason"] == "TemplateInvalid" and "name a version" in ready["message"]

        tenant.wait("the refusal is reported", refused)
        assert not tenant.pods()
        bot(tenant, "versioned", template(image="test/sleep:v1"))
        tenant.wait_phase("versioned", "Running")
    finally:
        api.delete(f"{group}/validatingadmissionpolicybindings/{name}")
        api.delete(f"{group}/validatingadmissionpolicies/{name}")

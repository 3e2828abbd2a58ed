"""OpenShift's rule for user ids, as an admission policy: a Pod must not choose its own."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from tests.cluster.api import ApiError, core_path, wait_until
from tests.cluster.controlplane import ControlPlane
from tests.stack.tenant import Tenant

ADMISSION = "/apis/admissionregistration.k8s.io/v1"
RULE = (
    "!has(object.spec.securityContext.runAsUser) && "
    "object.spec.containers.all(c, !has(c.securityContext) || !has(c.securityContext.runAsUser))"
)


@pytest.fixture
def uid_range(cluster: ControlPlane, namespace: str) -> Iterator[None]:
    """Refuse every Pod of the namespace that names a user id."""
    name = f"uid-range-{namespace}"
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    where = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    policy: dict[str, Any] = {
        "matchConstraints": {"resourceRules": [pods], "namespaceSelector": where},
        "validations": [{"expression": RULE, "message": "the user id comes from the namespace's range"}],
    }
    binding = {"policyName": name, "validationActions": ["Deny"]}
    cluster.api.create(f"{ADMISSION}/validatingadmissionpolicies", {"metadata": {"name": name}, "spec": policy})
    cluster.api.create(f"{ADMISSION}/validatingadmissionpolicybindings", {"metadata": {"name": name}, "spec": binding})
    wait_until(partial(_in_force, cluster, namespace), what="the policy in force")
    yield
    cluster.api.delete(f"{ADMISSION}/validatingadmissionpolicybindings/{name}")
    cluster.api.delete(f"{ADMISSION}/validatingadmissionpolicies/{name}")


def _in_force(cluster: ControlPlane, namespace: str) -> bool:
    spec = {"securityContext": {"runAsUser": 1000}, "containers": [{"name": "a", "image": "b"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe"}, "spec": spec}
    try:
        cluster.api.request("POST", core_path("pods", namespace=namespace), pod, query={"dryRun": "All"})
    except ApiError:
        return True
    return False


def bot(tenant: Tenant, name: str, meeting: int, security: dict[str, Any] | None) -> None:
    body = tenant.bot_object(name, meeting)
    if security is not None:
        body["spec"]["template"]["spec"]["securityContext"] = security
    tenant.apply_object(body)


@pytest.mark.usefixtures("uid_range", "kubelet")
def test_a_template_may_leave_the_user_id_to_the_cluster(tenant: Tenant) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    bot(tenant, "range", meeting.id, {"runAsUser": None})
    bot(tenant, "fixed", meeting.id, None)
    tenant.wait("the bot runs", lambda: tenant.phase("range") == "Running")
    [pod] = tenant.pods()
    assert "runAsUser" not in pod["spec"]["securityContext"]
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    tenant.wait("the refusal in the status", lambda: "the user id comes" in str(tenant.status("meetingbots", "fixed")))

"""A namespace with a quota on Secrets or a LimitRange: bots name the limit, and start once it allows them to."""

import pytest

from tests.cluster.api import core_path
from tests.cluster.kubelet import KubeletDouble
from tests.stack.tenant import Tenant

SLEEP = {"spec": {"containers": [{"name": "bot", "image": "test/sleep"}]}}


def test_a_quota_on_secrets_delays_the_delivery(tenant: Tenant, kubelet: KubeletDouble) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    quota = core_path("resourcequotas", namespace=tenant.namespace, name="few-secrets")
    body = {"metadata": {"name": "few-secrets"}, "spec": {"hard": {"count/secrets": "100"}}}
    tenant.cluster.api.create(core_path("resourcequotas", namespace=tenant.namespace), body)

    def used() -> str:
        found = tenant.cluster.api.get(quota) or {}
        return str(found.get("status", {}).get("used", {}).get("count/secrets", ""))

    tenant.wait("the quota counts", lambda: used() not in ("", "0"))
    tenant.cluster.api.patch(quota, {"spec": {"hard": {"count/secrets": used()}}})
    tenant.wait("the quota is full", lambda: _hard(tenant, quota) == used())

    tenant.bot("standup", meeting.id)
    ready = tenant.wait_reason("meetingbots", "standup", "QuotaExceeded")
    assert "few-secrets" in ready["message"]
    tenant.cluster.api.patch(quota, {"spec": {"hard": {"count/secrets": "100"}}})
    tenant.wait_phase("standup", "Running")
    assert tenant.status("meetingbots", "standup")["attempts"] == 1
    assert tenant.condition("meetingbots", "standup", "TokenIssued")["status"] == "True"


def test_a_limit_range_gives_a_bot_its_defaults_and_refuses_too_much(tenant: Tenant, kubelet: KubeletDouble) -> None:
    limits = [{"type": "Container", "default": {"memory": "64Mi"}, "max": {"memory": "128Mi"}}]
    path = core_path("limitranges", namespace=tenant.namespace)
    tenant.cluster.api.create(path, {"metadata": {"name": "small"}, "spec": {"limits": limits}})
    greedy = {"spec": {"containers": [{**SLEEP["spec"]["containers"][0], "resources": {"limits": {"memory": "1Gi"}}}]}}

    tenant.apply("MeetingBot", "modest", {"meeting": {"id": "81234567890"}, "tokens": [], "template": SLEEP})
    tenant.apply("MeetingBot", "greedy", {"meeting": {"id": "81234567890"}, "tokens": [], "template": greedy})

    tenant.wait_phase("modest", "Running")
    [pod] = tenant.pods()
    assert pod["spec"]["containers"][0]["resources"]["limits"]["memory"] == "64Mi"
    ready = tenant.wait_reason("meetingbots", "greedy", "TemplateInvalid")
    assert "128Mi" in ready["message"]


@pytest.mark.parametrize(
    ("kind", "spec", "words"),
    [
        ("limitranges", {"limits": [{"type": "Pod", "max": {"ephemeral-storage": "1Gi"}}]}, "ephemeral-storage"),
        ("resourcequotas", {"hard": {"limits.memory": "1Gi"}}, "must specify limits.memory"),
    ],
)
def test_a_template_that_a_namespace_never_admits_is_invalid(
    tenant: Tenant, kind: str, spec: dict[str, object], words: str
) -> None:
    path = core_path(kind, namespace=tenant.namespace)
    tenant.cluster.api.create(path, {"metadata": {"name": "rule"}, "spec": spec})
    rule = core_path(kind, namespace=tenant.namespace, name="rule")
    if kind == "resourcequotas":
        tenant.wait("the quota counts", lambda: "used" in (tenant.cluster.api.get(rule) or {}).get("status", {}))
    greedy = {**SLEEP["spec"]["containers"][0], "resources": {"limits": {"ephemeral-storage": "2Gi"}}}
    template = {"spec": {"containers": [greedy]}}
    tenant.apply("MeetingBot", "greedy", {"meeting": {"id": "81234567890"}, "tokens": [], "template": template})
    ready = tenant.wait_reason("meetingbots", "greedy", "TemplateInvalid", seconds=90)
    assert words in ready["message"]


def _hard(tenant: Tenant, quota: str) -> str:
    found = tenant.cluster.api.get(quota) or {}
    return str(found.get("status", {}).get("hard", {}).get("count/secrets", ""))

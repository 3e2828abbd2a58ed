"""`kubectl meetingbots why` names the cause and the remedy of faults that people meet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.stack.plugin import Plugin
from tests.stack.tenant import Tenant

MEETING = "81234567890"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A bot `spec` with the reason of its Ready, a part of the cause, and a part of the remedy."""

    spec: dict[str, Any]
    reason: str
    cause: str
    remedy: str


def template(**container: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "bot", "image": "test/sleep", **container}]}}


FAULTS = {
    "image": Fault(
        spec={"template": template(image="nowhere/at-all")},
        reason="ImagePullFailed",
        cause="nowhere/at-all",
        remedy="pull secret",
    ),
    "missing-secret": Fault(
        spec={"template": template(env=[{"name": "K", "valueFrom": {"secretKeyRef": {"name": "upload", "key": "k"}}}])},
        reason="ConfigError",
        cause="upload",
        remedy="Create or correct",
    ),
    "typo": Fault(
        spec={"template": template(imagePullPolcy="Never")},
        reason="TemplateInvalid",
        cause="imagePullPolcy",
        remedy="spec.template",
    ),
    "crash": Fault(
        spec={"template": template(image="test/exit", args=["3"]), "retry": {"limit": 0}},
        reason="BotFailed",
        cause="exit code 3",
        remedy="kubectl logs",
    ),
    "personal-link": Fault(
        spec={"meeting": {"url": "https://zoom.us/my/alice"}},
        reason="VanityLink",
        cause="personal link",
        remedy="meeting ID",
    ),
    "no-link": Fault(
        spec={"meeting": {"url": "https://zoom.us/signin"}},
        reason="InvalidMeeting",
        cause="",
        remedy="spec.meeting",
    ),
    "unmapped": Fault(
        spec={"tokens": ["LocalRecording"], "tokenPolicy": "Required", "template": template()},
        reason="NoMapping",
        cause="MeetingMapping",
        remedy="credentialRef",
    ),
}


def test_faults_of_bots(cluster: ControlPlane, tenant: Tenant, kubelet: KubeletDouble) -> None:
    plugin = Plugin(cluster.kubeconfig(), tenant.namespace)
    for name, fault in FAULTS.items():
        tenant.apply("MeetingBot", name, {"meeting": {"id": MEETING}, "tokens": [], **fault.spec})
    for name, fault in FAULTS.items():
        tenant.wait_reason("meetingbots", name, fault.reason)
        answer = plugin("why", name)
        assert plugin.code == 1, name
        cause, remedy = answer.partition("Cause: ")[2].split("Do: ")
        assert fault.cause in cause, name
        assert fault.remedy in remedy, name


def _without_app(tenant: Tenant) -> None:
    tenant.consent()


def _wrong_client_secret(tenant: Tenant) -> None:
    tenant.app_secret(client_secret="not-the-secret")
    tenant.consent()


def _without_grant(tenant: Tenant) -> None:
    tenant.app_secret()


def _foreign_token_secret(tenant: Tenant) -> None:
    tenant.app_secret()
    tenant.consent()
    tenant.secret("alice-zoom-token", precious="yes")


@pytest.mark.parametrize(
    ("prepare", "reason", "remedy"),
    [
        (_without_app, "AppSecretMissing", "Create the app's Secret"),
        (_wrong_client_secret, "AppInvalid", "Correct client_id and client_secret"),
        (_without_grant, "GrantSecretMissing", "Create the Secret that spec.grant names"),
        (_foreign_token_secret, "SecretConflict", "spec.tokenSecretName"),
    ],
)
def test_faults_of_credentials(
    cluster: ControlPlane, tenant: Tenant, prepare: Callable[[Tenant], None], reason: str, remedy: str
) -> None:
    prepare(tenant)
    tenant.credential()
    tenant.wait_reason("zoomcredentials", "alice", reason)
    plugin = Plugin(cluster.kubeconfig(), tenant.namespace)
    answer = plugin("why", "alice")
    assert plugin.code == 1
    assert f"ZoomCredential alice: {reason}" in answer
    assert remedy in answer.partition("Do: ")[2]

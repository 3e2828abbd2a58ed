"""The kubectl plugin on the real API server: what it explains, creates and prints, and what it says without rights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from tests.cluster.api import core_path
from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.stack.plugin import Plugin
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient


@pytest.fixture
def plugin(cluster: ControlPlane, tenant: Tenant) -> Plugin:
    return Plugin(cluster.kubeconfig(), tenant.namespace)


def test_why_tells_the_story_of_a_bot_that_records(tenant: Tenant, plugin: Plugin, kubelet: KubeletDouble) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting(emit=True)
    tenant.wait_mapped(meeting.id)
    tenant.bot("notes", meeting.id)
    tenant.wait_phase("notes", "Running")
    answer = plugin("why", "notes")
    assert plugin.code == 0, plugin.errors
    assert "MeetingBot notes: Running" in answer
    assert f"The meeting is {meeting.id}" in answer
    assert "alice (Host, found by " in answer
    assert "ZoomCredential alice is TokenValid" in answer
    assert "The tokens (LocalRecording) were delivered to the Pod." in answer
    lines = plugin("timeline", "notes").splitlines()
    order = [next(n for n, line in enumerate(lines) if text in line) for text in ("created", "delivered", "started")]
    assert order == sorted(order)
    assert "can create join tokens" in plugin("why", str(meeting.id))


def test_why_names_cause_and_remedy_of_a_bot_without_a_credential(
    tenant: Tenant, plugin: Plugin, kubelet: KubeletDouble
) -> None:
    tenant.bot("notes", 89876543210, tokenPolicy="Required", startDeadlineSeconds=30)
    tenant.wait_phase("notes", "Failed")
    answer = json.loads(plugin("why", "notes", "--output", "json"))
    assert plugin.code == 1
    assert answer["well"] is False
    assert "No MeetingMapping" in answer["cause"]
    assert "credentialRef" in answer["remedy"]
    assert "no webhook and no sync" in plugin("why", "89876543210")


def test_why_and_connect_lead_to_a_consent(tenant: Tenant, plugin: Plugin) -> None:
    tenant.app_secret()
    tenant.credential("carol", grant={"connect": {}})
    tenant.wait("a link", lambda: bool(tenant.status("zoomcredentials", "carol").get("connectURL")))
    answer = plugin("why", "carol")
    assert plugin.code == 1
    assert "kubectl meetingbots connect carol" in answer
    assert plugin("connect", "carol").strip() == tenant.status("zoomcredentials", "carol")["connectURL"]


def test_send_makes_a_bot_once(tenant: Tenant, plugin: Plugin) -> None:
    link, at = "https://zoom.us/j/81234567890?pwd=Secret.1", "2035-01-01T12:00:00+00:00"
    printed = plugin("send", link, "--at", at, "--as", "alice", "--dry-run")
    assert "credentialRef" in printed
    assert tenant.cluster.api.get(f"/apis/meetingbots.dev/v1alpha1/namespaces/{tenant.namespace}/meetingbots")
    created = plugin("send", link, "--at", at, "--as", "alice")
    assert plugin.code == 0, plugin.errors
    name = created.split("/")[1].split()[0]
    tenant.wait_phase(name, "Scheduled")
    plugin("send", link, "--at", at, "--as", "alice")
    assert plugin.code == 1
    plugin("send", "https://meet.example.com/j/81234567890")
    assert plugin.code == 2
    assert "not one of Zoom's" in plugin.errors


def test_send_can_wait_until_the_bot_has_finished(tenant: Tenant, plugin: Plugin, kubelet: KubeletDouble) -> None:
    created = plugin("send", "https://zoom.us/j/81234567890", "--at", "2020-01-01T12:00:00Z", "--wait")
    assert plugin.code == 1, "a bot that never started is no success"
    assert "joinAt" in plugin("timeline", created.split("/")[1].split()[0])


def test_all_namespaces_and_completion(cluster: ControlPlane, tenant: Tenant, plugin: Plugin) -> None:
    tenant.bot("notes-of-this-test", 89876543210, joinAt="2035-01-01T12:00:00Z")
    tenant.wait_phase("notes-of-this-test", "Scheduled")
    elsewhere = Plugin(cluster.kubeconfig(), "default")
    elsewhere("why", "notes-of-this-test")
    assert elsewhere.code == 2
    answers = json.loads(elsewhere("why", "notes-of-this-test", "-A", "--output", "json"))["answers"]
    assert [answer["subject"] for answer in answers] == ["MeetingBot notes-of-this-test: Scheduled"]
    complete = "from meetingbots.plugin.arguments import complete; complete()"
    words = subprocess.run(
        [sys.executable, "-c", complete, "why", "-n", tenant.namespace, "notes-of"],
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig())},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert words.stdout.split() == ["notes-of-this-test", ":4"]


def test_doctor_asks_the_receiver_as_zoom_does(tenant: Tenant, plugin: Plugin, stack: Stack, zoom: SimClient) -> None:
    tenant.ready_credential()
    url = stack.webhook_url(tenant.app.client_id).rpartition("/webhooks/")[0]
    tenant.wait("the receiver knows the app", lambda: zoom.validate(tenant.app.client_id))
    oauth = f"{zoom.base_url}/oauth"
    doctor = ("doctor", "--public-url", url, "--system-namespace", tenant.namespace, "--zoom-oauth-url", oauth)
    assert "No Lease" in plugin(*doctor)
    assert plugin.code == 1
    lease = {"holderIdentity": "operator-1", "renewTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"}
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{tenant.namespace}/leases"
    tenant.cluster.api.create(leases, {"metadata": {"name": "meetingbots-operator"}, "spec": lease})
    report = plugin(*doctor)
    assert plugin.code == 0, report
    assert "Operator operator-1 works" in report
    assert "answers Zoom's validation for app zoom-app" in report
    assert "Zoom accepts the client ID and secret of app zoom-app" in report
    assert "The API server runs Kubernetes v" in report
    assert "The clocks of the API server and of this machine agree" in report
    assert "The clocks of Zoom and of this machine agree" in report
    assert report.count("is that of this release") == 3
    assert "is Ready" in report
    quota = {"metadata": {"name": "bots"}, "spec": {"hard": {"count/secrets": "1"}}}
    tenant.cluster.api.create(core_path("resourcequotas", namespace=tenant.namespace), quota)
    tenant.wait("the quota is counted", lambda: "ResourceQuota bots allows 1 count/secrets" in plugin(*doctor))
    assert plugin.code == 2
    tenant.cluster.api.delete(core_path("resourcequotas", namespace=tenant.namespace, name="bots"))
    tenant.app_secret(client_secret="wrong")
    wrong = plugin(*doctor)
    assert plugin.code == 2
    assert "Zoom rejects app zoom-app" in wrong


def test_missing_rights_are_named(cluster: ControlPlane, tenant: Tenant, kubelet: KubeletDouble) -> None:
    tenant.bot("notes", 89876543210)
    tenant.wait("a Pod", lambda: bool(tenant.status("meetingbots", "notes").get("podName")))
    kubeconfig = cluster.service_account_kubeconfig(tenant.namespace, "reader")
    rules = [{"apiGroups": ["meetingbots.dev"], "resources": ["meetingbots"], "verbs": ["get"]}]
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{tenant.namespace}"
    cluster.api.create(f"{rbac}/roles", {"metadata": {"name": "reader"}, "rules": rules})
    binding = {
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": tenant.namespace}],
    }
    cluster.api.create(f"{rbac}/rolebindings", binding)
    plugin = Plugin(kubeconfig, tenant.namespace)
    answer = plugin("why", "notes")
    assert "Traceback" not in plugin.errors
    assert "Not readable with your rights: get pods." in answer
    plugin("why", "nobody")
    assert plugin.code == 2
    assert "There is no MeetingBot, ZoomCredential or meeting nobody" in plugin.errors
    assert cluster.api.get(core_path("namespaces", name=tenant.namespace))

"""Templates: side-cars, init containers, the cluster's default template, and the examples of them."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from tests.cluster.api import core_path, wait_until
from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
MEETING = {"id": "81234567890"}


def bot(tenant: Tenant, name: str, *containers: dict[str, Any], **pod: Any) -> None:
    template = {"spec": {"containers": list(containers), **pod}}
    tenant.apply("MeetingBot", name, {"meeting": MEETING, "tokens": [], "template": template, "retry": {"limit": 0}})


def test_the_bots_success_counts_whatever_its_side_cars_do(tenant: Tenant, kubelet: KubeletDouble) -> None:
    side_car = {"name": "uploader", "image": "test/sleep"}
    bot(tenant, "done", {"name": "bot", "image": "test/exit", "args": ["0", "1"]}, side_car)
    tenant.wait_phase("done", "Succeeded")
    assert tenant.status("meetingbots", "done")["lastAttempt"]["exitCode"] == 0
    pod = tenant.status("meetingbots", "done")["podName"]
    tenant.wait("the Pod is gone with its side-car", lambda: not tenant.core("pods", pod))


def test_a_side_car_that_fails_does_not_fail_the_bot(tenant: Tenant, kubelet: KubeletDouble) -> None:
    broken = {"name": "uploader", "image": "test/exit", "args": ["5"]}
    bot(tenant, "done", {"name": "bot", "image": "test/exit", "args": ["0", "2"]}, broken)
    tenant.wait_phase("done", "Succeeded")


def test_an_init_container_that_fails_is_reported(tenant: Tenant, kubelet: KubeletDouble) -> None:
    init = [{"name": "fetch", "image": "test/exit", "args": ["7"]}]
    bot(tenant, "unfit", {"name": "bot", "image": "test/sleep"}, initContainers=init)
    condition = tenant.wait_reason("meetingbots", "unfit", "BotFailed")
    assert "fetch" in condition["message"]
    assert "7" in condition["message"]


def test_the_example_for_zooms_headless_sample(tenant: Tenant, kubelet: KubeletDouble) -> None:
    example = yaml.safe_load((EXAMPLES / "bot-zoom-headless-sample.yaml").read_text())
    tenant.secret("weekly", passcode="open-sesame")
    tenant.secret("zoom-meeting-sdk", **{"config.toml": "x"})
    container = example["spec"]["template"]["spec"]["containers"][0]
    kubelet.images.add(container["image"], kubelet.images.entrypoint("test/env") or ())
    kubelet.images.add("registry.example.com/uploader", kubelet.images.entrypoint("test/sleep") or ())
    tenant.ready_credential()
    meeting = tenant.meeting(passcode="open-sesame")
    tenant.mapping(meeting.id, "alice")
    example["spec"]["meeting"]["id"] = str(meeting.id)
    tenant.apply("MeetingBot", "headless-sample", example["spec"])
    tenant.wait_phase("headless-sample", "Running")
    pod = tenant.core("pods", tenant.status("meetingbots", "headless-sample")["podName"])
    assert "--join-token=$(ZOOM_JOIN_TOKEN)" in pod["spec"]["containers"][0]["args"]
    seen = kubelet.record(tenant.namespace, pod["metadata"]["name"]).environment["bot"]
    assert (seen["ZOOM_MEETING_PASSCODE"], bool(seen["ZOOM_JOIN_TOKEN"])) == ("open-sesame", True)


@pytest.fixture
def fresh(own_cluster: ControlPlane) -> str:
    name = f"test-{uuid4().hex[:8]}"
    own_cluster.api.create(core_path("namespaces"), {"metadata": {"name": name}})
    account = core_path("serviceaccounts", namespace=name, name="default")
    wait_until(lambda: own_cluster.api.get(account) is not None, what="default service account")
    return name


def test_the_clusters_default_template(own_cluster: ControlPlane, zoom: SimClient, tmp_path: Path, fresh: str) -> None:
    default = yaml.safe_load((EXAMPLES / "settings" / "default-template.yaml").read_text())
    default["spec"]["containers"][0]["image"] = "test/sleep"
    del default["spec"]["nodeSelector"]
    file = tmp_path / "template.yaml"
    file.write_text(yaml.safe_dump(default))
    settings = {"BOT_TEMPLATE_FILE": str(file)}
    with (
        KubeletDouble(own_cluster.kubeconfig("kubelet")),
        Stack(own_cluster, zoom_url=zoom.base_url, system="meetingbots-system", settings=settings),
    ):
        tenant = Tenant(own_cluster, zoom, fresh)
        tenant.apply("MeetingBot", "plain", {"meeting": MEETING, "tokens": []})
        side_car = {"spec": {"containers": [{"name": "more", "image": "test/sleep"}], "imagePullSecrets": None}}
        tenant.apply("MeetingBot", "merged", {"meeting": MEETING, "tokens": [], "template": side_car})
        pods = {}
        for name in ("plain", "merged"):
            tenant.wait_phase(name, "Running")
            pods[name] = tenant.core("pods", tenant.status("meetingbots", name)["podName"])
        assert pods["plain"]["metadata"]["labels"]["team"] == "meeting-bots"
        assert pods["plain"]["spec"]["imagePullSecrets"] == [{"name": "registry"}]
        assert [one["name"] for one in pods["merged"]["spec"]["containers"]] == ["bot", "more"]
        assert "imagePullSecrets" not in pods["merged"]["spec"]
        default["metadata"]["labels"]["team"] = "others"
        file.write_text(yaml.safe_dump(default))
        tenant.apply("MeetingBot", "later", {"meeting": MEETING, "tokens": []})
        tenant.wait_phase("later", "Running")
        pod = tenant.core("pods", tenant.status("meetingbots", "later")["podName"])
        assert pod["metadata"]["labels"]["team"] == "others"


def test_an_operator_with_a_refused_default_template_is_not_ready(
    own_cluster: ControlPlane, zoom: SimClient, tmp_path: Path
) -> None:
    good = {"spec": {"containers": [{"name": "bot", "image": "test/sleep"}]}}
    file = tmp_path / "template.yaml"
    file.write_text(yaml.safe_dump({"spec": {**good["spec"], "nodeSelektor": {"pool": "bots"}}}))
    settings = {"BOT_TEMPLATE_FILE": str(file)}
    stack = Stack(own_cluster, zoom_url=zoom.base_url, system="meetingbots-system", settings=settings)
    try:
        stack.operator.start(wait=False)
        words = "Kubernetes refuses the default template"
        wait_until(lambda: words in stack.operator.text(), what="the refusal in the log", limit_seconds=120)
        assert 'unknown field "spec.nodeSelektor"' in stack.operator.text()
        wait_until(lambda: "serving" in stack.operator.text(), what="the operator serves", limit_seconds=120)
        assert not stack.operator.ready
        file.write_text(yaml.safe_dump(good))
        stack.operator.wait_ready()
    finally:
        stack.stop()


def test_null_removes_a_default_and_environment_has_host_and_link(tenant: Tenant, kubelet: KubeletDouble) -> None:
    """The API server keeps an explicit null in a template."""
    template = {"name": "bot", "image": "test/sleep", "securityContext": {"allowPrivilegeEscalation": None}}
    bot(tenant, "open", template, securityContext={"runAsUser": None}, terminationGracePeriodSeconds=3)
    tenant.wait_phase("open", "Running")
    name = tenant.status("meetingbots", "open")["podName"]
    pod = tenant.core("pods", name)
    assert "runAsUser" not in pod["spec"]["securityContext"]
    assert pod["spec"]["securityContext"]["runAsNonRoot"] is True
    assert "allowPrivilegeEscalation" not in pod["spec"]["containers"][0]["securityContext"]
    environment = kubelet.record(tenant.namespace, name).environment["bot"]
    assert environment["ZOOM_HOST"] == "zoom.us"
    assert environment["ZOOM_MEETING_URL"] == f"https://zoom.us/j/{MEETING['id']}"
    assert environment["ZOOM_CUSTOMER_KEY"] == tenant.get("meetingbots", "open")["metadata"]["uid"].replace("-", "")

"""Bots that are not alone in their Pods: init containers, native and plain side-cars, images at different times."""

from datetime import datetime
from typing import Any

import pytest

from tests.e2e.conftest import Measure
from tests.e2e.late_image import LateImages
from tests.e2e.test_bot import recorded
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

IMAGE = "bot-example"
# A side-car that goes on until SIGTERM.
STAYS = ["python3", "-c", "import signal, sys; signal.signal(15, lambda *_: sys.exit(0)); signal.pause()"]
INIT_SECONDS = 6
SIMULATOR = {"configMapKeyRef": {"name": "zoom-simulator", "key": "url"}}


def beside(name: str, command: list[str], **more: Any) -> dict[str, Any]:
    """A container beside the bot."""
    return {"name": name, "image": IMAGE, "command": command, "imagePullPolicy": "IfNotPresent", **more}


def send(tenant: Tenant, name: str, meeting_id: int, **pod: Any) -> None:
    """Apply a bot whose Pod has more than the bot."""
    bot = {"name": "bot", "image": IMAGE, "env": [{"name": "ZOOM_SIMULATOR_URL", "valueFrom": SIMULATOR}]}
    spec = {"containers": [bot, *pod.pop("containers", [])], **pod}
    tenant.apply("MeetingBot", name, {"meeting": {"id": str(meeting_id)}, "template": {"spec": spec}})


INIT = beside("prepare", ["python3", "-c", f"import time; time.sleep({INIT_SECONDS})"])
NATIVE = beside("native", STAYS, restartPolicy="Always")
PLAIN = beside("plain", STAYS)
PODS: dict[str, dict[str, Any]] = {
    "init": {"initContainers": [INIT]},
    "native": {"initContainers": [NATIVE]},
    "plain": {"containers": [PLAIN]},
    "all": {"initContainers": [INIT, NATIVE], "containers": [PLAIN]},
}


@pytest.mark.parametrize("kind", PODS)
def test_company_changes_nothing(tenant: Tenant, zoom: SimClient, measured: Measure, kind: str) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    send(tenant, "notes", meeting.id, **PODS[kind])
    tenant.wait_phase("notes", "Running")
    visit = recorded(tenant, meeting.id, measured=measured, what=f"Pod with company ({kind})")
    pod = tenant.status("meetingbots", "notes")["podName"]
    created = tenant.core("pods", pod)["metadata"]["creationTimestamp"]
    if "initContainers" in PODS[kind] and INIT in PODS[kind]["initContainers"]:
        (call,) = zoom.calls("meetings.jointoken", client_id=tenant.app.client_id)
        assert call.time >= moment(created) + INIT_SECONDS - 1
    assert visit.presented == ("LocalRecording",)
    zoom.act(meeting.id, "end")
    tenant.wait_phase("notes", "Succeeded")
    assert tenant.status("meetingbots", "notes")["attempts"] == 1
    # A side-car that never ends does not hold the Pod.
    tenant.wait("nothing runs any more", lambda: not running(tenant, pod))


def test_the_token_waits_for_a_side_cars_image(
    tenant: Tenant, late_images: LateImages, zoom: SimClient, measured: Measure
) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    image = late_images.name()
    send(tenant, "notes", meeting.id, containers=[PLAIN | {"image": image}])
    condition = tenant.wait_reason("meetingbots", "notes", "ImagePullFailed")
    assert "plain" in condition["message"]
    assert not zoom.calls("meetings.jointoken", client_id=tenant.app.client_id)
    late_images.arrive(image)
    tenant.wait_phase("notes", "Running", seconds=400)
    recorded(tenant, meeting.id, measured=measured, what="side-car's image late")
    zoom.act(meeting.id, "end")
    tenant.wait_phase("notes", "Succeeded")


def running(tenant: Tenant, pod: str) -> list[str]:
    """The containers of a Pod that run."""
    status = tenant.core("pods", pod).get("status", {})
    containers = [*status.get("containerStatuses", []), *status.get("initContainerStatuses", [])]
    return [one["name"] for one in containers if "running" in one["state"]]


def moment(text: str) -> float:
    """Epoch seconds of a time of the Kubernetes API."""
    return datetime.fromisoformat(text).timestamp()

"""How bots come to their end: with their meeting, by their time, by an author's wish, and what is left of them."""

import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cluster.kubelet import KubeletDouble
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient

LIVE = "meetingbots.dev/live"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def ready_meeting(tenant: Tenant, **fields: Any) -> Any:
    """A running meeting that the receiver knows."""
    tenant.ready_credential()
    meeting = tenant.meeting(emit=True, **fields)
    tenant.wait("the meeting is live", lambda: LIVE in labels(tenant, meeting.id))
    return meeting


def labels(tenant: Tenant, meeting_id: int) -> dict[str, str]:
    found: dict[str, str] = tenant.get("meetingmappings", meeting_id).get("metadata", {}).get("labels", {})
    return found


def secrets_of_bots(tenant: Tenant) -> list[str]:
    path = f"/api/v1/namespaces/{tenant.namespace}/secrets"
    items = (tenant.cluster.api.get(path) or {})["items"]
    return [item["metadata"]["name"] for item in items if "meetingbots.dev/bot" in item["metadata"].get("labels", {})]


def test_a_meeting_that_ends_takes_its_bot_along(tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient) -> None:
    meeting = ready_meeting(tenant)
    tenant.bot("notes", meeting.id, image="test/sleep", leaveAfterMeetingEndSeconds=2)
    tenant.bot("stays", meeting.id, image="test/sleep", tokens=[], meetingEndPolicy="Stay")
    tenant.wait_phase("notes", "Running")
    tenant.wait_phase("stays", "Running")
    began = datetime.now(UTC)
    zoom.act(meeting.id, "end")
    tenant.wait_phase("notes", "Succeeded")
    assert datetime.now(UTC) - began >= timedelta(seconds=1)
    ready = tenant.condition("meetingbots", "notes")
    assert (ready["status"], ready["reason"]) == ("True", "MeetingEnded")
    last = tenant.status("meetingbots", "notes")["lastAttempt"]
    assert (last["reason"], last["exitCode"]) == ("MeetingEnded", 0)
    assert tenant.status("meetingbots", "notes")["attempts"] == 1
    assert tenant.phase("stays") == "Running"
    assert LIVE in labels(tenant, meeting.id)
    assert tenant.status("meetingmappings", meeting.id)["phase"] == "Ended"
    tenant.delete("meetingbots", "stays")
    tenant.wait("the label is taken off", lambda: LIVE not in labels(tenant, meeting.id))
    assert tenant.get("meetingmappings", meeting.id)


def test_a_bot_that_is_not_ready_when_the_meeting_ends_fails_at_its_deadline(
    tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient
) -> None:
    meeting = ready_meeting(tenant)
    annotations = {"kubelet.test/pull-fails": "true"}
    tenant.bot("late", meeting.id, annotations=annotations)
    tenant.wait_reason("meetingbots", "late", "ImagePullFailed")
    zoom.act(meeting.id, "end")
    tenant.wait("the end is known", lambda: tenant.status("meetingmappings", meeting.id)["phase"] == "Ended")
    tenant.bot("late", meeting.id, annotations=annotations, startDeadlineSeconds=1)
    tenant.wait_reason("meetingbots", "late", "MeetingEnded")
    assert tenant.phase("late") == "Failed"
    tenant.wait("Pod gone", lambda: not tenant.pods())
    assert not zoom.calls("meetings.jointoken", client_id=tenant.app.client_id)


def test_max_duration_makes_a_bot_leave(tenant: Tenant, kubelet: KubeletDouble) -> None:
    meeting = tenant.meeting()
    tenant.bot("forever", meeting.id, image="test/sleep", tokens=[], maxDurationSeconds=3)
    tenant.wait_phase("forever", "Running")
    tenant.wait_reason("meetingbots", "forever", "MaxDurationExceeded")
    status = tenant.status("meetingbots", "forever")
    assert (status["phase"], status["lastAttempt"]["reason"]) == ("Failed", "MaxDurationExceeded")
    assert status["lastAttempt"]["exitCode"] == 0
    assert status["attempts"] == 1


def test_a_suspended_bot_leaves_at_once_and_comes_again_when_resumed(tenant: Tenant, kubelet: KubeletDouble) -> None:
    meeting = tenant.meeting()
    tenant.bot("notes", meeting.id, image="test/sleep", tokens=[])
    tenant.wait_phase("notes", "Running")
    tenant.bot("notes", meeting.id, image="test/sleep", tokens=[], suspend=True)
    tenant.wait_reason("meetingbots", "notes", "Suspended")
    assert tenant.phase("notes") == "Pending"
    tenant.wait("Pod gone", lambda: not tenant.pods())
    tenant.bot("notes", meeting.id, image="test/sleep", tokens=[])
    tenant.wait_phase("notes", "Running")
    status = tenant.status("meetingbots", "notes")
    assert (status["attempts"], status.get("infrastructureRestarts", 0)) == (1, 0)


@pytest.mark.parametrize("phase", ["Scheduled", "image does not come", "waits for joinAt", "does not start", "Running"])
def test_a_bot_deleted_at_any_phase_leaves_nothing(tenant: Tenant, kubelet: KubeletDouble, phase: str) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    join_at = (datetime.now(UTC) + timedelta(seconds=600 if phase == "Scheduled" else 60)).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )
    spec: dict[str, Any] = {}
    annotations = {}
    if phase in ("Scheduled", "waits for joinAt"):
        spec["joinAt"] = join_at
    if phase == "image does not come":
        annotations["kubelet.test/pull-fails"] = "true"
    if phase == "does not start":
        annotations["kubelet.test/never-start"] = "true"
    tenant.bot("notes", meeting.id, image="test/sleep", annotations=annotations, **spec)
    arrived = {
        "Scheduled": lambda: tenant.phase("notes") == "Scheduled",
        "image does not come": lambda: tenant.condition("meetingbots", "notes").get("reason") == "ImagePullFailed",
        "waits for joinAt": lambda: "CreateContainerConfigError" in str(tenant.pods()),
        "does not start": lambda: bool(secrets_of_bots(tenant)),
        "Running": lambda: tenant.phase("notes") == "Running",
    }
    tenant.wait(phase, arrived[phase])
    tenant.delete("meetingbots", "notes")
    tenant.wait("nothing is left", lambda: not tenant.pods() and not secrets_of_bots(tenant))
    started = [record for record in kubelet.records(tenant.namespace) if record.started]
    assert bool(started) == (phase == "Running")


def test_a_bot_applied_again_while_its_old_pod_still_ends_runs(tenant: Tenant, kubelet: KubeletDouble) -> None:
    kubelet.images.add("test/stubborn", [sys.executable, "-c", STUBBORN])
    meeting = tenant.meeting()
    tenant.bot("notes", meeting.id, image="test/stubborn", tokens=[])
    tenant.wait_phase("notes", "Running")
    old = tenant.status("meetingbots", "notes")["podName"]
    tenant.delete("meetingbots", "notes")
    tenant.wait("the old one was deleted", lambda: not tenant.get("meetingbots", "notes"))
    tenant.bot("notes", meeting.id, image="test/sleep", tokens=[])
    tenant.wait_phase("notes", "Running")
    assert tenant.status("meetingbots", "notes")["podName"] != old
    tenant.wait("the old Pod terminates", lambda: "deletionTimestamp" in tenant.core("pods", old)["metadata"])


def test_a_pod_that_does_not_end_in_its_grace_period_is_reported(tenant: Tenant, kubelet: KubeletDouble) -> None:
    meeting = tenant.meeting()
    spec = {"terminationGracePeriodSeconds": 1, "containers": [{"name": "bot", "image": "test/sleep"}]}
    wanted = {"meeting": {"id": str(meeting.id)}, "tokens": [], "template": {"spec": spec}}
    tenant.apply("MeetingBot", "stuck", wanted)
    tenant.wait_phase("stuck", "Running")
    kubelet.pause()
    tenant.apply("MeetingBot", "stuck", {**wanted, "suspend": True})
    condition = tenant.wait_reason("meetingbots", "stuck", "InfrastructureLost")
    assert "double-1" in condition["message"]
    kubelet.resume()
    tenant.wait_reason("meetingbots", "stuck", "Suspended")


def test_a_bot_stopped_while_its_container_is_created_never_runs(tenant: Tenant, kubelet: KubeletDouble) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    hangs = {"kubelet.test/never-start": "true"}
    tenant.bot("notes", meeting.id, annotations=hangs)
    tenant.wait("the token is delivered", lambda: bool(secrets_of_bots(tenant)))
    tenant.bot("notes", meeting.id, annotations=hangs, suspend=True)
    tenant.wait_reason("meetingbots", "notes", "Suspended")
    tenant.wait("nothing is left", lambda: not tenant.pods() and not secrets_of_bots(tenant))
    assert not any(record.started for record in kubelet.records(tenant.namespace))
    assert not tenant.visits(meeting.id)

"""Bots in a real cluster from apply to their end: the webhook through the Service, the late-token gate, the image."""

import os
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.conftest import Measure
from tests.e2e.late_image import LateImages
from tests.stack.plugin import Plugin
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.visits import Participant

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

# How long after its Pod an image arrives; 180 is what has to be right in the end, too.
IMAGE_DELAY_SECONDS = float(os.environ.get("MEETINGBOTS_E2E_IMAGE_DELAY", "40"))
OLDEST_SECONDS = 2.0


def recorded(tenant: Tenant, meeting_id: int, *, measured: Measure, what: str) -> Participant:
    """The only visit to a meeting: let in at once by a token that was fresh when the bot showed it."""
    tenant.wait(f"a join of meeting {meeting_id}", lambda: bool(tenant.visits(meeting_id)))
    (visit,) = tenant.visits(meeting_id)
    assert (visit.state, visit.recording) == ("recording", True), visit
    assert visit.token_age_seconds is not None
    measured(f"token age at the join, {what}: {visit.token_age_seconds:.2f} s")
    assert visit.token_age_seconds < OLDEST_SECONDS
    return visit


@pytest.mark.short
def test_from_apply_to_succeeded(tenant: Tenant, plugin: Plugin, zoom: SimClient, measured: Measure) -> None:
    tenant.ready_credential()
    # Zoom's list would have the meeting, too.
    tenant.wait("the first sync", lambda: bool(tenant.condition("zoomcredentials", "alice", "MeetingsSynced")))
    meeting = tenant.meeting(emit=True, passcode="e2e-passcode")
    tenant.wait("the mapping by webhook", lambda: tenant.status("meetingmappings", meeting.id).get("phase") == "Live")
    assert tenant.status("meetingmappings", meeting.id)["credentials"][0]["source"] == "Webhook"
    began = time.monotonic()
    tenant.bot("notes", {"id": str(meeting.id), "passcode": "e2e-passcode"})
    tenant.wait_phase("notes", "Running")
    measured(f"bot: from apply to Running {time.monotonic() - began:.1f} s")
    recorded(tenant, meeting.id, measured=measured, what="image there")
    status = tenant.status("meetingbots", "notes")
    pod = status["podName"]
    assert pod == f"notes-{tenant.get('meetingbots', 'notes')['metadata']['uid'][:5]}-1"
    assert status["token"]["kinds"] == ["LocalRecording"]
    tenant.wait("the join Secret is gone again", lambda: not tenant.core("secrets", f"{pod}-zoom"))
    zoom.act(meeting.id, "end")
    tenant.wait_phase("notes", "Succeeded")
    done = tenant.status("meetingbots", "notes")
    assert "Nothing." in plugin("why", "notes").partition("Do: ")[2]
    assert "container bot started" in plugin("timeline", "notes")
    assert (done["attempts"], done["lastAttempt"]["exitCode"]) == (1, 0)
    assert len(zoom.calls("meetings.jointoken", client_id=tenant.app.client_id)) == 1
    tried = [one for one in zoom.deliveries() if one.client_id == tenant.app.client_id]
    assert len(tried) >= 3, "created, started, ended"
    assert {one.state for one in tried} == {"delivered"}
    assert {len(one.attempts) for one in tried} == {1}


@pytest.mark.short
def test_a_scheduled_bot_is_staged_early_and_joins_in_time(tenant: Tenant, measured: Measure) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    join_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=25)
    tenant.bot("planned", meeting.id, joinAt=join_at.strftime("%Y-%m-%dT%H:%M:%SZ"), leadSeconds=15)
    tenant.wait_phase("planned", "Scheduled")
    assert not tenant.pods()
    tenant.wait_phase("planned", "Staging")
    assert datetime.now(UTC) < join_at
    assert not tenant.visits(meeting.id)
    tenant.wait_phase("planned", "Running")
    visit = recorded(tenant, meeting.id, measured=measured, what="scheduled")
    late = visit.time - join_at.timestamp()
    measured(f"scheduled bot: joined {late:.2f} s after joinAt")
    assert 0 <= late < 5


@pytest.mark.short
def test_an_image_that_comes_late_finds_a_fresh_token(
    tenant: Tenant, plugin: Plugin, late_images: LateImages, zoom: SimClient, measured: Measure
) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    image = late_images.name()
    began = time.monotonic()
    tenant.bot("late", meeting.id, image=image)
    condition = tenant.wait_reason("meetingbots", "late", "ImagePullFailed")
    assert image in condition["message"]
    assert tenant.phase("late") == "Staging"
    answer = plugin("why", "late")
    assert plugin.code == 1
    assert image in answer.partition("Cause: ")[2]
    assert "pull secret" in answer.partition("Do: ")[2]
    time.sleep(max(0.0, began + IMAGE_DELAY_SECONDS - time.monotonic()))  # nobody can set the clock of a real kubelet
    assert not zoom.calls("meetings.jointoken", client_id=tenant.app.client_id)
    late_images.arrive(image)
    arrived = time.monotonic()
    # The kubelet looks again by its own back-off, which grows to five minutes.
    tenant.wait_phase("late", "Running", seconds=400)
    measured(f"image {arrived - began:.0f} s late: Running {time.monotonic() - arrived:.1f} s after it came")
    recorded(tenant, meeting.id, measured=measured, what=f"image {arrived - began:.0f} s late")
    assert len(zoom.calls("meetings.jointoken", client_id=tenant.app.client_id)) == 1
    status = tenant.status("meetingbots", "late")
    assert status["attempts"] == 1
    assert status.get("infrastructureRestarts", 0) == 0
    assert tenant.condition("meetingbots", "late")["status"] == "True"


def test_an_image_that_never_comes_ends_the_bot_in_time(tenant: Tenant, late_images: LateImages) -> None:
    tenant.bot("never", tenant.meeting().id, image=late_images.name(), tokens=[], startDeadlineSeconds=15)
    tenant.wait_reason("meetingbots", "never", "ImagePullFailed")
    tenant.wait_phase("never", "Failed")
    ready = tenant.condition("meetingbots", "never")
    assert ready["reason"] == "StartDeadlineExceeded"
    assert "image" in ready["message"]
    assert tenant.condition("meetingbots", "never", "Stalled")["status"] == "True"
    pod = tenant.status("meetingbots", "never")["podName"]
    tenant.wait("its Pod is gone", lambda: not tenant.core("pods", pod))

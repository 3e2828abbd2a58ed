"""MeetingBots from apply to their end, with operator, receiver, Zoom and a node that runs the bots' containers."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.world import Account, User

ENVIRONMENT = {
    "ZOOM_MEETING_ID",
    "ZOOM_MEETING_PASSCODE",
    "ZOOM_REGISTRANT_TOKEN",
    "ZOOM_DISPLAY_NAME",
    "ZOOM_JOIN_TOKEN",
    "ZOOM_OBF_TOKEN",
    "ZOOM_ZAK",
    "ZOOM_LIVE_STREAMING_TOKEN",
    "ZOOM_LOCAL_ARCHIVING_TOKEN",
    "ZOOM_TOKEN_REASON",
}


def test_a_bot_goes_from_apply_to_succeeded(
    tenant: Tenant, kubelet: KubeletDouble, cluster: ControlPlane, zoom: SimClient
) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting(emit=True)
    tenant.wait_mapped(meeting.id)
    tenant.bot("notes", meeting.id)
    tenant.wait_phase("notes", "Running")
    status = tenant.status("meetingbots", "notes")
    assert status["credentialName"] == "alice"
    assert status["token"]["kinds"] == ["LocalRecording"]
    assert tenant.condition("meetingbots", "notes", "TokenIssued")["status"] == "True"
    tenant.wait("join", lambda: bool(tenant.visits(meeting.id)))
    (visit,) = tenant.visits(meeting.id)
    assert (visit.state, visit.recording) == ("recording", True)
    assert visit.token_age_seconds is not None
    assert visit.token_age_seconds < 60
    pod = status["podName"]
    assert pod == f"notes-{tenant.get('meetingbots', 'notes')['metadata']['uid'][:5]}-1"
    tenant.wait("Secret gone", lambda: not tenant.core("secrets", f"{pod}-zoom"))
    zoom.act(meeting.id, "end")
    tenant.wait_phase("notes", "Succeeded")
    done = tenant.status("meetingbots", "notes")
    assert done["attempts"] == 1
    assert done["lastAttempt"]["exitCode"] == 0
    assert done["completionTime"]
    calls = [
        call
        for call in cluster.calls()
        if call.user.endswith(":operator") and call.namespace == tenant.namespace and "events" not in call.resource
    ]
    mine = [
        call
        for call in calls
        if call.resource in ("meetingbots", "meetingbots/status", "pods")
        or call.name == f"{pod}-zoom"
        or (call.resource == "meetingmappings" and call.verb == "get")
        or (call.resource == "secrets" and call.verb == "create" and not call.name)
    ]
    # Eight for the bot, and one patch of the status for each change that Zoom reports of it in the meeting.
    assert len(mine) <= 8 + 3, "\n".join(f"{call.verb} {call.resource} {call.name}" for call in mine)


def test_the_environment_is_complete_and_only_secret_where_it_must_be(tenant: Tenant, kubelet: KubeletDouble) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting(passcode="open-sesame")
    tenant.mapping(meeting.id, "alice")
    link = f"https://acme.zoom.us/j/{meeting.id}?pwd=open-sesame&tk=registrant-token"
    tenant.secret("link", url=f"{link}\n")
    tenant.bot(
        "notes",
        {"urlSecretKeyRef": {"name": "link", "key": "url"}},
        image="test/env",
        args=["--join-token", "$(ZOOM_JOIN_TOKEN)"],
        displayName="Bot $(HOME)",
    )
    tenant.wait_phase("notes", "Running")
    pod = tenant.status("meetingbots", "notes")["podName"]
    seen = kubelet.record(tenant.namespace, pod).environment["bot"]
    assert set(seen) >= ENVIRONMENT
    assert seen["ZOOM_MEETING_ID"] == str(meeting.id)
    assert seen["ZOOM_MEETING_PASSCODE"] == "open-sesame"
    assert seen["ZOOM_REGISTRANT_TOKEN"] == "registrant-token"
    assert seen["ZOOM_DISPLAY_NAME"] == "Bot $(HOME)"
    assert seen["ZOOM_JOIN_TOKEN"]
    assert (seen["ZOOM_ZAK"], seen["ZOOM_OBF_TOKEN"], seen["ZOOM_TOKEN_REASON"]) == ("", "", "")
    text = json.dumps([tenant.core("pods", pod), tenant.get("meetingbots", "notes")])
    assert "open-sesame" not in text
    assert "registrant-token" not in text
    assert seen["ZOOM_JOIN_TOKEN"] not in text


def test_the_token_is_made_when_the_image_is_there_and_not_before(
    tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient
) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    tenant.bot("late", meeting.id, annotations={"kubelet.test/pull-fails": "true"})
    assert tenant.wait_reason("meetingbots", "late", "ImagePullFailed")["message"]
    assert tenant.phase("late") == "Staging"
    assert not zoom.calls("meetings.jointoken", client_id=tenant.app.client_id)
    kubelet.release(tenant.namespace, tenant.status("meetingbots", "late")["podName"])
    tenant.wait_phase("late", "Running")
    tenant.wait("join", lambda: bool(tenant.visits(meeting.id)))
    (visit,) = tenant.visits(meeting.id)
    assert visit.state == "recording"
    assert visit.token_age_seconds is not None
    assert visit.token_age_seconds < 60


def test_a_scheduled_bot_is_staged_early_and_joins_in_time(
    tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient
) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    join_at = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=30)
    tenant.bot("planned", meeting.id, joinAt=join_at.strftime("%Y-%m-%dT%H:%M:%SZ"), leadSeconds=15)
    tenant.wait_phase("planned", "Scheduled")
    assert tenant.condition("meetingbots", "planned")["status"] == "True"
    assert not tenant.pods()
    tenant.wait_phase("planned", "Staging")
    tenant.wait_phase("planned", "Running")
    started = kubelet.record(tenant.namespace, tenant.status("meetingbots", "planned")["podName"]).started["bot"]
    assert started >= join_at.timestamp()
    calls = zoom.calls("meetings.jointoken", client_id=tenant.app.client_id)
    assert [call.time >= join_at.timestamp() for call in calls] == [True]


def test_without_a_token_a_preferred_bot_goes_and_a_required_one_does_not(
    tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient
) -> None:
    stranger = zoom.add_user(User(account_id=zoom.add_account(Account()).id, email=f"{tenant.namespace}@x.example"))
    meeting = tenant.meeting(host_id=stranger.id, waiting_room=False)
    tenant.bot("asks", meeting.id)
    tenant.bot("insists", meeting.id, tokenPolicy="Required", startDeadlineSeconds=30)
    tenant.wait_phase("asks", "Running")
    tenant.wait("join", lambda: bool(tenant.visits(meeting.id)))
    assert tenant.visits(meeting.id)[0].state == "asks_host"
    assert tenant.status("meetingbots", "asks")["token"]["reason"] == "NoMapping"
    assert tenant.condition("meetingbots", "asks")["status"] == "True"
    tenant.wait_phase("insists", "Failed")
    assert tenant.condition("meetingbots", "insists")["reason"] == "NoMapping"
    assert tenant.condition("meetingbots", "insists", "Stalled")["status"] == "True"
    pod = tenant.status("meetingbots", "insists")["podName"]
    tenant.wait("Pod of the failed bot gone", lambda: not tenant.core("pods", pod))


@pytest.mark.parametrize("policy", ["Preferred", "Required"])
def test_a_passing_failure_of_zoom_is_waited_out(
    tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient, policy: str
) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    mine = tenant.app.client_id
    zoom.fault("meetings.jointoken", "html", status=502, client_id=mine)
    zoom.fault("meetings.jointoken", "rate_limited", header="seconds", client_id=mine)
    tenant.bot("patient", meeting.id, tokenPolicy=policy)
    tenant.wait_phase("patient", "Running")
    tenant.wait("join", lambda: bool(tenant.visits(meeting.id)))
    assert tenant.visits(meeting.id)[0].state == "recording"


def test_a_failure_that_lasts_sends_a_preferred_bot_without_and_ends_a_required_one(
    tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient
) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    zoom.fault("meetings.jointoken", "html", status=503, count=0, client_id=tenant.app.client_id)
    tenant.bot("asks", meeting.id, tokenWaitSeconds=2)
    tenant.bot("insists", meeting.id, tokenPolicy="Required", startDeadlineSeconds=30)
    tenant.wait_reason("meetingbots", "insists", "ZoomUnavailable")
    tenant.wait_phase("asks", "Running")
    assert tenant.status("meetingbots", "asks")["token"]["reason"] == "ZoomUnavailable"
    tenant.wait_phase("insists", "Failed")
    ready = tenant.condition("meetingbots", "insists")
    assert ready["reason"] == "StartDeadlineExceeded"
    assert "503" in ready["message"]


def test_a_zoom_setting_is_reported_by_its_name(tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    zoom.change_user(tenant.user.id, emit=False, local_recording=False)
    tenant.bot("notes", meeting.id, credentialRef={"name": "alice"}, tokenPolicy="Required")
    tenant.wait_phase("notes", "Failed")
    ready = tenant.condition("meetingbots", "notes")
    assert ready["reason"] == "LocalRecordingDisabled"
    assert "alice (credentialRef)" in ready["message"]


def test_a_bot_created_after_its_deadline_never_runs(tenant: Tenant, kubelet: KubeletDouble) -> None:
    tenant.bot("late", 81234567890, joinAt="2020-01-01T00:00:00Z")
    tenant.wait_phase("late", "Expired")
    assert tenant.condition("meetingbots", "late")["status"] == "True"
    assert not tenant.pods()


def test_a_bot_that_fails_is_tried_again_and_then_reported(tenant: Tenant, kubelet: KubeletDouble) -> None:
    meeting = tenant.meeting()
    retry = {"limit": 1, "backoffSeconds": 0}
    tenant.bot("broken", meeting.id, image="test/exit", args=["3"], tokens=[], retry=retry)
    tenant.wait_phase("broken", "Failed")
    status = tenant.status("meetingbots", "broken")
    assert tenant.condition("meetingbots", "broken")["reason"] == "BotFailed"
    assert (status["attempts"], status["lastAttempt"]["exitCode"]) == (2, 3)
    assert len(tenant.pods()) == 2


@pytest.mark.parametrize(
    ("meeting", "reason"),
    [
        ({"url": "https://zoom.us/signin"}, "InvalidMeeting"),
        ({"url": "https://zoom.us.evil.example/j/81234567890"}, "InvalidMeeting"),
        ({"id": "12"}, "InvalidMeeting"),
        ({"url": "https://zoom.us/my/alice"}, "VanityLink"),
        ({"urlSecretKeyRef": {"name": "nowhere", "key": "url"}}, "ConfigError"),
    ],
)
def test_a_meeting_that_cannot_be_joined_is_reported(tenant: Tenant, meeting: dict[str, object], reason: str) -> None:
    tenant.bot("lost", meeting)
    tenant.wait_reason("meetingbots", "lost", reason)
    assert not tenant.pods()


def test_a_bad_template_is_reported_and_a_better_one_runs(tenant: Tenant, kubelet: KubeletDouble) -> None:
    meeting = {"id": str(tenant.meeting().id)}

    def reported(words: str, template: dict[str, Any]) -> None:
        tenant.apply("MeetingBot", "notes", {"meeting": meeting, "tokens": [], "template": template})

        def is_refused() -> bool:
            ready = tenant.condition("meetingbots", "notes")
            return ready.get("reason") == "TemplateInvalid" and words in ready["message"]

        tenant.wait(f"TemplateInvalid that names {words}", is_refused)

    container = {"name": "bot", "image": "test/sleep"}
    reported("container named bot", {"spec": {"containers": [{**container, "name": "robot"}]}})
    reported("hostname", {"spec": {"containers": [container], "hostname": "-bad-"}})
    reported("imagePullPolcy", {"spec": {"containers": [{**container, "imagePullPolcy": "Never"}]}})
    assert not tenant.pods()
    tenant.bot("notes", int(meeting["id"]), image="test/sleep", tokens=[])
    tenant.wait_phase("notes", "Running")


def test_a_deleted_bot_takes_its_pod_with_it(tenant: Tenant, kubelet: KubeletDouble) -> None:
    meeting = tenant.meeting()
    tenant.bot("notes", meeting.id, image="test/sleep", tokens=[])
    tenant.wait_phase("notes", "Running")
    tenant.delete("meetingbots", "notes")
    tenant.wait("Pod gone", lambda: not tenant.pods())
    tenant.bot("notes", meeting.id, image="test/sleep", tokens=[])
    tenant.wait_phase("notes", "Running")


def test_an_edit_after_joining_is_reported_and_ignored(tenant: Tenant, kubelet: KubeletDouble) -> None:
    meeting = tenant.meeting()
    tenant.bot("notes", meeting.id, image="test/sleep", tokens=[])
    tenant.wait_phase("notes", "Running")
    pod = tenant.status("meetingbots", "notes")["podName"]
    tenant.bot("notes", meeting.id, image="test/sleep", tokens=[], displayName="Someone else")
    tenant.wait(
        "SpecChangeIgnored",
        lambda: tenant.condition("meetingbots", "notes", "SpecChangeIgnored").get("status") == "True",
    )
    assert tenant.status("meetingbots", "notes")["podName"] == pod
    assert [item["metadata"]["name"] for item in tenant.pods()] == [pod]


def test_the_token_comes_before_the_pod_where_there_is_no_kubelet(tenant: Tenant, kubelet: KubeletDouble) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    tenant.bot("early", meeting.id, tokenDelivery="BeforePod")
    tenant.wait_phase("early", "Running")
    tenant.wait("join", lambda: bool(tenant.visits(meeting.id)))
    assert tenant.visits(meeting.id)[0].state == "recording"

"""How the end of a Pod is judged, runs of a meeting without the bot, and where the bot is in its meeting."""

from typing import Any

from tests.cluster.kubelet import KubeletDouble
from tests.integration.test_bots_end import ready_meeting
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.join import JoinRequest


def runs(tenant: Tenant, **spec: Any) -> Any:
    """A bot that runs; returns its meeting."""
    meeting = ready_meeting(tenant)
    tenant.bot("notes", meeting.id, image="test/sleep", **spec)
    tenant.wait_phase("notes", "Running")
    return meeting


def terminated(code: int, reason: str) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason, "startedAt": None, "finishedAt": None}}


def report_end(tenant: Tenant, state: dict[str, Any], **status: Any) -> None:
    """Report the end of the only Pod as a kubelet does that has lost its container."""
    (pod,) = tenant.pods()
    containers = [{**one, "state": state} for one in pod["status"]["containerStatuses"]]
    path = f"/api/v1/namespaces/{tenant.namespace}/pods/{pod['metadata']['name']}/status"
    tenant.cluster.api.patch(path, {"status": {"phase": "Failed", "containerStatuses": containers, **status}})


def join_request(tenant: Tenant, meeting: Any) -> JoinRequest:
    """The join of the bot's program, without a token."""
    key = tenant.get("meetingbots", "notes")["metadata"]["uid"].replace("-", "")
    return JoinRequest(meeting_id=str(meeting.id), passcode=meeting.passcode, customer_key=key)


def last_attempt(tenant: Tenant) -> dict[str, Any]:
    tenant.wait("the end is recorded", lambda: "lastAttempt" in tenant.status("meetingbots", "notes"))
    found: dict[str, Any] = tenant.status("meetingbots", "notes")["lastAttempt"]
    return found


def test_a_rebooted_node_is_a_loss(tenant: Tenant, kubelet: KubeletDouble) -> None:
    runs(tenant)
    kubelet.pause()
    report_end(tenant, terminated(255, "Unknown"))
    assert last_attempt(tenant)["reason"] == "InfrastructureLost"
    kubelet.resume()
    tenant.wait_phase("notes", "Running")
    status = tenant.status("meetingbots", "notes")
    assert (status["attempts"], status["infrastructureRestarts"]) == (1, 1)


def test_a_limit_that_the_bot_broke_is_its_failure(tenant: Tenant, kubelet: KubeletDouble) -> None:
    runs(tenant, retry={"limit": 0})
    kubelet.pause()
    message = 'Usage of EmptyDir volume "recordings" exceeds the limit "1Gi". '
    pod_status = {"reason": "Evicted", "message": message}
    report_end(tenant, terminated(137, "ContainerStatusUnknown"), **pod_status)
    assert last_attempt(tenant)["reason"] == "BotFailed"
    kubelet.resume()
    assert "recordings" in tenant.condition("meetingbots", "notes")["message"]


def test_out_of_memory_is_named(tenant: Tenant, kubelet: KubeletDouble) -> None:
    runs(tenant, retry={"limit": 0})
    (pod,) = tenant.pods()
    kubelet.oom_kill(tenant.namespace, pod["metadata"]["name"], "bot")
    tenant.wait_phase("notes", "Failed")
    ready = tenant.condition("meetingbots", "notes")
    assert (ready["reason"], "OOMKilled" in ready["message"]) == ("BotFailed", True)
    assert "OOMKilled" in last_attempt(tenant)["message"]


def test_the_bot_joins_the_run_after_one_that_it_was_not_in(
    tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient
) -> None:
    meeting = ready_meeting(tenant)
    kubelet.pause()
    tenant.bot("notes", meeting.id, image="test/sleep", leaveAfterMeetingEndSeconds=0)
    tenant.wait("the Pod is created", lambda: bool(tenant.pods()))
    zoom.act(meeting.id, "end")
    tenant.wait("the end is known", lambda: tenant.get("meetingmappings", meeting.id)["status"]["phase"] == "Ended")
    kubelet.resume()
    tenant.wait_phase("notes", "Running")
    zoom.act(meeting.id, "start")
    tenant.wait("run B is known", lambda: tenant.get("meetingmappings", meeting.id)["status"]["phase"] == "Live")
    assert tenant.phase("notes") == "Running"
    zoom.act(meeting.id, "end")
    tenant.wait_phase("notes", "Succeeded")
    assert tenant.condition("meetingbots", "notes")["reason"] == "MeetingEnded"


def test_a_bot_that_stays_is_replaced_after_the_meetings_end(
    tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient
) -> None:
    meeting = runs(tenant, meetingEndPolicy="Stay")
    zoom.act(meeting.id, "end")
    tenant.wait("the end is known", lambda: tenant.get("meetingmappings", meeting.id)["status"]["phase"] == "Ended")
    (pod,) = tenant.pods()
    kubelet.evict(tenant.namespace, pod["metadata"]["name"])
    assert last_attempt(tenant)["reason"] == "InfrastructureLost"
    tenant.wait_phase("notes", "Running")


def test_the_pod_of_a_finished_bot_is_kept_for_its_retention(tenant: Tenant, kubelet: KubeletDouble) -> None:
    runs(tenant, retry={"limit": 0}, podRetentionSeconds=20)
    (pod,) = tenant.pods()
    kubelet.kill(tenant.namespace, pod["metadata"]["name"], "bot")
    tenant.wait_phase("notes", "Failed")
    assert len(tenant.pods()) == 1
    tenant.wait("the Pod is deleted", lambda: not tenant.pods())


def test_zooms_events_say_where_the_bot_is(tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient) -> None:
    meeting = runs(tenant)
    assert tenant.condition("meetingbots", "notes", "Admitted")["status"] == "Unknown"
    visit = zoom.join(join_request(tenant, meeting))

    def condition(kind: str) -> tuple[str, str]:
        found = tenant.condition("meetingbots", "notes", kind)
        return found["status"], found["reason"]

    tenant.wait("it is admitted", lambda: condition("Admitted") == ("True", "Admitted"))
    assert condition("Recording") == ("Unknown", "NotReported")
    zoom.leave(visit.id)
    tenant.wait("it has left", lambda: condition("Recording") == ("False", "Left"))
    seen = tenant.status("meetingbots", "notes")["inMeeting"]
    assert (seen["state"], seen["source"]) == ("left", "Zoom")
    assert {"admittedTime", "leftTime"} <= set(seen)

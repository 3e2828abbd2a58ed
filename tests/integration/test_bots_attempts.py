"""How a Pod ends decides what follows: a lost one is replaced uncounted, a failure counts; evidence is kept."""

from collections.abc import Callable

import pytest

from tests.cluster.api import core_path
from tests.cluster.kubelet import KubeletDouble
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient

Lose = Callable[[KubeletDouble, Tenant, str], None]


def delete(_: KubeletDouble, tenant: Tenant, pod: str) -> None:
    tenant.cluster.api.delete(core_path("pods", namespace=tenant.namespace, name=pod))


LOSSES: dict[str, Lose] = {
    "evicted": lambda kubelet, tenant, pod: kubelet.evict(tenant.namespace, pod),
    "preempted": lambda kubelet, tenant, pod: kubelet.preempt(tenant.namespace, pod),
    "deleted": delete,
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_lost_bot_comes_again_uncounted_with_a_new_token(
    tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient, loss: str
) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    tenant.bot("notes", meeting.id, retry={"limit": 0})
    tenant.wait("the first joins", lambda: len(tenant.visits(meeting.id)) == 1)
    tenant.wait_phase("notes", "Running")
    first = tenant.status("meetingbots", "notes")["podName"]
    LOSSES[loss](kubelet, tenant, first)
    tenant.wait("the second joins", lambda: len(tenant.visits(meeting.id)) == 2)
    tenant.wait_phase("notes", "Running")
    status = tenant.status("meetingbots", "notes")
    assert (status["attempts"], status["infrastructureRestarts"]) == (1, 1)
    assert status["podName"] == f"{first[:-1]}2"
    last = status["lastAttempt"]
    assert (last["podName"], last["reason"]) == (first, "InfrastructureLost")
    assert last["endTime"]
    assert [visit.state for visit in tenant.visits(meeting.id)] == ["recording", "recording"]
    assert len(zoom.calls("meetings.jointoken", client_id=tenant.app.client_id)) == 2


@pytest.mark.parametrize("reason", ["OutOfcpu", "UnexpectedAdmissionError", "NodeAffinity"])
def test_a_pod_that_the_kubelet_rejects_is_replaced_uncounted(
    tenant: Tenant, kubelet: KubeletDouble, reason: str
) -> None:
    kubelet.reject_next(reason=reason)
    tenant.bot("notes", 81234567890, image="test/sleep", tokens=[], retry={"limit": 0})
    tenant.wait_phase("notes", "Running")
    status = tenant.status("meetingbots", "notes")
    assert (status["attempts"], status["infrastructureRestarts"]) == (1, 1)
    assert reason.removeprefix("OutOf") in status["lastAttempt"]["message"]


def test_a_failure_counts_and_its_evidence_is_kept(tenant: Tenant, kubelet: KubeletDouble) -> None:
    tenant.bot("notes", 81234567890, image="test/sleep", tokens=[], retry={"limit": 0})
    tenant.wait_phase("notes", "Running")
    pod = tenant.status("meetingbots", "notes")["podName"]
    kubelet.oom_kill(tenant.namespace, pod, "bot")
    tenant.wait_reason("meetingbots", "notes", "BotFailed")
    last = tenant.status("meetingbots", "notes")["lastAttempt"]
    assert (last["podName"], last["node"], last["exitCode"]) == (pod, "double-1", 137)
    assert last["startTime"] <= last["endTime"]


def test_some_exit_codes_are_never_tried_again(tenant: Tenant, kubelet: KubeletDouble) -> None:
    retry = {"limit": 5, "backoffSeconds": 0, "neverOnExitCodes": [7]}
    tenant.bot("notes", 81234567890, image="test/exit", args=["7"], tokens=[], retry=retry)
    tenant.wait_reason("meetingbots", "notes", "BotFailed")
    assert tenant.status("meetingbots", "notes")["attempts"] == 1
    assert len(kubelet.records(tenant.namespace)) == 1


def test_the_termination_message_of_a_bot_is_reported(tenant: Tenant, kubelet: KubeletDouble) -> None:
    meeting = tenant.meeting(passcode="needed")
    tenant.bot("notes", meeting.id, tokens=[], retry={"limit": 0})
    condition = tenant.wait_reason("meetingbots", "notes", "BotFailed")
    assert "the passcode is wrong" in condition["message"]
    assert "the passcode is wrong" in tenant.status("meetingbots", "notes")["lastAttempt"]["message"]


def test_transitions_are_reported_as_events(tenant: Tenant, kubelet: KubeletDouble) -> None:
    tenant.bot("notes", 81234567890, image="test/exit", args=["3"], tokens=[], retry={"limit": 1, "backoffSeconds": 0})
    tenant.wait_reason("meetingbots", "notes", "BotFailed")
    tenant.wait_phase("notes", "Failed")

    def reported() -> set[tuple[str, str]]:
        path = f"/apis/events.k8s.io/v1/namespaces/{tenant.namespace}/events"
        items = (tenant.cluster.api.get(path) or {})["items"]
        return {(item["reason"], item["type"]) for item in items if item["regarding"]["name"] == "notes"}

    tenant.wait("the failure's event", lambda: ("BotFailed", "Warning") in reported())
    tenant.wait("the event of the staging", lambda: ("Staging", "Normal") in reported())


def test_a_lost_node_is_a_loss(tenant: Tenant, kubelet: KubeletDouble) -> None:
    tenant.bot("notes", 81234567890, image="test/sleep", tokens=[], retry={"limit": 0})
    tenant.wait_phase("notes", "Running")
    first = tenant.status("meetingbots", "notes")["podName"]
    kubelet.lose_node()
    delete(kubelet, tenant, first)
    kubelet.find_node()
    tenant.wait("replaced", lambda: tenant.status("meetingbots", "notes")["podName"] != first)
    tenant.wait_phase("notes", "Running")
    assert tenant.status("meetingbots", "notes")["infrastructureRestarts"] == 1

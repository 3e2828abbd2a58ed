from typing import Any

import pytest

from tests.cluster.kubelet.status import (
    ContainerView,
    Role,
    Running,
    State,
    Terminated,
    Verdict,
    Waiting,
    phase,
    pod_status,
)

WAITING = Waiting(reason="ContainerCreating")
RUNS = Running(started=100.0)
GOOD = Terminated(exit_code=0, reason="Completed", started=100.0, finished=110.0)
BAD = Terminated(exit_code=3, reason="Error", message="why", started=100.0, finished=110.0)


def view(state: State, *, role: Role = Role.MAIN, name: str = "bot", last: Terminated | None = None) -> ContainerView:
    return ContainerView(
        name=name, role=role, image="i:1", image_id="i@x", container_id="double://1", state=state, last=last, restarts=0
    )


@pytest.mark.parametrize(
    ("views", "policy", "expected"),
    [
        ([view(WAITING)], "Never", "Pending"),
        ([view(RUNS)], "Never", "Running"),
        ([view(GOOD)], "Never", "Succeeded"),
        ([view(BAD)], "Never", "Failed"),
        ([view(RUNS), view(BAD)], "Never", "Running"),
        ([view(GOOD), view(BAD)], "Never", "Failed"),
        ([view(RUNS), view(WAITING)], "Never", "Pending"),
        ([view(GOOD)], "Always", "Running"),
        ([view(BAD)], "OnFailure", "Running"),
        ([view(GOOD)], "OnFailure", "Succeeded"),
        ([view(Waiting(reason="CrashLoopBackOff"), last=BAD)], "Always", "Running"),
        ([view(BAD, role=Role.INIT), view(WAITING)], "Never", "Failed"),
        ([view(BAD, role=Role.INIT), view(WAITING)], "OnFailure", "Pending"),
        ([view(GOOD, role=Role.INIT), view(RUNS)], "Never", "Running"),
        ([view(RUNS, role=Role.SIDECAR), view(GOOD)], "Never", "Running"),
        ([view(BAD, role=Role.SIDECAR), view(GOOD)], "Never", "Succeeded"),
    ],
)
def test_phase(views: list[ContainerView], policy: str, expected: str) -> None:
    assert phase(views, restart_policy=policy) == expected


def status(*views: ContainerView, before: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return pod_status(views, restart_policy="Never", started=90.0, now=120.0, before=before or {}, **more)


def conditions(result: dict[str, Any]) -> dict[str, Any]:
    return {each["type"]: each for each in result["conditions"]}


def test_a_running_pod_is_ready() -> None:
    result = status(view(RUNS))
    assert {kind: each["status"] for kind, each in conditions(result).items()} == {
        "PodReadyToStartContainers": "True",
        "Initialized": "True",
        "Ready": "True",
        "ContainersReady": "True",
        "PodScheduled": "True",
    }
    assert result["startTime"] == "1970-01-01T00:01:30Z"
    assert result["containerStatuses"][0]["state"] == {"running": {"startedAt": "1970-01-01T00:01:40Z"}}


def test_a_waiting_pod_says_which_container_is_not_ready() -> None:
    ready = conditions(status(view(Waiting(reason="CreateContainerConfigError", message='secret "s" not found'))))[
        "Ready"
    ]
    assert (ready["status"], ready["reason"]) == ("False", "ContainersNotReady")
    assert ready["message"] == "containers with unready status: [bot]"


def test_an_ended_container_has_code_reason_message_and_times() -> None:
    result = status(view(BAD))
    assert result["containerStatuses"][0]["state"]["terminated"] == {
        "exitCode": 3,
        "reason": "Error",
        "message": "why",
        "startedAt": "1970-01-01T00:01:40Z",
        "finishedAt": "1970-01-01T00:01:50Z",
        "containerID": "double://1",
    }
    assert conditions(result)["Ready"]["reason"] == "PodFailed"


def test_init_containers_have_a_list_of_their_own_and_hold_back_initialized() -> None:
    result = status(view(RUNS, role=Role.INIT, name="prepare"), view(Waiting(reason="PodInitializing")))
    assert [each["name"] for each in result["initContainerStatuses"]] == ["prepare"]
    assert conditions(result)["Initialized"]["message"] == "containers with incomplete status: [prepare]"


def test_a_verdict_fails_the_pod_whatever_its_containers_say() -> None:
    verdict = Verdict(reason="Evicted", message="low on memory", disruption="TerminationByKubelet")
    result = status(view(GOOD), verdict=verdict)
    assert (result["phase"], result["reason"], result["message"]) == ("Failed", "Evicted", "low on memory")
    assert conditions(result)["DisruptionTarget"]["reason"] == "TerminationByKubelet"


def test_transition_times_stay_while_the_status_does_and_foreign_conditions_are_kept() -> None:
    before = {
        "conditions": [
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": "old"},
            {"type": "Ready", "status": "False", "lastTransitionTime": "old"},
            {"type": "example.com/gate", "status": "True", "lastTransitionTime": "old"},
        ]
    }
    found = conditions(status(view(RUNS), before=before))
    assert found["PodScheduled"]["lastTransitionTime"] == "old"
    assert found["Ready"]["lastTransitionTime"] == "1970-01-01T00:02:00Z"
    assert found["example.com/gate"]["lastTransitionTime"] == "old"

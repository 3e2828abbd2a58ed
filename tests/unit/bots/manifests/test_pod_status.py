from typing import Any

import pytest
from meetingbots.bots.decide.pod_state import Obstacle, Trouble
from meetingbots.bots.manifests.pod_status import pod_state

from tests.unit.bots.bot_builders import CREATING, SECRET, WAITS, at, ended, pod, pod_object, running

MISSES_ANOTHER = {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "their-own" not found'}}


def test_gate_is_reached_when_the_bot_waits_for_its_own_secret_only() -> None:
    assert pod(WAITS).at_gate


@pytest.mark.parametrize(
    "made",
    [
        pod(None),
        pod(CREATING),
        pod({}),
        pod(running(), phase="Running"),
        pod(ended(1), phase="Failed"),
        pod(MISSES_ANOTHER),
        pod(WAITS, deleted_at=1),
        pod(WAITS, phase="Failed", reason="Evicted"),
        pod(WAITS, others={"sidecar": CREATING}),
        pod(WAITS, others={"sidecar": {"waiting": {"reason": "ImagePullBackOff"}}}),
        pod(WAITS, others={"sidecar": MISSES_ANOTHER}),
        pod(WAITS, init={"setup": {"waiting": {"reason": "CrashLoopBackOff"}}}),
        pod({"waiting": {"reason": "PodInitializing"}}, init={"setup": running()}),
        pod({"waiting": {"reason": "CreateContainerError", "message": f'secret "{SECRET}" not found'}}),
        pod({"waiting": {"reason": "CreateContainerConfigError", "message": f'secret "not-{SECRET}" not found'}}),
    ],
    ids=lambda made: f"{made.phase}-{made.bot}"[:60],
)
def test_gate_is_not_reached_before(made: Any) -> None:
    assert not made.at_gate


def test_gate_is_reached_beside_containers_that_run_have_ended_or_wait_for_the_same_secret() -> None:
    made = pod(WAITS, others={"a": running(), "b": ended(0), "c": WAITS}, init={"setup": ended(0), "mesh": running()})
    assert made.at_gate


def test_reads_the_times_and_the_end_of_a_container() -> None:
    made = pod(ended(3, message="kicked", start=5, end=65), phase="Failed")
    assert made.bot is not None
    assert (made.bot.exit_code, made.bot.message, made.bot.reason) == (3, "kicked", "Error")
    assert (made.bot.started_at, made.bot.finished_at) == (at(5), at(65))
    assert made.started
    assert made.over
    assert made.node == "node-1"


def test_a_running_container_without_a_time_has_run_since_its_pod_was_made() -> None:
    made = pod({"running": {}}, phase="Running")
    assert made.bot is not None
    assert not made.bot.terminated
    assert made.bot.started_at == at(0)


def test_the_bot_is_over_while_its_side_cars_go_on() -> None:
    made = pod(ended(0), phase="Running", others={"sidecar": running()})
    assert made.over
    assert not made.finished


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        ({"waiting": {"reason": "ErrImagePull", "message": "no such image"}}, Obstacle.IMAGE),
        ({"waiting": {"reason": "ImagePullBackOff"}}, Obstacle.IMAGE),
        ({"waiting": {"reason": "InvalidImageName"}}, Obstacle.IMAGE),
        ({"waiting": {"reason": "ErrImageNeverPull"}}, Obstacle.IMAGE),
        (MISSES_ANOTHER, Obstacle.CONFIG),
        ({"waiting": {"reason": "CreateContainerError"}}, Obstacle.CONFIG),
        ({"waiting": {"reason": "RunContainerError"}}, Obstacle.CONFIG),
    ],
)
def test_trouble_of_the_bot_and_of_other_containers(state: dict[str, Any], cause: Obstacle) -> None:
    for made in (pod(state), pod(WAITS, others={"x": state}), pod(CREATING, init={"x": state})):
        trouble = made.trouble(now=at(1))
        assert trouble is not None
        assert trouble.obstacle is cause
        assert (state["waiting"].get("message") or state["waiting"]["reason"]) in trouble.message


def test_no_trouble_while_all_goes_well() -> None:
    for made in (pod(None), pod(CREATING), pod(WAITS), pod(running()), pod({"waiting": {"reason": "PodInitializing"}})):
        assert made.trouble(now=at(1)) is None


def test_a_pod_that_fits_no_node_is_reported() -> None:
    for reason, words in (("Unschedulable", "0/3 nodes fit"), ("SchedulingGated", "waits for a queue")):
        scheduled = {"type": "PodScheduled", "status": "False", "reason": reason, "message": words}
        assert pod(None, conditions=[scheduled]).trouble(now=at(1)) == Trouble(Obstacle.PLACEMENT, words)
    assert pod(None, conditions=[{"type": "PodScheduled", "status": "True"}]).trouble(now=at(1)) is None


def test_a_pod_before_its_first_report() -> None:
    item = pod_object(None)
    del item["status"], item["spec"], item["metadata"]["annotations"]
    made = pod_state(item)
    assert (made.phase, made.bot, made.others, made.init, made.node, made.spec_hash) == (
        "Pending",
        None,
        (),
        (),
        "",
        "",
    )
    assert not any((made.over, made.started, made.deleting, made.at_gate))


def test_a_deletion_was_asked_for_a_grace_period_before_its_timestamp() -> None:
    made = pod(running(), phase="Running", deleted_at=100, grace=30)
    assert made.deleting
    assert made.end_requested_at == at(100)


def test_a_node_that_does_not_get_volumes_or_network_ready_is_reported_after_a_while() -> None:
    scheduled = {"type": "PodScheduled", "status": "True"}
    sandbox = {"type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": at(1).isoformat()}
    waiting = pod(CREATING, conditions=[scheduled, sandbox])
    assert waiting.trouble(now=at(15)) is None
    reported = waiting.trouble(now=at(16))
    assert reported is not None
    assert reported.obstacle is Obstacle.CONFIG
    assert "node-1" in reported.message
    ready = pod(CREATING, conditions=[scheduled, {**sandbox, "status": "True"}])
    assert ready.trouble(now=at(100)) is None
    assert pod(CREATING, conditions=[sandbox]).trouble(now=at(100)) is None


def test_a_pod_that_no_kubelet_reports_on_waits_since_it_was_placed() -> None:
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": at(1).isoformat()}
    assert pod(None, conditions=[scheduled]).sandbox_waits_since == at(1)
    assert pod(CREATING, conditions=[scheduled]).sandbox_waits_since is None


def test_a_zero_time_is_no_time() -> None:
    never = {"exitCode": 128, "reason": "StartError", "startedAt": "1970-01-01T00:00:00Z", "finishedAt": None}
    made = pod({"terminated": never}, phase="Failed")
    assert made.bot is not None
    assert (made.bot.started_at, made.bot.finished_at) == (None, None)

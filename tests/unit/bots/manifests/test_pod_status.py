from typing import Any

import pytest
from meetingbots.bots.manifests.pod_status import pod_state

from tests.unit.bots.bot_builders import CREATING, SECRET, WAITS, at, ended, pod, pod_object, running

MISSES_ANOTHER = {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "their-own" not found'}}


def test_gate_is_reached_when_the_bot_waits_for_its_own_secret_only() -> None:
    assert pod(WAITS).waits_only_for(SECRET)


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
    assert not made.waits_only_for(SECRET)


def test_gate_is_reached_beside_containers_that_run_have_ended_or_wait_for_the_same_secret() -> None:
    made = pod(WAITS, others={"a": running(), "b": ended(0), "c": WAITS}, init={"setup": ended(0), "mesh": running()})
    assert made.waits_only_for(SECRET)


def test_reads_the_times_and_the_end_of_a_container() -> None:
    made = pod(ended(3, message="kicked", start=5, end=65), phase="Failed")
    assert made.bot is not None
    assert (made.bot.exit_code, made.bot.message, made.bot.reason) == (3, "kicked", "Error")
    assert (made.bot.started_at, made.bot.finished_at) == (at(5), at(65))
    assert made.started
    assert made.over
    assert made.node == "node-1"
    assert not made.bot.running


def test_a_running_container_without_a_time_has_run_since_its_pod_was_made() -> None:
    made = pod({"running": {}}, phase="Running")
    assert made.bot is not None
    assert made.bot.running
    assert made.bot.started_at == at(0)


def test_the_bot_is_over_while_its_side_cars_go_on() -> None:
    made = pod(ended(0), phase="Running", others={"sidecar": running()})
    assert made.over
    assert made.succeeded
    assert not made.finished


def test_success_of_the_bot_counts_whatever_side_cars_do() -> None:
    assert pod(ended(0), phase="Failed", others={"sidecar": ended(1)}).succeeded
    assert not pod(ended(1), phase="Running", others={"sidecar": ended(0)}).succeeded
    assert pod(None, phase="Succeeded").succeeded


@pytest.mark.parametrize(
    "reason",
    ["Evicted", "Preempting", "NodeLost", "Terminated", "NodeShutdown", "OutOfcpu", "OutOfmemory", "NodeAffinity"],
)
def test_infrastructure_losses_by_the_pods_reason(reason: str) -> None:
    assert pod(ended(137), phase="Failed", reason=reason).lost_to_infrastructure
    assert not pod(ended(137), phase="Running", reason=reason).lost_to_infrastructure


def test_a_failed_pod_without_such_a_reason_is_not_lost() -> None:
    assert not pod(ended(137), phase="Failed").lost_to_infrastructure
    assert not pod(ended(137), phase="Failed", reason="DeadlineExceeded").lost_to_infrastructure


def disrupted(seconds: float, status: str = "True") -> list[dict[str, Any]]:
    moment = at(seconds).isoformat()
    return [{"type": "DisruptionTarget", "status": status, "reason": "Preempted", "lastTransitionTime": moment}]


@pytest.mark.parametrize("end", [100, 110])
def test_a_bot_that_ends_after_its_pod_was_told_to_end_ended_from_outside(end: float) -> None:
    assert pod(ended(0, end=end), phase="Running", deleted_at=100).ended_from_outside
    assert pod(ended(0, end=end), phase="Running", conditions=disrupted(100)).ended_from_outside


def test_a_bot_that_had_ended_before_ended_by_itself() -> None:
    assert not pod(ended(0, end=90), phase="Running", deleted_at=100).ended_from_outside
    assert not pod(ended(0, end=90), phase="Running", conditions=disrupted(100)).ended_from_outside
    assert not pod(ended(0, end=190), phase="Running", conditions=disrupted(100, "False")).ended_from_outside
    assert not pod(ended(1), phase="Failed").ended_from_outside


def test_a_pod_that_never_came_to_run_and_was_told_to_end_ended_from_outside() -> None:
    assert pod(WAITS, phase="Failed", deleted_at=100).ended_from_outside
    assert pod(None, phase="Failed", deleted_at=100).ended_from_outside


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        ({"waiting": {"reason": "ErrImagePull", "message": "no such image"}}, "ImagePull"),
        ({"waiting": {"reason": "ImagePullBackOff"}}, "ImagePull"),
        ({"waiting": {"reason": "InvalidImageName"}}, "ImagePull"),
        ({"waiting": {"reason": "ErrImageNeverPull"}}, "ImagePull"),
        (MISSES_ANOTHER, "Config"),
        ({"waiting": {"reason": "CreateContainerError"}}, "Config"),
        ({"waiting": {"reason": "RunContainerError"}}, "Config"),
    ],
)
def test_trouble_of_the_bot_and_of_other_containers(state: dict[str, Any], cause: str) -> None:
    for made in (pod(state), pod(WAITS, others={"x": state}), pod(CREATING, init={"x": state})):
        trouble = made.trouble(secret=SECRET, now=at(1))
        assert trouble is not None
        assert trouble[0] == cause
        assert (state["waiting"].get("message") or state["waiting"]["reason"]) in trouble[1]


def test_no_trouble_while_all_goes_well() -> None:
    for made in (pod(None), pod(CREATING), pod(WAITS), pod(running()), pod({"waiting": {"reason": "PodInitializing"}})):
        assert made.trouble(secret=SECRET, now=at(1)) is None


def test_a_pod_that_fits_no_node_is_told() -> None:
    for reason, words in (("Unschedulable", "0/3 nodes fit"), ("SchedulingGated", "waits for a queue")):
        scheduled = {"type": "PodScheduled", "status": "False", "reason": reason, "message": words}
        assert pod(None, conditions=[scheduled]).trouble(secret=SECRET, now=at(1)) == ("Unschedulable", words)
    assert pod(None, conditions=[{"type": "PodScheduled", "status": "True"}]).trouble(secret=SECRET, now=at(1)) is None


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
    assert not any((made.over, made.started, made.deleting, made.waits_only_for(SECRET)))


def test_a_deletion_was_asked_for_a_grace_period_before_its_timestamp() -> None:
    made = pod(running(), phase="Running", deleted_at=100, grace=30)
    assert made.deleting
    assert made.told_to_end_at == at(100)


def test_a_node_that_does_not_get_volumes_or_network_ready_is_told_after_a_while() -> None:
    scheduled = {"type": "PodScheduled", "status": "True"}
    sandbox = {"type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": at(1).isoformat()}
    waiting = pod(CREATING, conditions=[scheduled, sandbox])
    assert waiting.trouble(secret=SECRET, now=at(15)) is None
    told = waiting.trouble(secret=SECRET, now=at(16))
    assert told is not None
    assert told[0] == "Config"
    assert "node-1" in told[1]
    ready = pod(CREATING, conditions=[scheduled, {**sandbox, "status": "True"}])
    assert ready.trouble(secret=SECRET, now=at(100)) is None
    assert pod(CREATING, conditions=[sandbox]).trouble(secret=SECRET, now=at(100)) is None

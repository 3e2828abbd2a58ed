"""A staged Pod that its node holds up, and the Pods of a finished bot."""

from dataclasses import replace
from typing import Any

import pytest
from meetingbots.bots.decide.facts import DeletePod, Problem, TouchPod
from meetingbots.bots.decide.next_step import decide
from meetingbots.models.bot import BotPhase, BotReason

from tests.unit.bots.bot_builders import CREATING, POD, WAITS, at, ended, facts, pod, ready, staged

STUMBLES = {
    "waiting": {
        "reason": "CreateContainerConfigError",
        "message": "failed to sync secret cache: timed out waiting for the condition",
    }
}
SCHEDULED = {"type": "PodScheduled", "status": "True", "lastTransitionTime": at(1).isoformat()}
NO_SANDBOX = {"type": "PodReadyToStartContainers", "status": "False", "lastTransitionTime": at(1).isoformat()}


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("CreateContainerConfigError", "failed to sync secret cache: timed out waiting for the condition"),
        ("CreateContainerConfigError", "failed to sync configmap cache: timed out waiting for the condition"),
        ("CreateContainerConfigError", 'object "team"/"standup-abcde-1-zoom" not registered'),
        ("CreateContainerConfigError", "services have not yet been read at least once, cannot construct envvars"),
        (
            "CreateContainerConfigError",
            'secrets "x" is forbidden: no relationship found between node "n" and this object',
        ),
        (
            "CreateContainerConfigError",
            'Get "https://10.0.0.1/api/v1/x": dial tcp 10.0.0.1:443: connect: connection refused',
        ),
        ("CreateContainerConfigError", "etcdserver: leader changed"),
        ("CreateContainerError", "context deadline exceeded"),
        ("CreateContainerError", 'failed to reserve container name "bot_x_0": name "bot_x_0" is reserved for "6f"'),
        ("RunContainerError", "rpc error: code = Unavailable desc = connection error"),
    ],
)
def test_a_transient_failure_of_the_kubelet_is_no_mistake_of_the_author(reason: str, message: str) -> None:
    made = pod({"waiting": {"reason": reason, "message": message}})
    touched = decide(facts(staged(), after=2, pod=made))
    assert touched.action == TouchPod(POD, number=0)
    waits = decide(facts(staged(), after=3, pod=made, touched_at=at(2)))
    assert (waits.action, waits.requeue_after, waits.status.phase) == (None, 1, BotPhase.STAGING)
    condition = ready(waits)
    assert condition.status == "True"


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        ("CreateContainerConfigError", 'secret "their-own" not found'),
        ("CreateContainerConfigError", "couldn't find key token in Secret team/their-own"),
        ("CreateContainerConfigError", "container has runAsNonRoot and image will run as root"),
        ("CreateContainerError", 'exec: "bot": executable file not found in $PATH'),
    ],
)
def test_a_mistake_of_the_author_is_reported(reason: str, message: str) -> None:
    plan = decide(facts(staged(), after=2, pod=pod({"waiting": {"reason": reason, "message": message}})))
    condition = ready(plan)
    assert (plan.action, condition.reason) == (None, "ConfigError")


def test_a_transient_failure_of_a_side_car_holds_the_gate() -> None:
    made = pod(WAITS, others={"x": STUMBLES})
    assert decide(facts(staged(), after=2, pod=made)).action == TouchPod(POD, number=0)


@pytest.mark.parametrize("conditions", [[SCHEDULED, NO_SANDBOX], [SCHEDULED]], ids=["no sandbox", "no report"])
def test_a_pod_that_its_node_does_not_prepare_is_replaced_before_the_deadline(conditions: list[dict[str, Any]]) -> None:
    state = CREATING if len(conditions) > 1 else None
    made = pod(state, conditions=conditions)
    waits = decide(facts(staged(), after=60, pod=made))
    assert (waits.action, waits.requeue_after) == (None, 31)
    lost = decide(facts(staged(), after=91, pod=made))
    assert lost.status.last_attempt is not None
    assert (lost.status.last_attempt.reason, lost.status.attempts) == ("InfrastructureLost", 0)
    # The kubelet is away: the old Pod stays, and holds no token.
    stuck = pod(state, conditions=conditions, deleted_at=91)
    given = staged(status=lost.status.to_dict())
    assert decide(facts(given, after=93, previous_pod=made)).action == DeletePod(POD, f"uid-of-{POD}")
    assert decide(facts(given, after=93, previous_pod=stuck)).status.pod_name == "standup-abcde-2"


def test_each_replacement_gives_the_nodes_more_time() -> None:
    made = pod(CREATING, conditions=[SCHEDULED, NO_SANDBOX])
    given = staged(status={"infrastructureRestarts": 2, "nextAttemptTime": at(0).isoformat()})
    assert decide(facts(given, after=91, pod=made)).action is None
    lost = decide(facts(given, after=361, pod=made)).status.last_attempt
    assert lost is not None
    assert lost.reason == "InfrastructureLost"


# What is kept of a finished bot.


def test_the_pods_of_a_finished_bot_are_deleted_after_their_retention() -> None:
    status = {"phase": "Failed", "completionTime": at(100).isoformat(), "podName": "standup-abcde-2"}
    first, second = pod(ended(1), phase="Failed"), pod(ended(1), phase="Failed", name="standup-abcde-2")
    given = staged(status=status, podRetentionSeconds=600)
    waits = decide(facts(given, after=200, pod=second, kept_pods=(first, second)))
    assert (waits.action, waits.requeue_after) == (None, 500)
    over = decide(facts(given, after=700, pod=second, kept_pods=(first, second)))
    assert over.action == DeletePod(POD, f"uid-of-{POD}")
    last = decide(facts(given, after=700, pod=second, kept_pods=(second,)))
    assert last.action == DeletePod("standup-abcde-2", "uid-of-standup-abcde-2")
    gone = decide(facts(given, after=700))
    assert (gone.action, gone.requeue_after) == (None, None)


@pytest.mark.parametrize("code", [0, 1])
def test_a_pod_whose_containers_have_ended_stays_readable_before_the_kubelet_reports_its_phase(code: int) -> None:
    status = {"phase": "Succeeded", "completionTime": at(100).isoformat(), "podName": POD}
    given = staged(status=status, podRetentionSeconds=600)
    made = pod(ended(code), phase="Running", others={"uploader": ended(0)})
    plan = decide(facts(given, after=101, pod=made, kept_pods=(made,)))
    assert (plan.action, plan.requeue_after) == (None, 599)
    made = pod(ended(code), phase="Running", others={"uploader": {"running": {"startedAt": at(1).isoformat()}}})
    plan = decide(facts(given, after=101, pod=made, kept_pods=(made,)))
    assert plan.action == DeletePod(POD, f"uid-of-{POD}")


def test_an_earlier_pod_whose_containers_have_ended_stays_readable() -> None:
    status = {"attempts": 1, "lastAttempt": {"podName": POD, "reason": "BotFailed"}, "podName": POD}
    failed = pod(ended(1), phase="Running")
    plan = decide(facts(staged(status=status), after=50, previous_pod=failed))
    assert not isinstance(plan.action, DeletePod)


def test_a_pod_that_is_being_deleted_is_not_deleted_again() -> None:
    status = {"phase": "Succeeded", "completionTime": at(100).isoformat()}
    made = pod(ended(0), phase="Succeeded", deleted_at=3700)
    assert decide(facts(staged(status=status), after=3701, pod=made, kept_pods=(made,))).action is None


REFUSED = Problem(BotReason.TEMPLATE_INVALID, "Kubernetes refuses the Pod.")


def test_the_status_names_no_pod_that_was_never_created() -> None:
    missed = decide(facts(staged(), after=601, refused=replace(REFUSED, recoverable=True))).status
    assert (missed.phase, missed.pod_name) == (BotPhase.FAILED, None)
    withdrawn = decide(facts(staged(), template=REFUSED)).status
    assert withdrawn.last_attempt is not None
    assert (withdrawn.phase, withdrawn.pod_name, withdrawn.last_attempt.pod_name) == (BotPhase.PENDING, None, POD)
    following = decide(facts(staged(status=withdrawn.to_dict() | {"podName": None}), after=2)).status
    assert (following.pod_name, following.attempts) == ("standup-abcde-2", 1)


def test_the_status_names_a_pod_that_was_created() -> None:
    image = pod({"waiting": {"reason": "ImagePullBackOff"}})
    assert decide(facts(staged(), after=601, pod=image)).status.pod_name == POD
    assert decide(facts(staged(suspend=True), pod=image)).status.pod_name == POD

"""Rows of the table of Pod ends, as the kubelet, the runtime and the controllers report them."""

from typing import Any

import pytest
from meetingbots.bots.decide.pod_ends import Outcome, ended_from_outside, pod_end
from meetingbots.bots.decide.pod_state import PodState

from tests.unit.bots.bot_builders import POD, WAITS, at, ended, pod, running

INITIALIZING = {"waiting": {"reason": "PodInitializing"}}


def terminated(code: int, reason: str, *, end: float | None = 60) -> dict[str, Any]:
    """A container that ended for a reason of the kubelet or the runtime; without an end, its times are null."""
    times = {"startedAt": None, "finishedAt": None} if end is None else {"finishedAt": at(end).isoformat()}
    return {"terminated": {"exitCode": code, "reason": reason, **times}}


def disrupted(seconds: float, status: str = "True", reason: str = "TerminationByKubelet") -> list[dict[str, Any]]:
    moment = at(seconds).isoformat()
    return [{"type": "DisruptionTarget", "status": status, "reason": reason, "lastTransitionTime": moment}]


LOST = {
    "node rebooted": pod(terminated(255, "Unknown"), phase="Failed"),
    "node rebooted, side-car goes on": pod(terminated(255, "Unknown"), phase="Running", others={"x": running()}),
    "container lost": pod(terminated(137, "ContainerStatusUnknown", end=None), phase="Failed"),
    "init container lost": pod(INITIALIZING, phase="Failed", init={"x": terminated(137, "ContainerStatusUnknown")}),
    "rebooted during init": pod(INITIALIZING, phase="Failed", init={"x": terminated(255, "Unknown")}),
    "node pressure": pod(
        ended(137), phase="Failed", reason="Evicted", message="The node was low on resource: memory. ", conditions=[]
    ),
    "node pressure, older words": pod(
        ended(137),
        phase="Failed",
        reason="Evicted",
        message="The node was low on resource: memory. Container bot was using 9Gi, which exceeds its request of 0. ",
    ),
    "node pressure with its condition": pod(ended(137), phase="Failed", reason="Evicted", conditions=disrupted(59)),
    "evicted without words": pod(ended(0), phase="Failed", reason="Evicted"),
    "node shut down": pod(ended(0), phase="Failed", reason="Terminated", message="imminent node shutdown"),
    "rejected at shutdown": pod(None, phase="Failed", reason="NodeShutdown"),
    "node lost": pod(running(), phase="Failed", reason="NodeLost"),
    "preempted by a critical Pod": pod(ended(143), phase="Failed", reason="Preempting"),
    "out of cpu": pod(WAITS, phase="Failed", reason="OutOfcpu"),
    "out of a device": pod(None, phase="Failed", reason="OutOfnvidia.com/gpu"),
    "labels of the node changed": pod(None, phase="Failed", reason="NodeAffinity"),
    "admission failed": pod(None, phase="Failed", reason="UnexpectedAdmissionError"),
    "another rejection": pod(None, phase="Failed", reason="TopologyAffinityError"),
    "drained, exit code 0": pod(ended(0, end=100), phase="Succeeded", deleted_at=100),
    "drained, clock of the node behind": pod(ended(0, end=99), phase="Succeeded", deleted_at=100),
    "drained, clock some seconds behind": pod(ended(0, end=96), phase="Succeeded", deleted_at=100),
    "node deleted": pod(running(), phase="Failed", conditions=disrupted(9, reason="DeletionByPodGC")),
}
FAILED = {
    "exit code 1": pod(ended(1), phase="Failed"),
    "exit code 255 of the bot itself": pod(ended(255), phase="Failed"),
    "out of memory": pod(terminated(137, "OOMKilled"), phase="Failed"),
    "init container out of memory": pod(INITIALIZING, phase="Failed", init={"x": terminated(137, "OOMKilled")}),
    "killed": pod(ended(137), phase="Failed"),
    "not started": pod(terminated(128, "StartError", end=None), phase="Failed"),
    "own volume": pod(
        ended(137), phase="Failed", reason="Evicted", message='Usage of EmptyDir volume "x" exceeds the limit "1Gi". '
    ),
    "own storage": pod(
        terminated(137, "ContainerStatusUnknown", end=None),
        phase="Failed",
        reason="Evicted",
        message="Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
    ),
    "own container's storage": pod(
        ended(0),
        phase="Failed",
        reason="Evicted",
        message='Container bot exceeded its local ephemeral storage limit "1Gi". ',
    ),
    "ended long before its Pod was deleted": pod(ended(1, end=90), phase="Failed", deleted_at=100),
}
DONE = {
    "exit code 0": pod(ended(0), phase="Succeeded"),
    "a side-car failed": pod(ended(0), phase="Failed", others={"x": ended(1)}),
    "a side-car was lost": pod(ended(0), phase="Failed", others={"x": terminated(255, "Unknown")}),
    "no container status": pod(None, phase="Succeeded"),
    "left long before its Pod was deleted": pod(ended(0, end=90), phase="Succeeded", deleted_at=100),
    "a disruption that was called off": pod(ended(0), phase="Succeeded", conditions=disrupted(9, "False")),
}
OTHER = {
    Outcome.TOO_LONG: pod(ended(0), phase="Failed", reason="DeadlineExceeded"),
    Outcome.TRY_AGAIN: pod(ended(75), phase="Failed"),
}


@pytest.mark.parametrize("made", LOST.values(), ids=LOST)
def test_lost(made: PodState) -> None:
    assert pod_end(made).outcome is Outcome.LOST


@pytest.mark.parametrize("made", FAILED.values(), ids=FAILED)
def test_failed(made: PodState) -> None:
    assert pod_end(made).outcome is Outcome.FAILED


@pytest.mark.parametrize("made", DONE.values(), ids=DONE)
def test_done(made: PodState) -> None:
    assert pod_end(made).outcome is Outcome.DONE


@pytest.mark.parametrize(("outcome", "made"), OTHER.items())
def test_other_outcomes(outcome: Outcome, made: PodState) -> None:
    assert pod_end(made).outcome is outcome


@pytest.mark.parametrize(
    ("made", "message"),  # of container bot
    [
        (FAILED["out of memory"], "ran out of memory (OOMKilled, exit code 137)"),
        (FAILED["killed"], "was ended by SIGKILL, exit code 137"),
        (
            FAILED["not started"],
            "could not be started (StartError, exit code 128)",
        ),
        (FAILED["exit code 1"], "ended with exit code 1"),
        (
            pod(ended(1, message="a\nb\n"), phase="Failed"),
            "ended with exit code 1: b",
        ),
    ],
)
def test_the_message_names_reason_signal_and_telling_line(made: PodState, message: str) -> None:
    assert pod_end(made).message == f"Container bot of Pod {POD} {message}"


def test_the_record_keeps_the_output_and_a_reason_that_says_more_than_the_exit_code() -> None:
    assert pod_end(pod(ended(1, message="a\nb\n"), phase="Failed")).record == "a\nb"
    assert "OOMKilled" in pod_end(FAILED["out of memory"]).record


def test_a_pod_that_never_ran_and_is_deleted_ended_from_outside() -> None:
    assert ended_from_outside(pod(WAITS, phase="Failed", deleted_at=100))
    assert ended_from_outside(pod(None, phase="Failed", deleted_at=100))
    assert not ended_from_outside(pod(ended(1), phase="Failed"))

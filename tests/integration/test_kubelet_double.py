"""The kubelet double against the real API server: the manners of a kubelet that the operator relies on."""

import json
import time

import pytest

from tests.cluster.api import wait_until
from tests.cluster.controlplane import ControlPlane
from tests.cluster.kubelet import KubeletDouble
from tests.integration.pods import SECRET_ENV, Pods, condition, container, state, state_of_init, waiting_reasons


@pytest.fixture
def pods(cluster: ControlPlane, kubelet: KubeletDouble, namespace: str) -> Pods:
    return Pods(cluster.api, namespace)


def test_the_late_token_gate(pods: Pods, kubelet: KubeletDouble, namespace: str) -> None:
    pods.create("gated", container("test/env", "--token", "$(TOKEN)", env=[SECRET_ENV]))
    pod = pods.wait_reason("gated", "CreateContainerConfigError")
    assert state(pod)["waiting"]["message"] == 'secret "late" not found'
    assert pod["status"]["phase"] == "Pending"
    created = time.time()
    pods.secret()
    pods.touch("gated", touched="1")
    pod = pods.wait_phase("gated", "Running")
    record = kubelet.record(namespace, "gated")
    assert record.started["bot"] > created
    assert record.references_found["bot"] <= record.started["bot"]
    assert record.starts == {"bot": 1}
    assert record.environment["bot"] == {"TOKEN": "value"}
    assert "value" not in repr(record)
    wait_until(lambda: bool(kubelet.logs(namespace, "gated", "bot")), what="the environment in the log")
    seen = json.loads(kubelet.logs(namespace, "gated", "bot"))
    assert seen["TOKEN"] == "value"
    assert not {"HOME", "KUBECONFIG", "VIRTUAL_ENV"} & seen.keys()


def test_without_a_touch_the_secret_is_found_on_a_slow_look(pods: Pods, kubelet: KubeletDouble, namespace: str) -> None:
    pods.create("slow", container("test/sleep", env=[SECRET_ENV]))
    pods.wait_reason("slow", "CreateContainerConfigError")
    created = time.time()
    pods.secret()
    pods.wait_phase("slow", "Running")
    assert kubelet.record(namespace, "slow").started["bot"] > created


def test_a_missing_key_is_not_a_missing_secret(pods: Pods) -> None:
    pods.secret(other="x")
    pods.create("keyless", container("test/sleep", env=[SECRET_ENV]))
    pod = pods.wait_reason("keyless", "CreateContainerConfigError")
    assert state(pod)["waiting"]["message"] == f"couldn't find key token in Secret {pods.namespace}/late"


def test_other_containers_start_while_one_waits(pods: Pods) -> None:
    pods.create("two", container("test/sleep", env=[SECRET_ENV]), container("test/sleep", name="other"))
    pod = pods.wait_reason("two", "CreateContainerConfigError")
    assert "running" in state(pod, "other")
    assert pod["status"]["phase"] == "Pending"


def test_pull_failures_and_their_end(pods: Pods, kubelet: KubeletDouble, namespace: str) -> None:
    pods.create("pulling", container("test/sleep"), annotations={"kubelet.test/pull-fails": "true"})
    pods.create("held", container("test/sleep"), annotations={"kubelet.test/pull-fails": "true"})
    pods.create("unknown", container("registry.example/none:v1"))
    pods.wait_reason("pulling", "ErrImagePull")
    pods.wait_reason("pulling", "ImagePullBackOff")
    pod = pods.wait_reason("unknown", "ImagePullBackOff")
    assert "registry.example/none:v1" in state(pod)["waiting"]["message"]
    pods.touch("pulling", **{"kubelet.test/pull-fails": None})
    pods.wait_phase("pulling", "Running")
    kubelet.release(namespace, "held")
    pods.wait_phase("held", "Running")


def test_a_pull_takes_its_time_and_policy_always_looks_again(
    pods: Pods, kubelet: KubeletDouble, namespace: str
) -> None:
    always = container("test/sleep", env=[SECRET_ENV]) | {"imagePullPolicy": "Always"}
    asked = time.time()
    pods.create("always", always, annotations={"kubelet.test/pull-seconds": "0.7"})
    pods.wait_reason("always", "ContainerCreating")
    pods.wait_reason("always", "CreateContainerConfigError")
    assert time.time() - asked >= 0.7
    pods.secret()
    pods.touch("always", touched="1")
    pods.wait_phase("always", "Running")
    assert kubelet.record(namespace, "always").pulls["bot"] == 2


def test_init_containers_and_side_cars(pods: Pods) -> None:
    side_car = container("test/sleep", name="proxy", restartPolicy="Always")
    pods.create(
        "staged",
        container("test/exit", "0", "0.5"),
        initContainers=[side_car, container("test/exit", "0", "0.5", name="prepare")],
    )
    pods.wait(
        "staged",
        lambda pod: state_of_init(pod, "prepare") == "running" and "waiting" in state(pod),
        what="preparing",
    )
    assert waiting_reasons(pods.get("staged")) <= {"PodInitializing"}
    pod = pods.wait_phase("staged", "Succeeded")
    assert state_of_init(pod, "proxy") == "terminated"
    assert state(pod)["terminated"]["exitCode"] == 0


def test_a_failed_init_container_fails_the_pod(pods: Pods) -> None:
    pods.create("broken", container("test/sleep"), initContainers=[container("test/exit", "4", name="prepare")])
    pod = pods.wait_phase("broken", "Failed")
    assert "waiting" in state(pod)


@pytest.mark.parametrize(("code", "phase", "reason"), [("0", "Succeeded", "Completed"), ("75", "Failed", "Error")])
def test_exit_codes(pods: Pods, code: str, phase: str, reason: str) -> None:
    pods.create("ends", container("test/exit", code))
    ended = state(pods.wait_phase("ends", phase))["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (int(code), reason)
    assert ended["startedAt"] <= ended["finishedAt"]


def test_termination_messages(pods: Pods) -> None:
    fall_back = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    shout = "for i in $(seq 100); do echo line $i; done; exit 3"
    own = 'echo noise; printf "own words" >"$KUBELET_TEST_TERMINATION_LOG"; exit 3'
    pods.create(
        "talks",
        container("test/sleep", name="log", command=["sh", "-c", shout], **fall_back) | {"args": []},
        container("test/sleep", name="own", command=["sh", "-c", own], **fall_back) | {"args": []},
        container("test/sleep", name="silent", command=["sh", "-c", shout]) | {"args": []},
    )
    pod = pods.wait_phase("talks", "Failed")
    lines = state(pod, "log")["terminated"]["message"].splitlines()
    assert (len(lines), lines[-1]) == (80, "line 100")
    assert state(pod, "own")["terminated"]["message"] == "own words"
    assert "message" not in state(pod, "silent")["terminated"]


def test_a_command_that_does_not_exist_is_a_start_error(pods: Pods) -> None:
    pods.create("typo", container("test/sleep", command=["/no/such/program"]))
    ended = state(pods.wait_phase("typo", "Failed"))["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")


def test_restart_policy_always_starts_again_and_then_backs_off(pods: Pods) -> None:
    pods.create("loops", container("test/exit", "1"), restartPolicy="Always")
    pod = pods.wait_reason("loops", "CrashLoopBackOff")
    assert pod["status"]["phase"] == "Running"
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 1
    assert pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 1


def test_deletion_is_sigterm_and_then_sigkill(pods: Pods) -> None:
    pods.create("polite", container("test/sleep"))
    stubborn = "trap '' TERM; while true; do sleep 0.1; done"
    pods.create("stubborn", container("test/sleep", command=["sh", "-c", stubborn]), terminationGracePeriodSeconds=1)
    pods.wait_phase("polite", "Running")
    pods.wait_phase("stubborn", "Running")
    started = time.monotonic()
    pods.delete("polite")
    pods.delete("stubborn")
    pods.wait_gone("polite")
    pods.wait_gone("stubborn")
    assert time.monotonic() - started >= 1


def test_a_pod_deleted_before_its_container_started_never_starts_it(
    pods: Pods, kubelet: KubeletDouble, namespace: str
) -> None:
    pods.create("early", container("test/sleep"), annotations={"kubelet.test/pull-seconds": "30"})
    pods.create("gated", container("test/sleep", env=[SECRET_ENV]))
    pods.wait_reason("early", "ContainerCreating")
    pods.wait_reason("gated", "CreateContainerConfigError")
    kubelet.pause()
    pods.delete("early")
    pods.delete("gated")
    pods.secret()
    kubelet.resume()
    pods.wait_gone("early")
    pods.wait_gone("gated")
    assert kubelet.record(namespace, "early").starts == {}
    assert kubelet.record(namespace, "gated").starts == {}


def test_active_deadline(pods: Pods) -> None:
    pods.create("late", container("test/sleep"), activeDeadlineSeconds=1)
    pod = pods.wait_phase("late", "Failed")
    assert pod["status"]["reason"] == "DeadlineExceeded"
    assert "terminated" in state(pod)


def test_an_unschedulable_pod_says_so_until_it_may_run(pods: Pods) -> None:
    pods.create("stuck", container("test/sleep"), annotations={"kubelet.test/unschedulable": "true"})
    pod = pods.wait("stuck", lambda pod: bool(pod["status"].get("conditions")), what="reported as unschedulable")
    assert condition(pod, "PodScheduled")["reason"] == "Unschedulable"
    assert "nodeName" not in pod["spec"]
    pods.touch("stuck", **{"kubelet.test/unschedulable": None})
    pods.wait_phase("stuck", "Running")


def test_losses(pods: Pods, kubelet: KubeletDouble, namespace: str) -> None:
    for name in ("evicted", "oom", "preempted"):
        pods.create(name, container("test/sleep"))
    for name in ("evicted", "oom", "preempted"):
        pods.wait_phase(name, "Running")
    kubelet.evict(namespace, "evicted")
    kubelet.oom_kill(namespace, "oom", "bot")
    kubelet.preempt(namespace, "preempted")
    evicted = pods.wait_phase("evicted", "Failed")
    assert evicted["status"]["reason"] == "Evicted"
    assert condition(evicted, "DisruptionTarget")["reason"] == "TerminationByKubelet"
    oom = state(pods.wait_phase("oom", "Failed"))["terminated"]
    assert (oom["exitCode"], oom["reason"]) == (137, "OOMKilled")
    pods.wait_gone("preempted")
    kubelet.reject_next()
    pods.create("rejected", container("test/sleep"))
    assert pods.wait_phase("rejected", "Failed")["status"]["reason"] == "OutOfcpu"
    assert kubelet.record(namespace, "rejected").starts == {}


def test_a_container_that_never_starts(pods: Pods, kubelet: KubeletDouble, namespace: str) -> None:
    kubelet.never_start_next()
    pods.create("hangs", container("test/sleep", env=[SECRET_ENV]))
    pods.wait_reason("hangs", "CreateContainerConfigError")
    pods.secret()
    pods.touch("hangs", touched="1")
    wait_until(lambda: bool(kubelet.record(namespace, "hangs").references_found), what="the Secret found")
    time.sleep(0.3)  # a start would have happened by now
    assert kubelet.record(namespace, "hangs").starts == {}
    kubelet.release(namespace, "hangs")
    pods.wait_phase("hangs", "Running")


def test_a_lost_node_comes_back(pods: Pods, kubelet: KubeletDouble) -> None:
    pods.create("far", container("test/sleep"))
    pods.wait_phase("far", "Running")
    kubelet.lose_node()
    try:
        pod = pods.wait("far", lambda pod: pod["status"].get("reason") == "NodeLost", what="lost")
        assert condition(pod, "Ready")["status"] == "False"
        pods.delete("far")
        assert "deletionTimestamp" in pods.get("far")["metadata"]
    finally:
        kubelet.find_node()
    pods.wait_gone("far")


def test_kubectl_shows_logs(pods: Pods, cluster: ControlPlane, namespace: str) -> None:
    count = "for i in 1 2 3; do echo line $i; done; sleep 0.6; echo last"
    pods.create("speaks", container("test/sleep", command=["sh", "-c", count]) | {"args": []})
    pods.create("gated", container("test/sleep", env=[SECRET_ENV]))
    pods.wait_phase("speaks", "Running")
    followed = cluster.kubectl("logs", "-f", "-n", namespace, "speaks")
    assert followed == "line 1\nline 2\nline 3\nlast\n"
    assert cluster.kubectl("logs", "-n", namespace, "--tail=1", "speaks") == "last\n"
    pods.wait_reason("gated", "CreateContainerConfigError")
    assert "is waiting to start" in cluster.kubectl("logs", "-n", namespace, "gated", check=False)

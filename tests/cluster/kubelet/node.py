"""The kubelet double's Node object, and the scheduler's part: binding Pods to it."""

import asyncio
import time
from typing import Any

from tests.cluster.kubelet.client import PASSING, Client, RefusedError
from tests.cluster.kubelet.faults import Annotations
from tests.cluster.kubelet.status import ADDRESS, timestamp

Object = dict[str, Any]
RETRY_SECONDS = 0.25
RESOURCES = {"cpu": "1000", "memory": "1000Gi", "pods": "10000", "ephemeral-storage": "1000Gi"}
UNREACHABLE = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}


async def put_node(
    client: Client, *, name: str, ready: bool = True, log_port: int | None = None, address: str = ADDRESS
) -> None:
    """Create the Node, or set its readiness; not ready means that it was lost: unknown, with the taint for it.

    `log_port` is where the double serves containers' logs, if it does.
    """
    path = f"/api/v1/nodes/{name}"
    try:
        await client.request("POST", "/api/v1/nodes", {"metadata": {"name": name, "labels": _labels(name)}})
    except RefusedError as error:
        if error.status != 409:
            raise
    # Admission adds a not-ready taint, which a controller that does not run here would take away.
    await client.merge(path, {"spec": {"taints": [] if ready else [UNREACHABLE]}})
    status: Object = {
        "capacity": RESOURCES,
        "allocatable": RESOURCES,
        "addresses": [{"type": "InternalIP", "address": address}, {"type": "Hostname", "address": name}],
        "conditions": [_ready_condition(ready=ready)],
    }
    if log_port is not None:
        status["daemonEndpoints"] = {"kubeletEndpoint": {"Port": log_port}}
    await client.merge(f"{path}/status", {"status": status})


async def schedule(client: Client, pod: Object, *, node: str) -> None:
    """Bind a Pod to the node, or say why not; tried until the API server has it or the Pod is gone."""
    meta = pod["metadata"]
    path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
    message = Annotations(pod).text("unschedulable")
    while True:
        try:
            if message:
                await client.merge(f"{path}/status", _unschedulable(pod, message))
            else:
                target = {"apiVersion": "v1", "kind": "Node", "name": node}
                await client.request(
                    "POST",
                    f"{path}/binding",
                    {"metadata": {"name": meta["name"], "uid": meta["uid"]}, "target": target},
                )
        except RefusedError as error:
            # Gone, another Pod of the name, or bound already; a server that cannot answer now is asked again.
            if error.status < 500 and error.status != 429:
                return
        except PASSING:
            pass
        else:
            return
        await asyncio.sleep(RETRY_SECONDS)


def wants_node(pod: Object) -> bool:
    """Whether the scheduler would look for a node now."""
    if pod["spec"].get("nodeName") or pod["spec"].get("schedulingGates") or "deletionTimestamp" in pod["metadata"]:
        return False
    message = Annotations(pod).text("unschedulable")
    return not message or not any(
        each["type"] == "PodScheduled" and each.get("message") == _message(message)
        for each in pod.get("status", {}).get("conditions", [])
    )


def _unschedulable(pod: Object, message: str) -> Object:
    others = [each for each in pod.get("status", {}).get("conditions", []) if each["type"] != "PodScheduled"]
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": _message(message),
        "lastTransitionTime": timestamp(time.time()),
    }
    return {"metadata": {"uid": pod["metadata"]["uid"]}, "status": {"conditions": [*others, condition]}}


def _message(text: str) -> str:
    return f"0/1 nodes are available: {text if text != 'true' else '1 Insufficient cpu'}."


def _ready_condition(*, ready: bool) -> Object:
    now = timestamp(time.time())
    if ready:
        state = {"status": "True", "reason": "KubeletReady", "message": "the kubelet double is ready"}
    else:
        state = {"status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
    return {"type": "Ready", "lastHeartbeatTime": now, "lastTransitionTime": now} | state


def _labels(name: str) -> Object:
    return {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}

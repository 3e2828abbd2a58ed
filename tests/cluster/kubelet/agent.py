"""The kubelet double's core: watches Pods, binds those without a node, and runs one worker for each of its own."""

import asyncio
import logging
from typing import Any

from tests.cluster.kubelet.client import PASSING, ExpiredError, RefusedError
from tests.cluster.kubelet.container import Container
from tests.cluster.kubelet.node import put_node, schedule, wants_node
from tests.cluster.kubelet.pod import PodWorker
from tests.cluster.kubelet.records import PodRecord
from tests.cluster.kubelet.surroundings import Surroundings

Object = dict[str, Any]
logger = logging.getLogger(__name__)
RECONNECT_SECONDS = 0.2
PODS = "/api/v1/pods"


class Agent:
    """Everything on one event loop. `workers` is by the Pod's uid; `records` keeps Pods that are gone, too."""

    def __init__(self, *, node_name: str, node: Surroundings) -> None:
        self.node_name = node_name
        self.node = node
        self.workers: dict[str, PodWorker] = {}
        self.records: list[PodRecord] = []
        self.errors: list[BaseException] = []
        self.watching = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._scheduling: set[str] = set()

    async def run(self) -> None:
        """Watch until cancelled; an API server that is away or restarted is found again."""
        while True:
            try:
                version = await self._list()
                self.watching.set()
                async for kind, pod in self.node.client.watch(PODS, resource_version=version):
                    self._seen(kind, pod)
            except (ExpiredError, RefusedError, *PASSING) as error:
                logger.debug("watch ended: %r", error)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def close(self) -> None:
        """End all containers and workers, without a word to the API server."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(worker.stop_processes(grace_seconds=0) for worker in self.workers.values()))

    def worker(self, namespace: str, name: str) -> PodWorker:
        """Worker of a Pod that is there now; LookupError if the node does not have it."""
        for worker in self.workers.values():
            if worker.key == (namespace, name):
                return worker
        raise LookupError(f"the kubelet double has no Pod {namespace}/{name}")

    def container(self, namespace: str, name: str, container: str) -> Container:
        """One container of a Pod that is there now; LookupError if there is none."""
        for each in self.worker(namespace, name).containers:
            if each.name == container:
                return each
        raise LookupError(f"Pod {namespace}/{name} has no container {container}")

    async def _list(self) -> str:
        answer = await self.node.client.request("GET", PODS)
        pods: list[Object] = answer.get("items") or []
        there = {pod["metadata"]["uid"] for pod in pods}
        for uid in [uid for uid in self.workers if uid not in there]:
            self._removed(uid)
        for pod in pods:
            self._seen("ADDED", pod)
        return str(answer["metadata"]["resourceVersion"])

    def _seen(self, kind: str, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if kind == "DELETED":
            self._removed(uid)
        elif uid in self.workers:
            self.workers[uid].update(pod)
        elif pod["spec"].get("nodeName") == self.node_name:
            self._admit(pod)
        elif wants_node(pod) and uid not in self._scheduling:
            self._scheduling.add(uid)
            self._spawn(self._schedule(pod))

    def _admit(self, pod: Object) -> None:
        worker = PodWorker(pod, node=self.node)
        self.workers[worker.uid] = worker
        self.records.append(worker.record)
        self._spawn(worker.run())

    def _removed(self, uid: str) -> None:
        worker = self.workers.pop(uid, None)
        if worker is not None:
            worker.remove()

    async def _schedule(self, pod: Object) -> None:
        try:
            await schedule(self.node.client, pod, node=self.node_name)
        finally:
            self._scheduling.discard(pod["metadata"]["uid"])

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a Pod's worker failed", exc_info=error)
            self.errors.append(error)


async def lose_node(agent: Agent) -> None:
    """The node is cut off: nothing is looked at any more, and the cluster comes to say so of the Node and its Pods.

    What runs goes on running, as on a real node that nobody hears of.
    """
    agent.node.awake.clear()
    await put_node(agent.node.client, name=agent.node_name, ready=False, address=agent.node.address)
    for worker in list(agent.workers.values()):
        conditions = [
            each | ({"status": "False"} if each["type"] == "Ready" else {})
            for each in worker.pod.get("status", {}).get("conditions", [])
        ]
        message = f"Node {agent.node_name} which was running pod {worker.key[1]} is unresponsive"
        status = {"reason": "NodeLost", "message": message, "conditions": conditions}
        path = f"/api/v1/namespaces/{worker.key[0]}/pods/{worker.key[1]}/status"
        await agent.node.client.merge(path, {"metadata": {"uid": worker.uid}, "status": status})


async def find_node(agent: Agent) -> None:
    """The node is back."""
    await put_node(agent.node.client, name=agent.node_name, address=agent.node.address)
    agent.node.awake.set()
    for worker in agent.workers.values():
        worker.wake()


async def preempt(agent: Agent, namespace: str, name: str) -> None:
    """The scheduler makes room for another Pod: the condition for it, then a deletion."""
    worker = agent.worker(namespace, name)
    condition = {"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}
    condition["message"] = "preempting to accommodate a higher priority pod"
    others = worker.pod.get("status", {}).get("conditions", [])
    path = f"/api/v1/namespaces/{namespace}/pods/{name}"
    await agent.node.client.merge(f"{path}/status", {"status": {"conditions": [*others, condition]}})
    await agent.node.client.request("DELETE", path, {"preconditions": {"uid": worker.uid}})

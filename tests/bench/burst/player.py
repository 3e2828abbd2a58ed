"""Plays the kubelet for very many Pods: no processes, only what a kubelet would report of them, at once.

A Pod waits for its Secret; once the Secret is there and the Pod is touched, it runs; it succeeds when the bench says
so. What came when is kept for the figures, by the Pod's name.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

from tests.bench.burst.wire import MERGE, Object, Wire

MANAGED = "app.kubernetes.io/managed-by=meetingbots"
ISSUED = "meetingbots.dev/issued-at"
TOUCHED = "meetingbots.dev/token-delivered-at"


class Player:
    """All Pods of one namespace. Moments are seconds since the epoch."""

    def __init__(self, wire: Wire, *, namespace: str) -> None:
        self._wire = wire
        self._namespace = namespace
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._touched: set[str] = set()
        self.waiting: set[str] = set()
        self.delivered: dict[str, float] = {}
        self.issued: dict[str, float] = {}
        self.started: dict[str, float] = {}
        self.cleared: dict[str, float] = {}
        self.errors: list[BaseException] = []

    def start(self) -> None:
        """Begin to play."""
        for job in (self._pods(), self._secrets()):
            self._spawn(job)

    async def stop(self) -> None:
        """End; raises the first error of its own."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.errors:
            raise self.errors[0]

    async def until(self, holds: Callable[[], bool], *, what: str, seconds: float) -> None:
        """Wait until something is so; TimeoutError says what was not."""
        deadline = time.time() + seconds
        while not holds():
            if self.errors:
                raise self.errors[0]
            left = deadline - time.time()
            if left <= 0:
                raise TimeoutError(f"not within {seconds:.0f} s: {what}")
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), min(left, 0.5))
            except TimeoutError:
                continue

    async def succeed(self, pods: list[str]) -> None:
        """Their bots come to their end."""
        now = _whole(time.time())
        for start in range(0, len(pods), 32):
            await asyncio.gather(*(self._end(pod, now) for pod in pods[start : start + 32]))

    async def _pods(self) -> None:
        async for kind, pod in self._wire.follow(f"/api/v1/namespaces/{self._namespace}/pods", MANAGED):
            name, annotations = pod["metadata"]["name"], pod["metadata"].get("annotations", {})
            if kind == "ADDED" and "containerStatuses" not in pod.get("status", {}):
                self._spawn(self._wait(name))
            elif TOUCHED in annotations and name not in self._touched:
                self._touched.add(name)
                if name in self.delivered:
                    self._spawn(self._run(name))

    async def _secrets(self) -> None:
        async for kind, secret in self._wire.follow(f"/api/v1/namespaces/{self._namespace}/secrets", MANAGED):
            name = secret["metadata"]["name"].removesuffix("-zoom")
            if kind == "DELETED":
                self.cleared.setdefault(name, time.time())
                self._changed.set()
            elif ISSUED in secret["metadata"].get("annotations", {}) and name not in self.delivered:
                self.delivered[name] = time.time()
                self.issued[name] = datetime.fromisoformat(secret["metadata"]["annotations"][ISSUED]).timestamp()
                if name in self._touched:
                    self._spawn(self._run(name))

    async def _wait(self, name: str) -> None:
        message = f'secret "{name}-zoom" not found'
        state = {"waiting": {"reason": "CreateContainerConfigError", "message": message}}
        await self._report(name, "Pending", state)
        self.waiting.add(name)
        self._changed.set()

    async def _run(self, name: str) -> None:
        await self._report(name, "Running", {"running": {"startedAt": _whole(time.time())}})
        self.started[name] = time.time()

    async def _end(self, name: str, now: str) -> None:
        state = {"exitCode": 0, "reason": "Completed", "finishedAt": now, "startedAt": now}
        await self._report(name, "Succeeded", {"terminated": state})

    async def _report(self, name: str, phase: str, state: Object) -> None:
        container = {"name": "bot", "image": "bot", "imageID": "", "ready": False, "restartCount": 0, "state": state}
        path = f"/api/v1/namespaces/{self._namespace}/pods/{name}/status"
        await self._wire.send(
            "PATCH", path, {"status": {"phase": phase, "containerStatuses": [container]}}, media=MERGE
        )

    def _spawn(self, work: object) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.errors.append(error)
            self._changed.set()


def _whole(moment: float) -> str:
    return datetime.fromtimestamp(moment, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

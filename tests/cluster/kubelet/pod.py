"""One Pod on the kubelet double: looks at it in rounds, starts and stops its containers, reports its status."""

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster.kubelet.client import PASSING, RefusedError
from tests.cluster.kubelet.container import Container
from tests.cluster.kubelet.faults import Annotations
from tests.cluster.kubelet.records import PodRecord
from tests.cluster.kubelet.starting import Starter
from tests.cluster.kubelet.status import Role, Verdict, finished, pod_status, rejected_status
from tests.cluster.kubelet.surroundings import Surroundings
from tests.cluster.warden import Warden

Object = dict[str, Any]
RETRY_SECONDS = 0.25
# A failed pull is reported as such, and on the look after it as a back-off.
BACKOFF_SEEN_SECONDS = 1.0
FINAL_PHASES = {"Succeeded", "Failed"}
DEADLINE = Verdict(reason="DeadlineExceeded", message="Pod was active on the node longer than the specified deadline")


class PodWorker:
    """The life of one Pod, in a task of its own. `update` hands in what the watch has seen."""

    def __init__(self, pod: Object, *, node: Surroundings) -> None:
        self.pod = pod
        meta = pod["metadata"]
        self.key: tuple[str, str] = (meta["namespace"], meta["name"])
        self.uid: str = meta["uid"]
        self.record = PodRecord(namespace=self.key[0], name=self.key[1], uid=self.uid)
        self._node = node
        self._poke = asyncio.Event()
        self.gone = asyncio.Event()
        self.ending = asyncio.Event()  # to be deleted, gone, or failed: nothing starts any more
        if "deletionTimestamp" in meta:
            self.ending.set()
        self.verdict: Verdict | None = None
        self._started = time.time()
        self._reported: Object = {}
        self.folder = node.folder / f"{self.key[0]}_{self.key[1]}_{self.uid}"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.containers = _containers(pod, folder=self.folder, warden=node.warden, changed=self._poke.set)
        self._starter = Starter(self, node=node)
        self._path = f"/api/v1/namespaces/{self.key[0]}/pods/{self.key[1]}"

    @property
    def annotations(self) -> Annotations:
        """The Pod's settings for the double, as they are now."""
        return Annotations(self.pod)

    @property
    def deleting(self) -> bool:
        """Whether its deletion was asked for."""
        return "deletionTimestamp" in self.pod["metadata"]

    def update(self, pod: Object) -> None:
        """Take the Pod's newest state; wakes the worker for changes that wake a kubelet (not for its status)."""
        if _differ(self.pod, pod):
            self._poke.set()
        self.pod = pod
        if self.deleting:
            self.ending.set()

    def wake(self) -> None:
        """Look at the Pod now."""
        self._poke.set()

    def remove(self) -> None:
        """The Pod is no longer in the API server."""
        self.gone.set()
        self.ending.set()
        self._poke.set()

    def fail(self, verdict: Verdict) -> None:
        """The kubelet ends the Pod at once, for this reason."""
        self.verdict = self.verdict or verdict
        self.ending.set()
        self._poke.set()

    async def run(self) -> None:
        """Live until the Pod is gone from the API server."""
        await self._node.awake.wait()
        if self._was_here_before():
            self.verdict = Verdict(reason="ContainerStatusUnknown", message="The kubelet double was started anew")
        over = self.pod.get("status", {}).get("phase") in FINAL_PHASES
        rejection = "" if over or self.deleting else self._node.faults.rejection(self.key, self.annotations)
        if rejection:
            await self._reject(rejection)
        elif not over:
            await self._live()
        while not (self.deleting or self.gone.is_set()):
            await self._rest(None)
        await self._finalise()

    async def stop_processes(self, *, grace_seconds: float) -> None:
        """End all processes: SIGTERM, and SIGKILL after the grace period; side-cars after the others."""
        for roles in ({Role.MAIN, Role.INIT}, {Role.SIDECAR}):
            group = [each for each in self.containers if each.role in roles and each.running]
            for each in group:
                each.kill(signal.SIGTERM if grace_seconds > 0 else signal.SIGKILL)
            ended = asyncio.gather(*(each.ended() for each in group))
            deadline = time.monotonic() + grace_seconds
            while not ended.done() and time.monotonic() < deadline:
                await asyncio.wait([ended], timeout=min(0.2, max(0.0, deadline - time.monotonic())))
                # A second delete may have made the grace period shorter.
                deadline = min(deadline, time.monotonic() + self._grace(default=grace_seconds))
            for each in group:
                each.kill(signal.SIGKILL)
            await ended

    async def _live(self) -> None:
        self._node.faults.claim_never_start(self.key)
        await self._report()
        while not (self.deleting or self.gone.is_set()):
            await self._node.awake.wait()
            if self._past_deadline():
                self.verdict = self.verdict or DEADLINE
            if self.verdict is not None:
                break
            self._poke.clear()
            await self._starter.round()
            await self._end_side_cars()
            reported = await self._report()
            if self._phase() in FINAL_PHASES and reported:
                return
            await self._rest(RETRY_SECONDS if not reported else self._next_look())
        await self._node.awake.wait()
        await self._end()

    async def _end(self) -> None:
        at_once = self.verdict is not None and self.verdict is not DEADLINE
        if self.gone.is_set():
            await self.stop_processes(grace_seconds=min(2.0, self._grace()))
            return
        await self.stop_processes(grace_seconds=0 if at_once else self._grace())
        await self._node.awake.wait()
        for each in self.containers:
            each.lose()
        while not await self._report() and not await self._gone_within(RETRY_SECONDS):
            pass

    async def _end_side_cars(self) -> None:
        mains = [each for each in self.containers if each.role is Role.MAIN]
        views = [each.view() for each in mains]
        if all(finished(view, restart_policy=self._restart_policy()) for view in views):
            await self.stop_processes(grace_seconds=self._grace())

    async def _finalise(self) -> None:
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.uid}}
        while not self.gone.is_set():
            await self._node.awake.wait()
            try:
                await self._node.client.request("DELETE", self._path, body)
            except RefusedError as error:
                if error.status in {404, 409}:  # gone, or another Pod of this name
                    return
            except PASSING:
                pass
            else:
                return
            await asyncio.sleep(RETRY_SECONDS)

    async def _reject(self, reason: str) -> None:
        self.verdict = Verdict(
            reason=reason, message=f"Pod was rejected: Node didn't have enough resource: {reason.removeprefix('OutOf')}"
        )
        status = rejected_status(verdict=self.verdict, started=self._started)
        while not await self._write(status) and not await self._gone_within(RETRY_SECONDS):
            pass

    async def _report(self) -> bool:
        """Write the status if it is new; False if that must be tried again."""
        status = pod_status(
            [each.view() for each in self.containers],
            restart_policy=self._restart_policy(),
            started=self._started,
            now=time.time(),
            before=self.pod.get("status", {}),
            verdict=self.verdict,
            address=self._node.address,
        )
        return _steady(status) == _steady(self._reported) or await self._write(status)

    async def _write(self, status: Object) -> bool:
        try:
            written = await self._node.client.merge(
                f"{self._path}/status", {"metadata": {"uid": self.uid}, "status": status}
            )
        except RefusedError as error:
            # 404: gone; 409: another Pod of this name. The watch will tell.
            return error.status in {404, 409}
        except PASSING:
            return False
        self._reported = status
        self.pod["status"] = written.get("status", {})
        return True

    async def _rest(self, seconds: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._poke.wait()
        if seconds is None:
            self._poke.clear()

    async def _gone_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.gone.wait()
        return self.gone.is_set()

    def _next_look(self) -> float:
        now = time.time()
        times = [now + random.uniform(*self._node.slow_period_seconds)]
        limit = self.pod["spec"].get("activeDeadlineSeconds")
        if limit is not None:
            times.append(self._started + limit)
        times += [each.restart_at() for each in self.containers if each.waiting_reason == "CrashLoopBackOff"]
        if any(each.waiting_reason == "ErrImagePull" for each in self.containers):
            times.append(now + BACKOFF_SEEN_SECONDS)
        return max(0.01, min(times) - now)

    def _past_deadline(self) -> bool:
        limit = self.pod["spec"].get("activeDeadlineSeconds")
        return limit is not None and time.time() >= self._started + limit

    def _phase(self) -> str:
        return str(self._reported.get("phase", ""))

    def _restart_policy(self) -> str:
        return str(self.pod["spec"].get("restartPolicy", "Always"))

    def _grace(self, *, default: float | None = None) -> float:
        asked = self.pod["metadata"].get("deletionGracePeriodSeconds")
        if asked is not None:
            return float(asked)
        return float(self.pod["spec"].get("terminationGracePeriodSeconds", 30)) if default is None else default

    def _was_here_before(self) -> bool:
        status = self.pod.get("status", {})
        return status.get("phase") not in FINAL_PHASES and any(
            "running" in each.get("state", {}) for each in status.get("containerStatuses", [])
        )


def _containers(pod: Object, *, folder: Path, warden: Warden, changed: Callable[[], None]) -> list[Container]:
    spec = pod["spec"]
    inits = spec.get("initContainers") or []
    specs = [(each, Role.SIDECAR if each.get("restartPolicy") == "Always" else Role.INIT) for each in inits]
    specs += [(each, Role.MAIN) for each in spec["containers"]]
    first = "PodInitializing" if inits else "ContainerCreating"
    return [
        Container(each, role=role, waiting=first, folder=folder, warden=warden, changed=changed) for each, role in specs
    ]


def _differ(before: Object, after: Object) -> bool:
    # What the kubelet calls a semantic difference; anything else does not wake it.
    fields = ("labels", "annotations", "deletionTimestamp", "deletionGracePeriodSeconds")
    old, new = before["metadata"], after["metadata"]
    return before["spec"] != after["spec"] or any(old.get(field) != new.get(field) for field in fields)


def _steady(status: Object) -> Object:
    conditions = [
        {key: value for key, value in each.items() if key != "lastTransitionTime"}
        for each in status.get("conditions", [])
    ]
    return status | {"conditions": conditions}

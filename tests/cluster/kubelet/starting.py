"""Starts a Pod's containers in one round after another: image, environment, process, in the kubelet's order."""

import asyncio
import contextlib
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from tests.cluster.kubelet.client import PASSING, RefusedError
from tests.cluster.kubelet.container import Container
from tests.cluster.kubelet.environment import ConfigError, command_line, resolve
from tests.cluster.kubelet.projected import mounted, relocated
from tests.cluster.kubelet.status import Role, Terminated
from tests.cluster.kubelet.surroundings import Surroundings

if TYPE_CHECKING:
    from tests.cluster.kubelet.pod import PodWorker

Object = dict[str, Any]
PULL_SECONDS = 0.2
# Under policy Always an image that is there is only compared with the registry's.
CHECK_SECONDS = 0.1
PULL_BACKOFF_LIMIT_SECONDS = 300.0


class Starter:
    """Starts what can be started now; what cannot waits with its reason, reported by the caller after the round.

    As in the kubelet, one container is dealt with after another, each start looks at the image first, and a container
    that cannot start does not keep the others from it. Nothing starts any more once the Pod is `ending`.
    """

    def __init__(self, worker: "PodWorker", *, node: Surroundings) -> None:
        self._worker = worker
        self._node = node

    async def round(self) -> None:
        """One look at the Pod."""
        try:
            if await self._volumes_missing() or not await self._initialized():
                return
            for each in self._worker.containers:
                if each.role is Role.MAIN and self._wants_start(each):
                    await self._try(each)
        except (RefusedError, *PASSING):
            # The API server is away: the next look asks again.
            await asyncio.sleep(CHECK_SECONDS)
            self._worker.wake()

    async def _initialized(self) -> bool:
        """Bring the init containers on by a step; whether all are through."""
        for each in self._worker.containers:
            if each.role is Role.MAIN:
                continue
            if self._wants_start(each):
                if not each.over and each.waiting_reason == "PodInitializing":
                    each.wait_for("ContainerCreating")
                await self._try(each)
            if not each.view().initialized:
                return False
        for each in self._worker.containers:
            if each.role is Role.MAIN and each.waiting_reason == "PodInitializing":
                each.wait_for("ContainerCreating")
        return True

    def _wants_start(self, container: Container) -> bool:
        if container.running or self._worker.ending.is_set():
            return False
        if isinstance(container.state, Terminated):
            if container.role is Role.SIDECAR:
                return True
            policy = self._worker.pod["spec"].get("restartPolicy", "Always")
            succeeded = container.state.exit_code == 0
            if container.role is Role.INIT:
                return not succeeded and policy != "Never"
            return policy == "Always" or (policy == "OnFailure" and not succeeded)
        return True

    async def _try(self, container: Container) -> None:
        if time.time() < container.restart_at():
            container.wait_for("CrashLoopBackOff", f"back-off restarting failed container={container.name}")
            return
        if not await self._image(container):
            return
        try:
            environment = await resolve(container.spec, pod=self._worker.pod, fetch=self._fetch)
        except ConfigError as error:
            container.wait_for("CreateContainerConfigError", str(error))
            return
        mounts = await mounted(
            container.spec, pod=self._worker.pod, client=self._node.client, folder=self._worker.folder
        )
        environment = relocated(environment, mounts)
        record = self._worker.record
        record.references_found.setdefault(container.name, time.time())
        await self._node.awake.wait()
        # The Pod may have been deleted meanwhile: then it must not start any more.
        if self._worker.ending.is_set() or self._node.faults.hangs(self._worker.key, self._worker.annotations):
            return
        entrypoint = self._node.images.entrypoint(container.spec["image"]) or ()
        command = command_line(container.spec, entrypoint=entrypoint, variables=environment)
        container.on_end = partial(record.note_end, container.name)
        started = await container.start(command, environment=environment)
        record.note_start(container.name, at=started, environment=environment)

    async def _image(self, container: Container) -> bool:
        """Have the image; False if it cannot be had now."""
        always = _pull_policy(container.spec) == "Always"
        if container.pulled and not always:
            return True
        if self._missing(container):
            self._pull_failed(container)
            return False
        worker = self._worker
        first = worker.annotations.number("pull-seconds", PULL_SECONDS)
        if not await self._pass(CHECK_SECONDS if container.pulled else first):
            return False
        container.pulled = True
        worker.record.note_pull(container.name)
        return True

    def _missing(self, container: Container) -> bool:
        if self._node.faults.pull_fails(self._worker.key, self._worker.annotations):
            return True
        # With a command of its own, what runs does not depend on the image.
        return not container.spec.get("command") and self._node.images.entrypoint(container.spec["image"]) is None

    def _pull_failed(self, container: Container) -> None:
        image, now = container.spec["image"], time.time()
        problem = f'failed to pull and unpack image "{image}": not found'
        if now < container.pull_again_at:
            container.wait_for("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {problem}')
            return
        pause = self._node.pull_backoff_seconds * 2.0**container.pull_failures
        container.pull_failures += 1
        container.pull_again_at = now + min(pause, PULL_BACKOFF_LIMIT_SECONDS)
        container.wait_for("ErrImagePull", problem)

    async def _pass(self, seconds: float) -> bool:
        """Let time go by; False as soon as nothing may start any more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._worker.ending.wait()
        return not self._worker.ending.is_set()

    async def _volumes_missing(self) -> bool:
        """Whether a volume's Secret or ConfigMap is missing: mounted before any image is pulled."""
        for volume in self._worker.pod["spec"].get("volumes") or []:
            for kind, source, field in (("secret", "secret", "secretName"), ("configmap", "configMap", "name")):
                reference = volume.get(source)
                if reference and not reference.get("optional") and await self._fetch(kind, reference[field]) is None:
                    return True
        return False

    async def _fetch(self, kind: str, name: str) -> Object | None:
        return await self._node.client.get(f"/api/v1/namespaces/{self._worker.key[0]}/{kind}s/{name}")


def _pull_policy(spec: Object) -> str:
    return str(spec.get("imagePullPolicy", "IfNotPresent"))

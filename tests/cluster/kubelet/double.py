"""The kubelet double as tests use it: blocking calls, the work in a thread with an event loop of its own."""

import asyncio
import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from tests.cluster.kubelet import agent as core
from tests.cluster.kubelet.agent import Agent
from tests.cluster.kubelet.client import Client
from tests.cluster.kubelet.faults import Faults
from tests.cluster.kubelet.images import Images
from tests.cluster.kubelet.log_server import log_server
from tests.cluster.kubelet.node import put_node
from tests.cluster.kubelet.pod import PodWorker
from tests.cluster.kubelet.records import PodRecord
from tests.cluster.kubelet.status import ADDRESS, Verdict
from tests.cluster.kubelet.surroundings import Surroundings
from tests.cluster.warden import Warden
from tests.zoomsim.event_loop import run

T = TypeVar("T")
EVICTED = Verdict(reason="Evicted", message="The node was low on resource: memory.", disruption="TerminationByKubelet")


class KubeletDouble:
    """One node of a cluster that has none: runs Pods as processes on this machine, with the real kubelet's manners.

    `kubeconfig` is an administrator's, `images` adds to the built-in images (name to command), `address` is
    the address of the node and its Pods. Faults can be asked for
    here or by `kubelet.test/...` annotations (see `tests.cluster.kubelet.faults`). All methods may be called from any
    thread; they return when the double has taken note, not when the Pod's status shows it.
    """

    def __init__(
        self,
        kubeconfig: Path,
        *,
        images: Mapping[str, Sequence[str]] | None = None,
        node_name: str = "double-1",
        slow_period_seconds: tuple[float, float] = (3.0, 8.0),
        pull_backoff_seconds: float = 10.0,
        folder: Path | None = None,
        address: str = ADDRESS,
    ) -> None:
        self.images = Images(images)
        self.node_name = node_name
        self._address = address
        self._kubeconfig = kubeconfig
        self._slow_period = slow_period_seconds
        self._pull_backoff = pull_backoff_seconds
        self._temporary = folder is None
        self._folder = folder or Path(tempfile.mkdtemp(prefix="meetingbots-kubelet-"))
        self._faults = Faults()
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None
        self._agent: Agent | None = None
        self._failure: BaseException | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Register the Node and begin; returns once Pods are watched."""
        self._thread = threading.Thread(target=self._main, name="kubelet-double", daemon=True)
        self._thread.start()
        self._ready.wait(timeout=20)
        if self._failure is not None or self._agent is None:
            self.stop()
            raise RuntimeError("the kubelet double did not start") from self._failure

    def stop(self) -> None:
        """End all containers and the double; raises the first error of its own, if it had one."""
        if self._loop is not None and self._stopping is not None:
            with suppress(RuntimeError):  # the loop is closed already
                self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._temporary:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._agent is not None and self._agent.errors:
            raise RuntimeError("the kubelet double failed") from self._agent.errors[0]

    def record(self, namespace: str, name: str) -> PodRecord:
        """What was done with the newest Pod of this name; LookupError if the node never had one."""
        found = [each for each in self.records(namespace) if each.name == name]
        if not found:
            raise LookupError(f"the kubelet double never had a Pod {namespace}/{name}")
        return found[-1]

    def records(self, namespace: str) -> list[PodRecord]:
        """All Pods of the namespace so far, in the order in which they came to the node."""
        return [each for each in list(self._core().records) if each.namespace == namespace]

    def logs(self, namespace: str, name: str, container: str) -> str:
        """What the container's processes have printed so far; LookupError if there was no such container."""
        uid = self.record(namespace, name).uid
        log = self._folder / f"{namespace}_{name}_{uid}" / f"{container}.log"
        if not log.is_file():
            raise LookupError(f"no log of container {container} in Pod {namespace}/{name}: it never started")
        return log.read_text(errors="replace")

    def pause(self) -> None:
        """The kubelet looks at nothing; what runs goes on."""
        self._call(self._core().node.awake.clear)

    def resume(self) -> None:
        """The kubelet looks at everything again."""

        def awake() -> None:
            self._core().node.awake.set()
            for worker in self._core().workers.values():
                worker.wake()

        self._call(awake)

    def reset(self) -> None:
        """Forget all faults that were asked for here, and go on as normal."""
        self._call(self._faults.clear)
        self.resume()

    def evict(self, namespace: str, name: str) -> None:
        """The kubelet evicts the Pod for lack of memory: killed, Failed, reason Evicted."""
        self._call(lambda: self._worker(namespace, name).fail(EVICTED))

    def reject(self, namespace: str, name: str, *, reason: str = "OutOfcpu") -> None:
        """The kubelet will not admit the Pod of this name, once: Failed with `reason`, nothing starts."""
        self._call(lambda: self._faults.reject.__setitem__((namespace, name), reason))

    def reject_next(self, count: int = 1, *, reason: str = "OutOfcpu") -> None:
        """The kubelet will not admit the next Pods, whatever their names."""
        self._call(lambda: self._faults.reject_next.extend([reason] * count))

    def never_start(self, namespace: str, name: str) -> None:
        """The Pod's containers do not start although all that they need is there; their waiting reason stays."""
        self._call(lambda: self._faults.never_start.add((namespace, name)))

    def never_start_next(self, count: int = 1) -> None:
        """As `never_start`, for the next Pods that come to the node."""
        self._call(lambda: setattr(self._faults, "never_start_next", self._faults.never_start_next + count))

    def release(self, namespace: str, name: str) -> None:
        """The Pod's images can be pulled, and its containers started, from now on."""

        def released() -> None:
            self._faults.never_start.discard((namespace, name))
            self._faults.pull_released.add((namespace, name))
            worker = self._worker(namespace, name)
            for each in worker.containers:
                each.pull_again_at = 0.0
            worker.wake()

        self._call(released)

    def kill(self, namespace: str, name: str, container: str, *, number: int = signal.SIGKILL) -> None:
        """Send a signal to a container's processes."""
        self._kill(namespace, name, container, number=number, reason="")

    def oom_kill(self, namespace: str, name: str, container: str) -> None:
        """The kernel kills the container for its use of memory: code 137, reason OOMKilled."""
        self._kill(namespace, name, container, number=signal.SIGKILL, reason="OOMKilled")

    def preempt(self, namespace: str, name: str) -> None:
        """The scheduler deletes the Pod in favour of another."""
        self._run(core.preempt(self._core(), namespace, name))

    def lose_node(self) -> None:
        """The node is cut off: Ready Unknown, its Pods NodeLost; what runs goes on running."""
        self._run(core.lose_node(self._core()))

    def find_node(self) -> None:
        """The node is back, and looks at all its Pods."""
        self._run(core.find_node(self._core()))

    def _kill(self, namespace: str, name: str, container: str, *, number: int, reason: str) -> None:
        def killed() -> None:
            found = self._core().container(namespace, name, container)
            if not found.running:
                raise LookupError(f"container {container} of Pod {namespace}/{name} does not run")
            found.kill(number, reason=reason)

        self._call(killed)

    def _worker(self, namespace: str, name: str) -> PodWorker:
        return self._core().worker(namespace, name)

    def _core(self) -> Agent:
        if self._agent is None:
            raise RuntimeError("the kubelet double is not started")
        return self._agent

    def _call(self, action: Callable[[], object]) -> None:
        async def act() -> None:
            action()

        self._run(act())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise RuntimeError("the kubelet double is not started")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=20)

    def _main(self) -> None:
        try:
            run(self._serve())
        except BaseException as error:
            self._failure = error  # for the thread that waits in `start`
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        warden = Warden()
        try:
            async with Client(self._kubeconfig) as client:
                awake = asyncio.Event()
                awake.set()
                node = Surroundings(
                    client=client,
                    images=self.images,
                    faults=self._faults,
                    folder=self._folder,
                    warden=warden,
                    awake=awake,
                    slow_period_seconds=self._slow_period,
                    pull_backoff_seconds=self._pull_backoff,
                    address=self._address,
                )
                agent = Agent(node_name=self.node_name, node=node)
                async with log_server(agent.container, folder=self._folder, address=self._address) as port:
                    await self._work(agent, log_port=port)
        finally:
            warden.close()

    async def _work(self, agent: Agent, *, log_port: int | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        await put_node(agent.node.client, name=self.node_name, log_port=log_port, address=agent.node.address)
        watch = asyncio.create_task(agent.run())
        try:
            await agent.watching.wait()
            self._agent = agent
            self._ready.set()
            await self._stopping.wait()
        finally:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
            await agent.close()

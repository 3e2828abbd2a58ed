"""One container of a Pod on the kubelet double: its process on this machine, its log and how it ended."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.cluster.kubelet.status import ContainerView, Role, Running, State, Terminated, Waiting
from tests.cluster.warden import Warden

Object = dict[str, Any]
# The double has no mounts, so a program that writes a termination message finds the file's path here.
TERMINATION_LOG = "KUBELET_TEST_TERMINATION_LOG"
MESSAGE_BYTES = 4096
LOG_TAIL_BYTES = 2048
LOG_TAIL_LINES = 80
CRASH_LOOP_SECONDS = 10.0
CRASH_LOOP_LIMIT_SECONDS = 300.0


class Container:
    """A container's specification, state and process.

    `changed` is called when the process ends, and `on_end` with the time.
    """

    def __init__(
        self, spec: Object, *, role: Role, waiting: str, folder: Path, warden: Warden, changed: Callable[[], None]
    ) -> None:
        self.spec = spec
        self.name: str = spec["name"]
        self.role = role
        self.state: State = Waiting(reason=waiting)
        self.last: Terminated | None = None
        self.restarts = 0
        self.pulled = False
        self.pull_failures = 0
        self.pull_again_at = 0.0
        self.log = folder / f"{self.name}.log"
        self._termination_log = folder / f"{self.name}.termination"
        self._warden = warden
        self._changed = changed
        self.on_end: Callable[[float], None] = lambda _: None
        self._id = ""
        self._process: asyncio.subprocess.Process | None = None
        self._waiter: asyncio.Task[None] | None = None
        self._killed_as = ""

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return isinstance(self.state, Running)

    @property
    def over(self) -> bool:
        """Whether it has run and ended."""
        return isinstance(self.state, Terminated)

    @property
    def waiting_reason(self) -> str:
        """Reason of a waiting container, else empty."""
        return self.state.reason if isinstance(self.state, Waiting) else ""

    def wait_for(self, reason: str, message: str = "") -> None:
        """It does not start now, for this reason."""
        if self.over:
            self.last = self.state if isinstance(self.state, Terminated) else self.last
        self.state = Waiting(reason=reason, message=message)

    def view(self) -> ContainerView:
        """What the status shows of it."""
        image = self.spec["image"]
        return ContainerView(
            name=self.name,
            role=self.role,
            image=image,
            image_id=f"{image.partition('@')[0]}@sha256:{'0' * 64}" if self._id else "",
            container_id=self._id,
            state=self.state,
            last=self.last,
            restarts=self.restarts,
        )

    def restart_at(self) -> float:
        """Earliest time (seconds since the epoch) of the next start after an end, with the kubelet's growing pause."""
        ended = self.state if isinstance(self.state, Terminated) else self.last
        if ended is None or ended.finished is None or self.restarts == 0:
            return 0.0
        return ended.finished + min(CRASH_LOOP_SECONDS * 2.0 ** (self.restarts - 1), CRASH_LOOP_LIMIT_SECONDS)

    async def start(self, command: Sequence[str], *, environment: Mapping[str, str]) -> float:
        """Start the process with exactly this environment, a PATH and the termination log's path; returns when.

        A command that does not exist ends the container at once with code 128 and reason StartError, as a container
        runtime does.
        """
        if self.over or self.last is not None:
            self.restarts += 1
            self.last = self.state if isinstance(self.state, Terminated) else self.last
        self._id = f"double://{uuid4().hex}"
        self._killed_as = ""
        self._termination_log.write_text("")
        variables = {"PATH": os.environ.get("PATH", os.defpath)} | dict(environment)
        variables[TERMINATION_LOG] = str(self._termination_log)
        try:
            with self.log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *command,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=variables,
                    cwd=self.spec.get("workingDir"),
                    start_new_session=True,
                )
        except OSError as error:
            now = time.time()
            self.state = Terminated(
                exit_code=128, reason="StartError", message=f"{error.strerror}: {command[0]}", finished=now
            )
            self._changed()
            return now
        started = time.time()
        self._warden.watch(self._process.pid)
        self.state = Running(started=started)
        self._waiter = asyncio.create_task(self._wait(self._process, started=started))
        return started

    def kill(self, number: int, *, reason: str = "") -> None:
        """Send a signal to the process group; `reason` replaces Error in the status, such as OOMKilled."""
        if self.running and self._process is not None:
            self._killed_as = reason or self._killed_as
            # A process that has just ended: Linux says there is none, macOS that it is not ours to signal.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def lose(self) -> None:
        """It never ran, and its Pod is over."""
        if isinstance(self.state, Waiting) and self.last is None:
            self.state = Terminated(
                exit_code=137,
                reason="ContainerStatusUnknown",
                message="The container could not be located when the pod was terminated",
            )

    async def ended(self) -> None:
        """Wait until its process is gone."""
        if self._waiter is not None:
            await asyncio.shield(self._waiter)

    async def _wait(self, process: asyncio.subprocess.Process, *, started: float) -> None:
        code = await process.wait()
        finished = time.time()
        # What the process left behind would otherwise live on; in a container it ends with the first process.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        self._warden.forget(process.pid)
        self.on_end(finished)
        exit_code = code if code >= 0 else 128 - code
        reason = self._killed_as or ("Completed" if exit_code == 0 else "Error")
        message = self._message(failed=exit_code != 0)
        self.state = Terminated(exit_code=exit_code, reason=reason, message=message, started=started, finished=finished)
        self._changed()

    def _message(self, *, failed: bool) -> str:
        written = self._termination_log.read_bytes()[:MESSAGE_BYTES].decode(errors="replace")
        fall_back = self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError"
        if written or not (fall_back and failed):
            return written
        tail = self.log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace")
        return "".join(tail.splitlines(keepends=True)[-LOG_TAIL_LINES:])

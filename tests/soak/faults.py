"""Carries out the faults of a plan, each in a thread, one after another for one target."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, TypeVar

from tests.cluster.api import ApiError, wait_until
from tests.cluster.kubelet.client import PASSING, RefusedError
from tests.cluster.service import ClusterError
from tests.soak.plan import Fault, FaultKind
from tests.soak.record import Interruption
from tests.soak.scene import CREDENTIALS, Scene
from tests.stack.processes import Program
from tests.stack.tenant import GROUP
from tests.zoomsim.faults import Kind

READY_SECONDS: Final = 300.0
STOP_SECONDS: Final = 110.0
_SPOILT: Final[tuple[tuple[Kind, bool], ...]] = (
    ("html", True),
    ("html", False),
    ("empty", True),
    ("timeout", True),
    ("close", False),
    ("unexpected", False),
)
_CALLS: Final = ("meetings.jointoken", "meetings.list", "meetings.get", "users.get", "users.zak", "*")
T = TypeVar("T")
_CLOCK_STEPS: Final = (-120.0, -40.0, 40.0, 120.0)


class Faults:
    """Breaks and repairs. `done` counts the kinds, `interruptions` are those of operators."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._locks: dict[str, threading.Lock] = {}
        self._threads: list[threading.Thread] = []
        self._failed: list[BaseException] = []
        self._hurry = threading.Event()
        self.interruptions: list[Interruption] = []
        self.done: Counter[str] = Counter()

    def begin(self, fault: Fault) -> None:
        """Begin a fault in the background."""
        self.done[fault.kind] += 1
        thread = threading.Thread(target=self._run, args=(fault,), name=fault.kind, daemon=True)
        self._threads.append(thread)
        thread.start()

    def keep_running(self) -> None:
        """Start a process again that ended by itself, as the kubelet does."""
        for program in self._programs():
            with self._trying(program) as free:
                if free and not program.running:
                    self.done[f"{program.log.stem} ended with code {program.exit_code}"] += 1
                    program.start(wait=False)

    def finish(self) -> None:
        """Repair everything, and wait until it is repaired; raises what went wrong with a fault itself."""
        self._hurry.set()
        for thread in self._threads:
            thread.join()
        self._scene.zoom.clear_faults()
        self._scene.kubelet.reset()
        for program in self._programs():
            self._start(program)
        if self._failed:
            raise self._failed[0]

    def _run(self, fault: Fault) -> None:
        try:
            self._acts()[fault.kind](fault)
        except BaseException as error:
            self._failed.append(error)

    def _acts(self) -> dict[FaultKind, Callable[[Fault], None]]:
        return {
            "kill operator": lambda fault: self._kill(self._operator(fault), fault),
            "stop operator": self._stop_operator,
            "freeze operator": self._freeze,
            "kill receiver": lambda fault: self._kill(self._receiver(fault), fault),
            "crash API server": lambda fault: self._restart_apiserver(fault, crash=True),
            "stop API server": lambda fault: self._restart_apiserver(fault, crash=False),
            "lose refresh": lambda fault: self._zoom_fault(fault, "oauth.token.refresh_token", "close", after=True),
            "spoil refresh": self._spoil_refresh,
            "lose join token": lambda fault: self._zoom_fault(fault, "meetings.jointoken", "close", after=True),
            "spoil calls": self._spoil_calls,
            "limit rate": lambda fault: self._zoom_fault(fault, "meetings", "rate_limited", count=2),
            "revoke consent": self._revoke,
            "slow Zoom": self._slow_zoom,
            "step clock": self._step_clock,
            "evict Pod": lambda fault: self._hit_pod(fault, self._scene.kubelet.evict),
            "preempt Pod": lambda fault: self._hit_pod(fault, self._scene.kubelet.preempt),
            "kill container": lambda fault: self._hit_pod(
                fault, lambda namespace, name: self._scene.kubelet.oom_kill(namespace, name, "bot")
            ),
            "reject Pod": lambda _: self._scene.kubelet.reject_next(),
        }

    # Processes.

    def _kill(self, program: Program, fault: Fault) -> None:
        with self._lock(program):
            if program in [replica.operator for replica in self._scene.replicas]:
                now = time.time()
                self.interruptions.append(Interruption(began=now, ended=now))
            program.kill()
            self._hurry.wait(fault.seconds)
            self._start(program)

    def _stop_operator(self, fault: Fault) -> None:
        program = self._operator(fault)
        with self._lock(program):
            began = time.time()
            program.stop()
            if time.time() - began > STOP_SECONDS:  # it was killed in the end
                self.interruptions.append(Interruption(began=began, ended=time.time()))
            self._hurry.wait(fault.seconds)
            self._start(program)

    def _freeze(self, fault: Fault) -> None:
        program = self._operator(fault)
        with self._lock(program):
            if not program.running:
                return
            began = time.time()
            with contextlib.suppress(ProcessLookupError):
                os.kill(program.pid, signal.SIGSTOP)
                self._hurry.wait(fault.seconds)
                os.kill(program.pid, signal.SIGCONT)
            self.interruptions.append(Interruption(began=began, ended=time.time()))

    def _restart_apiserver(self, fault: Fault, *, crash: bool) -> None:
        with self._named_lock("API server"):
            self._scene.cluster.stop_apiserver(crash=crash)
            self._hurry.wait(fault.seconds)
            try:
                self._scene.cluster.start_apiserver()
            except (ClusterError, TimeoutError):  # the machine is busy
                wait_until(self._is_served, what="the API server serves MeetingBots", limit_seconds=READY_SECONDS)

    def _is_served(self) -> bool:
        with contextlib.suppress(OSError, ApiError):
            return self._scene.cluster.api.get(f"{GROUP}/meetingbots") is not None
        return False

    def _start(self, program: Program) -> None:
        """Start it, again if it ends before it is ready, as the kubelet does."""
        deadline = time.monotonic() + READY_SECONDS
        while not program.ready:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{program.log} has a process that does not get ready")
            if not program.running:
                program.start(wait=False)
            time.sleep(0.2)

    # Zoom.

    def _zoom_fault(self, fault: Fault, call: str, kind: Kind, *, after: bool = False, count: int = 1) -> None:
        client_id = self._scene.customers[fault.which].tenant.app.client_id
        self._scene.zoom.fault(
            call, kind, after_work=after, count=count, seconds=2.0, header="seconds", client_id=client_id
        )

    def _spoil_refresh(self, fault: Fault) -> None:
        kind, after = _pick(_SPOILT, fault.draw)
        self._zoom_fault(fault, "oauth.token.refresh_token", kind, after=after)

    def _spoil_calls(self, fault: Fault) -> None:
        kind, after = _pick(_SPOILT[:-1], fault.draw)
        self._zoom_fault(fault, _pick(_CALLS, fault.draw * 7 % 1), kind, after=after, count=2)

    def _revoke(self, fault: Fault) -> None:
        customer = self._scene.customers[fault.which]
        user = customer.users[_pick(CREDENTIALS, fault.draw)]
        self._scene.zoom.revoke(client_id=customer.tenant.app.client_id, user=user.id)

    def _slow_zoom(self, fault: Fault) -> None:
        with self._named_lock("slow Zoom"):
            self._scene.zoom.settings(latency_seconds=1.5)
            self._hurry.wait(fault.seconds)
            self._scene.zoom.settings(latency_seconds=0.0)

    def _step_clock(self, fault: Fault) -> None:
        clock = self._scene.clocks[fault.which]
        with self._named_lock(clock.name):
            _write(clock, _pick(_CLOCK_STEPS, fault.draw))
            self._hurry.wait(fault.seconds)
            _write(clock, 0.0)

    # Pods.

    def _hit_pod(self, fault: Fault, hit: Callable[[str, str], None]) -> None:
        namespace = self._scene.customers[fault.which].tenant.namespace
        running = [
            record.name
            for record in self._scene.kubelet.records(namespace)
            if "bot" in record.started and "bot" not in record.ended
        ]
        if not running:
            return
        # It may end or be deleted right now, and the API server may be away.
        with contextlib.suppress(LookupError, RefusedError, *PASSING):
            hit(namespace, _pick(running, fault.draw))

    # Targets.

    def _operator(self, fault: Fault) -> Program:
        return self._scene.replicas[fault.which].operator

    def _receiver(self, fault: Fault) -> Program:
        return self._scene.replicas[fault.which].receiver

    def _programs(self) -> Iterator[Program]:
        for replica in self._scene.replicas:
            yield from (replica.operator, replica.receiver)

    def _lock(self, program: Program) -> threading.Lock:
        return self._named_lock(str(program.log))

    def _named_lock(self, name: str) -> threading.Lock:
        return self._locks.setdefault(name, threading.Lock())

    @contextlib.contextmanager
    def _trying(self, program: Program) -> Iterator[bool]:
        lock = self._lock(program)
        free = lock.acquire(blocking=False)
        try:
            yield free
        finally:
            if free:
                lock.release()


def _pick(values: Sequence[T], draw: float) -> T:
    return values[min(int(draw * len(values)), len(values) - 1)]


def _write(clock: Path, seconds: float) -> None:
    """Replace the file at once, so that nobody reads half of it."""
    new = clock.with_suffix(".new")
    new.write_text(str(seconds))
    new.replace(clock)

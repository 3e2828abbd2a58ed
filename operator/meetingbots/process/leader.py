"""Which of several operator processes works: a Lease (coordination.k8s.io/v1) that one of them holds and renews.

Correctness never depends on it: every step of a token's way claims what it does by a write with resourceVersion, so two
leaders at once do nothing twice. The Lease spares the standby the work, and Zoom and the API server its requests.

Times are measured by each process's own monotonic clock from what it saw of the Lease (as client-go's leader election
does), so that clocks may differ. A holder that has not renewed for `LEASE_SECONDS` of watching is taken for dead; an
API server that is away, or a process that was stopped for a while, does not count as watching. A leader has lost the
Lease when somebody else holds it, and not before: without the API server it goes on, for it may have a token in memory
that is still to be stored.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Final

from meetingbots.kube.client import Kube, Object
from meetingbots.kube.errors import AlreadyExistsError, ConflictError, KubeError, NotFoundError, UnavailableError
from meetingbots.kube.resources import LEASES

LEASE_SECONDS: Final = 10.0
RENEW_SECONDS: Final = 2.0
_CALL_SECONDS: Final = 4.0
_AGAIN_SECONDS: Final = 0.2
_LONGEST_GAP_SECONDS: Final = 2 * RENEW_SECONDS

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Lease:
    """A Lease as it was read. `holder` is empty when nobody has it; `resource_version` changes with every renewal."""

    holder: str
    resource_version: str
    transitions: int = 0


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """The Lease as it was `at` (monotonic seconds), and for how many seconds of watching it has been so."""

    lease: Lease
    at: float
    unchanged: float = 0.0


class Step(Enum):
    """What to do about the Lease now."""

    CREATE = "create"
    TAKE = "take"
    RENEW = "renew"
    WAIT = "wait"
    STOP = "stop"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A step, and in how many seconds to look again."""

    step: Step
    after: float = RENEW_SECONDS


def sighting(*, lease: Lease, before: Sighting | None, now: float) -> Sighting:
    """What is known of the Lease after it was read `now`. A gap between two reads counts for two periods at most."""
    if before is None or before.lease.resource_version != lease.resource_version:
        return Sighting(lease=lease, at=now)
    watched = min(now - before.at, _LONGEST_GAP_SECONDS)
    return Sighting(lease=lease, at=now, unchanged=before.unchanged + watched)


def decide(*, seen: Sighting | None, identity: str, leading: bool) -> Decision:
    """The step of the process `identity`, right after the Lease was read. `seen` is None when there is no Lease."""
    if seen is None:
        return Decision(step=Step.CREATE)
    holder = seen.lease.holder
    if holder == identity:
        return Decision(step=Step.RENEW)
    if not holder:
        return Decision(step=Step.TAKE)
    if leading:
        return Decision(step=Step.STOP)
    left = LEASE_SECONDS - seen.unchanged
    if left <= 0:
        return Decision(step=Step.TAKE)
    return Decision(step=Step.WAIT, after=min(RENEW_SECONDS, left))


class LeaderElection:
    """One process's part in it. `clock` gives the time for the Lease's own fields, which only people read.

    `leading` is set once the Lease is held, `answered` once the API server has told anything about it at all.
    """

    def __init__(
        self,
        *,
        kube: Kube,
        namespace: str,
        name: str,
        identity: str,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._seen: Sighting | None = None
        self.leading = asyncio.Event()
        self.answered = asyncio.Event()

    async def run(self) -> None:
        """Get the Lease and keep it; returns only once it was lost. Trouble with the server is logged and outlived."""
        while True:
            after = await self.look()
            if after is None:
                return
            await self._sleep(after)

    async def look(self) -> float | None:
        """Look once and do what is to be done; the answer is when to look again in seconds, or None: it is lost."""
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                after = await self._act()
        except (ConflictError, AlreadyExistsError):
            return _AGAIN_SECONDS  # somebody was faster: read it again
        except TimeoutError:
            return self._failed(UnavailableError(f"no answer in {_CALL_SECONDS:.0f} s"))
        except KubeError as error:
            return self._failed(error)
        self.answered.set()
        return after

    async def release(self) -> None:
        """Give the Lease up, so that another process takes it at its next look. Failures only cost time."""
        if not self.leading.is_set():
            return
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                lease = await self._read()
                if lease is not None and lease.holder == self._identity:
                    await self._write(lease, {"holderIdentity": "", "leaseDurationSeconds": 1})
        except (KubeError, TimeoutError) as error:
            _log.warning("the Lease %s could not be released, it will run out: %s", self._name, error)

    async def _act(self) -> float | None:
        lease = await self._read()
        self._seen = None if lease is None else sighting(lease=lease, before=self._seen, now=self._monotonic())
        decision = decide(seen=self._seen, identity=self._identity, leading=self.leading.is_set())
        if lease is not None and decision.step is Step.STOP:
            _log.error("the Lease %s was lost to %s", self._name, lease.holder)
            return None
        if decision.step is Step.CREATE:
            await self._kube.create(LEASES, namespace=self._namespace, body=self._new())
        elif decision.step is Step.RENEW and lease is not None:
            await self._write(lease, {"renewTime": self._now()})
        elif decision.step is Step.TAKE and lease is not None:
            await self._write(lease, self._taken(transitions=lease.transitions + 1))
        if decision.step is not Step.WAIT and not self.leading.is_set():
            _log.info("leading: %s holds the Lease %s", self._identity, self._name)
            self.leading.set()
        return decision.after

    def _failed(self, error: KubeError) -> float:
        _log.warning("the Lease %s/%s cannot be had: %s", self._namespace, self._name, error)
        return RENEW_SECONDS

    async def _read(self) -> Lease | None:
        try:
            found = await self._kube.get(LEASES, namespace=self._namespace, name=self._name)
        except NotFoundError:
            return None
        spec = found.get("spec") or {}
        return Lease(
            holder=spec.get("holderIdentity") or "",
            resource_version=found["metadata"]["resourceVersion"],
            transitions=spec.get("leaseTransitions") or 0,
        )

    async def _write(self, lease: Lease, spec: dict[str, Any]) -> None:
        await self._kube.patch(
            LEASES,
            namespace=self._namespace,
            name=self._name,
            patch={"spec": spec},
            resource_version=lease.resource_version,
        )

    def _new(self) -> Object:
        return {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": self._taken(transitions=0),
        }

    def _taken(self, *, transitions: int) -> dict[str, Any]:
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(LEASE_SECONDS),
            "acquireTime": self._now(),
            "renewTime": self._now(),
            "leaseTransitions": transitions,
        }

    def _now(self) -> str:
        # MicroTime of the Kubernetes API: RFC 3339 with exactly six digits.
        return self._clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

"""Leader election by a Lease: one operator process works, the others stand by.

Correctness never depends on it. Every write on a token's way carries a resourceVersion, so two leaders at once do
nothing twice. The Lease saves the standby the work, and Zoom and the API server its requests.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

from meetingbots.kube.client import Kube
from meetingbots.kube.errors import AlreadyExistsError, ConflictError, KubeError, NotFoundError, UnavailableError
from meetingbots.kube.resources import LEASES
from meetingbots.process.lease import (
    LEASE_SECONDS,
    RENEW_SECONDS,
    CreateLease,
    LeaderRole,
    Lease,
    LeaseAction,
    LeaseFacts,
    RenewLease,
    Sighting,
    TakeLease,
    decide,
    sighting,
)

_CALL_SECONDS: Final = 4.0
_CONFLICT_SECONDS: Final = 0.2

_log = logging.getLogger(__name__)


class LeaderElection:
    """Takes part in the election as `identity`.

    `leading` is set once this process holds the Lease. `clock` gives the Lease's own times, which only people read;
    `monotonic` gives seconds.
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

    @property
    def stands_by(self) -> bool:
        """Whether another process leads, as its renewals show."""
        return not self.leading.is_set() and self._seen is not None and self._seen.has_live_holder

    async def run(self) -> None:
        """Acquire and renew the Lease; return once another process has it. Failures are logged and retried."""
        while True:
            requeue_after = await self.reconcile()
            if requeue_after is None:
                return
            await self._sleep(requeue_after)

    async def reconcile(self) -> float | None:
        """Read the Lease once and act on it; return the seconds until the next time, or None when it is lost."""
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                requeue_after = await self._reconcile()
        except (ConflictError, AlreadyExistsError):
            return _CONFLICT_SECONDS
        except TimeoutError:
            return self._failed(UnavailableError(f"no answer in {_CALL_SECONDS:.0f} s"))
        except KubeError as error:
            return self._failed(error)
        return requeue_after

    async def release(self) -> None:
        """Release a held Lease, so that another process takes it at its next read. A failure only costs time."""
        if not self.leading.is_set():
            return
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                lease = await self._read()
                if lease is not None and lease.holder == self._identity:
                    await self._patch(lease, {"holderIdentity": "", "leaseDurationSeconds": 1})
        except (KubeError, TimeoutError) as error:
            _log.warning("cannot release the Lease %s, it expires by itself: %s", self._name, error)

    async def _reconcile(self) -> float | None:
        facts = await self._gather()
        plan = decide(facts)
        if plan.action is not None:
            await self._apply(plan.action)
        if plan.status is LeaderRole.DEPOSED and facts.seen is not None:
            _log.error("lost the Lease %s to %s", self._name, facts.seen.lease.holder)
        elif plan.status is LeaderRole.LEADER and not self.leading.is_set():
            _log.info("leading: %s holds the Lease %s", self._identity, self._name)
            self.leading.set()
        return plan.requeue_after

    async def _gather(self) -> LeaseFacts:
        lease = await self._read()
        self._seen = None if lease is None else sighting(lease=lease, before=self._seen, now=self._monotonic())
        return LeaseFacts(seen=self._seen, identity=self._identity, leading=self.leading.is_set())

    async def _apply(self, action: LeaseAction) -> None:
        match action:
            case CreateLease():
                body = {
                    "apiVersion": LEASES.api_version,
                    "kind": LEASES.kind,
                    "metadata": {"name": self._name, "namespace": self._namespace},
                    "spec": self._holding(transitions=0),
                }
                await self._kube.create(LEASES, namespace=self._namespace, body=body)
            case TakeLease(lease):
                await self._patch(lease, self._holding(transitions=lease.transitions + 1))
            case RenewLease(lease):
                await self._patch(lease, {"renewTime": self._now()})

    def _failed(self, error: KubeError) -> float:
        _log.warning("cannot read or write the Lease %s/%s: %s", self._namespace, self._name, error)
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

    async def _patch(self, lease: Lease, spec: dict[str, Any]) -> None:
        await self._kube.patch(
            LEASES,
            namespace=self._namespace,
            name=self._name,
            patch={"spec": spec},
            resource_version=lease.resource_version,
        )

    def _holding(self, *, transitions: int) -> dict[str, Any]:
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

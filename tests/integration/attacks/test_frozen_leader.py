"""An operator that is frozen between the claim of a Pod's name and the Pod's create makes no second Pod of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import get_args

import pytest

from tests.integration.attacks import misbehaving
from tests.integration.attacks.installation import PATIENCE, Installation
from tests.integration.killpoints.forked import Forked
from tests.stack.rights import grant
from tests.stack.tenant import Tenant

BOT = "notes"
FROZEN_SECONDS = 6.0


@contextmanager
def running(operator: Forked) -> Iterator[Forked]:
    """End the operator afterwards, also a frozen one."""
    try:
        yield operator
    finally:
        if operator.alive:
            os.kill(operator.pid, signal.SIGCONT)
            operator.ask_to_end()
        operator.wait(seconds=PATIENCE)


def pods_created(installation: Installation, tenant: Tenant) -> int:
    """How many Pods operators have created in the namespace, by the API server's audit log."""
    return sum(
        (call.verb, call.resource, call.code, call.namespace) == ("create", "pods", 201, tenant.namespace)
        and not call.dry_run
        and call.user.endswith(":operator")
        for call in installation.cluster.calls()
    )


@pytest.mark.timeout(400)
def test_a_frozen_leader_makes_no_second_pod(installation: Installation, tmp_path: Path) -> None:
    cluster, second = installation.cluster, installation.stack.operator
    kubeconfig = grant(cluster, "operator", system="frozen-system", served=())
    second.stop()
    frozen: dict[misbehaving.Freeze, tuple[Forked, Tenant, Path]] = {}
    with ExitStack() as stack:
        for number, moment in enumerate(get_args(misbehaving.Freeze)):
            tenant, trace = installation.tenant(), tmp_path / f"trace-{number}"
            order = misbehaving.Order(
                kubeconfig=kubeconfig,
                zoom_url=installation.zoom.base_url,
                namespaces=(tenant.namespace,),
                trace=trace,
                freeze=moment,
            )
            frozen[moment] = (stack.enter_context(running(misbehaving.start(order))), tenant, trace)
        try:
            for operator, tenant, _ in frozen.values():
                tenant.ready_credential()
                meeting = tenant.meeting()
                tenant.mapping(meeting.id, "alice")
                tenant.bot(BOT, meeting.id, image="test/exit", args=["0"], podRetentionSeconds=0)
                tenant.wait("the operator is frozen", lambda: misbehaving.is_stopped(operator))  # noqa: B023
            frozen_at = time.monotonic()
        finally:
            second.start()
        for _, tenant, _ in frozen.values():
            tenant.wait_phase(BOT, "Succeeded")
            tenant.wait("the Pod is deleted", lambda: not tenant.pods())  # noqa: B023
        # A shorter freeze than this is no freeze: no Lease changes hands so soon.
        time.sleep(max(0.0, frozen_at + FROZEN_SECONDS - time.monotonic()))
        for moment, (operator, tenant, trace) in frozen.items():
            calls = len(trace.read_text().splitlines())
            os.kill(operator.pid, signal.SIGCONT)
            expected = "get MeetingBot" if moment == "after the claim" else "delete Pod"
            tenant.wait(f"{expected} {moment}", lambda: expected in trace.read_text().splitlines()[calls:])  # noqa: B023
            tenant.wait("no Pod is left", lambda: not tenant.pods())  # noqa: B023
            starts = [one.starts.get("bot", 0) for one in installation.kubelet.records(tenant.namespace)]
            assert sum(starts) == 1, moment
            assert tenant.status("meetingbots", BOT)["phase"] == "Succeeded"
    assert pods_created(installation, frozen["after the claim"][1]) == 1

"""Work that is cancelled from inside goes on without a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.attacks import misbehaving
from tests.integration.attacks.installation import Installation
from tests.integration.attacks.test_frozen_leader import running
from tests.stack.rights import grant

CALLS = 9
"""About as many as a bot's life has."""


@pytest.mark.timeout(300)
def test_a_bot_goes_on_whichever_of_its_calls_is_cancelled(installation: Installation, tmp_path: Path) -> None:
    tenant = installation.tenant()
    order = misbehaving.Order(
        kubeconfig=grant(installation.cluster, "operator", system="cancelled-system", served=()),
        zoom_url=installation.zoom.base_url,
        namespaces=(tenant.namespace,),
        trace=tmp_path / "trace",
        cancel=True,
    )
    installation.stack.operator.stop()
    try:
        with running(misbehaving.start(order)) as operator:
            tenant.ready_credential()
            meeting = tenant.meeting()
            tenant.mapping(meeting.id, "alice")
            names = [f"b{number}" for number in range(1, CALLS + 1)]
            for name in names:
                tenant.bot(name, meeting.id, image="test/exit", args=["0"])
            for name in names:
                tenant.wait_phase(name, "Succeeded")
            assert operator.alive
        log = (tmp_path / "trace.log").read_text()
        assert sum(f"MeetingBot {tenant.namespace}/{name}:" in log or f"/{name}: defect" in log for name in names) > 3
    finally:
        installation.stack.operator.start()

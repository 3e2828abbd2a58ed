"""A forward step of the wall clock during a refresh spends no refresh token twice."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.attacks import misbehaving
from tests.integration.attacks.installation import Installation
from tests.integration.attacks.test_frozen_leader import running
from tests.stack.rights import grant
from tests.stack.tenant import GROUP, Tenant

STEP_SECONDS = 40
ANSWER_SECONDS = 8.0
CLAIM = "meetingbots.dev/refresh-claim"


def is_claimed(tenant: Tenant) -> bool:
    return bool(tenant.core("secrets", "alice-zoom-token")["metadata"]["annotations"].get(CLAIM))


def requests(tenant: Tenant) -> int:
    """How often Zoom was asked for tokens of the tenant's app."""
    return len(tenant.zoom.calls("oauth.token", client_id=tenant.app.client_id))


@pytest.mark.timeout(300)
def test_a_forward_step_during_a_refresh_spends_no_token_twice(installation: Installation, tmp_path: Path) -> None:
    tenant, zoom, clock = installation.tenant(), installation.zoom, tmp_path / "clock"
    clock.write_text("0")
    kubeconfig = grant(installation.cluster, "operator", system="stepped-system", served=())
    installation.stack.operator.stop()
    try:
        with ExitStack() as stack:
            for name in ("one", "two"):
                order = misbehaving.Order(
                    kubeconfig=kubeconfig,
                    zoom_url=zoom.base_url,
                    namespaces=(tenant.namespace,),
                    trace=tmp_path / name,
                    clock=clock,
                )
                stack.enter_context(running(misbehaving.start(order)))
            tenant.ready_credential()
            tenant.wait("the claim's end", lambda: not is_claimed(tenant))
            before = requests(tenant)
            zoom.fault("oauth.token", "delay", seconds=ANSWER_SECONDS, client_id=tenant.app.client_id)
            request = {"metadata": {"annotations": {"meetingbots.dev/refresh-requested-at": "now"}}}
            tenant.cluster.api.patch(f"{GROUP}/namespaces/{tenant.namespace}/zoomcredentials/alice", request)
            tenant.wait("a claim", lambda: is_claimed(tenant))
            clock.write_text(str(STEP_SECONDS))
            touched = {"metadata": {"annotations": {"attack.example/touched": "now"}}}
            tenant.cluster.api.patch(f"{GROUP}/namespaces/{tenant.namespace}/zoomcredentials/alice", touched)
            tenant.wait(
                "the refresh",
                lambda: tenant.status("zoomcredentials", "alice").get("lastHandledRefreshRequest") == "now",
            )
            tenant.wait_ready("zoomcredentials", "alice")
        # Both have ended, and with them every request that they had begun.
        assert requests(tenant) - before == 1
    finally:
        zoom.clear_faults()
        installation.stack.operator.start()

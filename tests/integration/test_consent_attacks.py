"""Attacks on consents: forged reports of a removed app, edited token Secrets, and level Account without the scopes."""

import base64
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cluster.api import core_path
from tests.stack.tenant import GROUP, Tenant
from tests.zoomsim.client import SimClient

SECRET = "alice-zoom-token"
ACCOUNT = "meetingbots.dev/account-id"
USER = "meetingbots.dev/user-id"


def as_receiver(tenant: Tenant, **status: Any) -> None:
    """Patch the credential's status, as an attacker who controls the receiver can."""
    path = f"{GROUP}/namespaces/{tenant.namespace}/zoomcredentials/alice/status"
    tenant.cluster.api.patch(path, {"status": status})


def edit_secret(tenant: Tenant, *, annotations: dict[str, str] | None = None, **values: str) -> None:
    """Edit the token Secret, as its tenant can."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    path = core_path("secrets", namespace=tenant.namespace, name=SECRET)
    tenant.cluster.api.patch(path, {"metadata": {"annotations": annotations or {}}, "data": data})


def reconcile(tenant: Tenant) -> None:
    """Have the operator look at the credential."""
    path = f"{GROUP}/namespaces/{tenant.namespace}/zoomcredentials/alice"
    tenant.cluster.api.patch(path, {"metadata": {"annotations": {"attack": str(time.time())}}})


def moment(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("offset", [0, 120, 300 * 86_400], ids=["now", "in two minutes", "in 300 days"])
def test_a_report_that_zoom_does_not_confirm_ends_no_consent(tenant: Tenant, offset: float) -> None:
    tenant.ready_credential()
    time.sleep(1.1)
    as_receiver(tenant, deauthorization={"time": moment(offset), "userDataRetention": False})
    for _ in range(5):
        time.sleep(1)
        reconcile(tenant)
        assert tenant.secret_values(SECRET).get("refresh_token"), "the tokens are still there"
        assert tenant.condition("zoomcredentials", "alice")["status"] == "True"


@pytest.mark.parametrize("offset", [0, 120, 300 * 86_400], ids=["now", "in two minutes", "in 300 days"])
def test_a_removal_of_the_user_that_zoom_does_not_confirm_ends_no_consent(tenant: Tenant, offset: float) -> None:
    tenant.ready_credential()
    meeting = str(tenant.meeting(started=False, emit=True).id)
    tenant.wait("mapped", lambda: bool(tenant.get("meetingmappings", meeting)))
    as_receiver(tenant, userRemoval={"time": moment(offset), "kind": "Deactivated"})
    for _ in range(5):
        time.sleep(1)
        reconcile(tenant)
        assert tenant.condition("zoomcredentials", "alice")["status"] == "True"
        assert tenant.get("meetingmappings", meeting), "the mapping is still there"


def test_a_forged_status_as_a_whole_ends_no_consent(tenant: Tenant) -> None:
    tenant.ready_credential()
    time.sleep(1.1)
    now = moment(0)
    ended = {"type": "Ready", "status": "False", "reason": "Deauthorized", "message": "", "lastTransitionTime": now}
    failure = {"reason": "DisabledByAdmin", "message": "forged", "time": moment(3600)}
    as_receiver(
        tenant,
        deauthorization={"time": now},
        endedGrant="refreshToken-0000000000000000",
        conditions=[ended],
        lastError=failure,
        consecutiveFailures=9,
        nextRefreshTime=moment(10**8),
        userId="u-forged",
        accountId="a-forged",
    )
    tenant.wait_ready("zoomcredentials", "alice")
    status = tenant.status("zoomcredentials", "alice")
    assert (status["userId"], status["accountId"]) == (tenant.user.id, tenant.account.id)
    assert tenant.secret_values(SECRET).get("refresh_token")


def test_a_consent_after_a_report_from_the_future_lasts(tenant: Tenant, zoom: SimClient) -> None:
    tenant.ready_credential()
    as_receiver(tenant, deauthorization={"time": moment(300 * 86_400)})
    zoom.revoke(client_id=tenant.app.client_id, user=tenant.user.id)
    path = f"{GROUP}/namespaces/{tenant.namespace}/zoomcredentials/alice"
    request = {"meetingbots.dev/refresh-requested-at": moment(0)}
    tenant.cluster.api.patch(path, {"metadata": {"annotations": request}})
    tenant.wait_reason("zoomcredentials", "alice", "ReauthorizationRequired")
    tenant.consent()
    reconcile(tenant)
    tenant.wait_ready("zoomcredentials", "alice")
    time.sleep(3)
    reconcile(tenant)
    time.sleep(1)
    assert tenant.condition("zoomcredentials", "alice")["status"] == "True"


def test_a_removal_that_zoom_confirms_ends_the_consent(tenant: Tenant, zoom: SimClient) -> None:
    tenant.ready_credential()
    time.sleep(1.1)
    zoom.deauthorize(client_id=tenant.app.client_id, user=tenant.user.id)
    tenant.wait_reason("zoomcredentials", "alice", "Deauthorized")
    tenant.wait("the tokens are deleted", lambda: not tenant.core("secrets", SECRET))
    tenant.consent()
    reconcile(tenant)
    tenant.wait_ready("zoomcredentials", "alice")


@pytest.mark.parametrize("edited", [{ACCOUNT: "victim"}, {USER: "u-victim"}, {USER: "u-victim", ACCOUNT: "victim"}])
def test_edited_annotations_name_nobody_else(tenant: Tenant, edited: dict[str, str]) -> None:
    tenant.ready_credential()
    edit_secret(tenant, annotations=edited)
    reconcile(tenant)

    def restored() -> bool:
        annotations = tenant.core("secrets", SECRET)["metadata"]["annotations"]
        status = tenant.status("zoomcredentials", "alice")
        assert "victim" not in str(status)
        return (annotations[USER], annotations[ACCOUNT]) == (tenant.user.id, tenant.account.id)

    tenant.wait("Zoom's answer replaces the edit", restored)
    assert tenant.condition("zoomcredentials", "alice")["status"] == "True"


def test_a_forged_token_secret_names_nobody_else(tenant: Tenant) -> None:
    tenant.ready_credential()
    tenant.delete("zoomcredentials", "alice")
    tenant.wait("deleted", lambda: not tenant.get("zoomcredentials", "alice"))
    edit_secret(tenant, annotations={ACCOUNT: "victim"})
    tenant.credential(rateLimit={"plan": "Free", "sharePercent": 1})
    tenant.wait_ready("zoomcredentials", "alice")
    assert tenant.status("zoomcredentials", "alice")["accountId"] == tenant.account.id


def test_level_account_without_an_admin_scope_learns_nothing_of_colleagues(tenant: Tenant, zoom: SimClient) -> None:
    tenant.app_secret()
    tenant.consent()
    tenant.credential(level="Account")
    tenant.wait("identified", lambda: bool(tenant.status("zoomcredentials", "alice").get("userId")))
    scopes = tenant.status("zoomcredentials", "alice")["grantedScopes"]
    assert not any(scope.endswith(":admin") for scope in scopes)
    edit_secret(tenant, scope=" ".join([*scopes, "meeting:read:list_meetings:admin"]))
    reconcile(tenant)
    time.sleep(2)
    assert not any(scope.endswith(":admin") for scope in tenant.status("zoomcredentials", "alice")["grantedScopes"])

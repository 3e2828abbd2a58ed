"""ZoomCredentials: from a consent in a Secret to a token that is kept fresh, and every way in which that can stop."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.cluster.api import core_path
from tests.cluster.controlplane import ControlPlane
from tests.stack.stack import Stack
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.world import App


def test_a_consent_becomes_a_token_secret(tenant: Tenant) -> None:
    first = tenant.consent()
    tenant.app_secret()
    tenant.credential()
    tenant.wait_ready("zoomcredentials", "alice")
    values = tenant.secret_values("alice-zoom-token")
    assert set(values) >= {"access_token", "refresh_token", "expires_at", "token_type", "scope", "api_url"}
    assert values["refresh_token"] != first
    assert datetime.fromisoformat(values["expires_at"]) > datetime.now(UTC)
    assert "ownerReferences" not in tenant.core("secrets", "alice-zoom-token")["metadata"]
    status = tenant.status("zoomcredentials", "alice")
    assert status["userId"] == tenant.user.id
    assert status["accountId"] == tenant.account.id
    assert status["email"] == tenant.user.email
    assert status["pmi"] == str(tenant.user.pmi)
    assert status["observedGeneration"] == 1
    assert tenant.condition("zoomcredentials", "alice")["reason"] == "TokenValid"
    assert tenant.secret_values("alice")["refresh_token"] == first, "the user's own Secret is never written"


def test_blanks_and_newlines_in_secrets_do_no_harm(tenant: Tenant) -> None:
    tenant.app_secret(client_id=f" {tenant.app.client_id}\n", client_secret=f"{tenant.app.client_secret}\r\n")
    tenant.secret("alice", refresh_token=f"{tenant.consent()}\n\n")
    tenant.credential()
    tenant.wait_ready("zoomcredentials", "alice")


def test_server_to_server(tenant: Tenant, zoom: SimClient) -> None:
    tenant.app = zoom.add_app(App(owner_account_id=tenant.account.id, level="account", server_to_server=True))
    tenant.app_secret()
    tenant.credential("whole-account", level="Account", grant={"serverToServer": {"accountId": tenant.account.id}})
    tenant.wait_ready("zoomcredentials", "whole-account")
    assert tenant.status("zoomcredentials", "whole-account")["accountId"] == tenant.account.id
    assert "refresh_token" not in {
        key for key, value in tenant.secret_values("whole-account-zoom-token").items() if value
    }


def test_a_wrong_client_secret_is_found_before_the_next_refresh(tenant: Tenant) -> None:
    tenant.ready_credential()
    tenant.app_secret(client_secret="wrong")
    tenant.wait(
        "Reconciling names the app",
        lambda: tenant.condition("zoomcredentials", "alice", "Reconciling").get("reason") == "AppInvalid",
        seconds=120,
    )
    assert tenant.condition("zoomcredentials", "alice")["status"] == "True", "the access token is valid"
    tenant.app_secret()
    tenant.wait(
        "Reconciling is gone",
        lambda: not tenant.condition("zoomcredentials", "alice", "Reconciling"),
        seconds=120,
    )
    assert tenant.condition("zoomcredentials", "alice")["reason"] == "TokenValid"


def test_a_token_is_renewed_in_time_and_ready_stays_true(tenant: Tenant, zoom: SimClient) -> None:
    zoom.change_app(tenant.app.client_id, access_token_seconds=24)
    tenant.ready_credential()
    since = tenant.condition("zoomcredentials", "alice")["lastTransitionTime"]
    seen = set()

    def three_tokens() -> bool:
        seen.add(tenant.secret_values("alice-zoom-token")["access_token"])
        return len(seen) == 3

    tenant.wait("two renewals", three_tokens)
    assert tenant.condition("zoomcredentials", "alice")["status"] == "True"
    assert tenant.condition("zoomcredentials", "alice")["lastTransitionTime"] == since
    assert all(uses <= 1 for uses in zoom.records().refresh_uses.values()), "no refresh token was sent twice"


@pytest.mark.parametrize(
    ("app_secret", "grant_secret", "reason"),
    [
        (None, True, "AppSecretMissing"),
        ({"client_secret": ""}, True, "AppSecretMissing"),
        ({"client_secret": "not-the-secret"}, True, "AppInvalid"),
        ({}, False, "GrantSecretMissing"),
    ],
)
def test_a_missing_reference_is_reported_and_heals_by_itself(
    tenant: Tenant, app_secret: dict[str, str] | None, grant_secret: bool, reason: str
) -> None:
    if app_secret is not None:
        tenant.app_secret(**app_secret)
    if grant_secret:
        tenant.consent()
    tenant.credential()
    tenant.wait_reason("zoomcredentials", "alice", reason)
    tenant.app_secret()
    if not grant_secret:
        tenant.consent()
    tenant.wait_ready("zoomcredentials", "alice")


def test_a_key_that_is_not_in_the_secret_is_named(tenant: Tenant) -> None:
    tenant.app_secret()
    tenant.secret("alice", token="misplaced")
    tenant.credential()
    assert "refresh_token" in tenant.wait_reason("zoomcredentials", "alice", "GrantSecretMissing")["message"]


def test_a_dead_consent_is_reported(tenant: Tenant, zoom: SimClient) -> None:
    tenant.app_secret()
    tenant.consent()
    zoom.revoke(client_id=tenant.app.client_id, user=tenant.user.id)
    tenant.credential()
    tenant.wait_reason("zoomcredentials", "alice", "ReauthorizationRequired")


def test_zoom_away_costs_nothing(tenant: Tenant, zoom: SimClient) -> None:
    tenant.app_secret()
    tenant.consent()
    zoom.fault("oauth.token", "html", status=503, count=0, client_id=tenant.app.client_id)
    tenant.credential()
    tenant.wait_reason("zoomcredentials", "alice", "ZoomUnavailable")
    zoom.clear_faults()
    tenant.wait_ready("zoomcredentials", "alice")


def test_a_secret_of_somebody_elses_is_left_alone(tenant: Tenant) -> None:
    tenant.app_secret()
    tenant.consent()
    tenant.secret("alice-zoom-token", precious="yes")
    tenant.credential()
    tenant.wait_reason("zoomcredentials", "alice", "SecretConflict")
    assert tenant.secret_values("alice-zoom-token") == {"precious": "yes"}


def test_a_consent_outlives_its_object(tenant: Tenant, zoom: SimClient) -> None:
    tenant.ready_credential()
    tenant.delete("zoomcredentials", "alice")
    tenant.wait("gone", lambda: not tenant.get("zoomcredentials", "alice"))
    time.sleep(1)  # the garbage collector's turn
    assert tenant.secret_values("alice-zoom-token")["refresh_token"]
    tenant.credential()
    tenant.wait_ready("zoomcredentials", "alice")
    assert len(zoom.calls("oauth.token", client_id=tenant.app.client_id)) == 1


def test_with_policy_delete_the_token_goes_with_the_credential(tenant: Tenant) -> None:
    tenant.app_secret()
    tenant.consent()
    tenant.credential(tokenDeletionPolicy="Delete")
    tenant.wait_ready("zoomcredentials", "alice")
    tenant.delete("zoomcredentials", "alice")
    tenant.wait_collected("alice-zoom-token")


def test_suspended_credentials_ask_zoom_nothing(tenant: Tenant, zoom: SimClient) -> None:
    tenant.app_secret()
    tenant.consent()
    tenant.credential(suspend=True)
    tenant.wait_reason("zoomcredentials", "alice", "Suspended")
    assert not zoom.calls(client_id=tenant.app.client_id)
    tenant.credential(suspend=False)
    tenant.wait_ready("zoomcredentials", "alice")


def test_the_users_meetings_are_mapped_at_consent(tenant: Tenant) -> None:
    planned = [tenant.meeting(started=False) for _ in range(3)]
    tenant.ready_credential()
    tenant.wait("mappings", lambda: all(tenant.get("meetingmappings", meeting.id) for meeting in planned))
    for meeting in planned:
        (entry,) = tenant.status("meetingmappings", meeting.id)["credentials"]
        assert entry == {"name": "alice", "role": "Host", "source": "Sync"}
    tenant.wait_mapped(tenant.user.pmi)
    (entry,) = tenant.status("meetingmappings", tenant.user.pmi)["credentials"]
    assert (entry["name"], entry["source"]) == ("alice", "PMI")
    tenant.wait(
        "MeetingsSynced",
        lambda: tenant.condition("zoomcredentials", "alice", "MeetingsSynced").get("status") == "True",
    )
    assert tenant.status("zoomcredentials", "alice")["meetings"]["count"] >= 3


def test_a_refresh_can_be_asked_for_once(tenant: Tenant, zoom: SimClient, cluster: ControlPlane) -> None:
    tenant.ready_credential()
    before = len(zoom.calls("oauth.token", client_id=tenant.app.client_id))
    when = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    cluster.api.patch(
        f"/apis/meetingbots.dev/v1alpha1/namespaces/{tenant.namespace}/zoomcredentials/alice",
        {"metadata": {"annotations": {"meetingbots.dev/refresh-requested-at": when}}},
    )
    tenant.wait("the refresh", lambda: len(zoom.calls("oauth.token", client_id=tenant.app.client_id)) == before + 1)
    time.sleep(1.5)
    assert len(zoom.calls("oauth.token", client_id=tenant.app.client_id)) == before + 1


def test_the_receiver_gets_what_it_needs_and_no_more(tenant: Tenant, stack: Stack, cluster: ControlPlane) -> None:
    tenant.ready_credential()
    found = cluster.api.get(core_path("secrets", namespace="meetingbots-system", name="meetingbots-receiver")) or {}
    assert f"{tenant.namespace}.zoom-app" in found["data"]
    text = str(found)
    assert tenant.app.client_secret not in text

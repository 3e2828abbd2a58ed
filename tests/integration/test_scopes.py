"""A consent that lacks scopes: what is off is named, and what works without goes on."""

from tests.cluster.kubelet import KubeletDouble
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.world import App


def test_a_bot_gets_its_join_token_without_the_scope_for_the_user(
    tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient
) -> None:
    app = zoom.add_app(
        App(
            owner_account_id=tenant.account.id,
            client_id=f"narrow-{tenant.namespace}",
            scopes=("meeting:read:local_recording_token",),
        )
    )
    tenant.app_secret(
        client_id=app.client_id, client_secret=app.client_secret, webhook_secret_token=app.webhook_secret_token
    )
    tenant.secret("alice", refresh_token=zoom.consent(client_id=app.client_id, user=tenant.user.id).refresh_token)
    tenant.credential()
    condition = tenant.wait_reason("zoomcredentials", "alice", "ScopesMissing")
    assert "(user:read:user)" in condition["message"]
    assert "user:read:user" in tenant.status("zoomcredentials", "alice")["missingScopes"]
    meeting = tenant.meeting()
    tenant.bot("scribe", meeting.id, credentialRef={"name": "alice"}, tokenPolicy="Required")
    tenant.wait_phase("scribe", "Running")
    tenant.wait("join", lambda: bool(tenant.visits(meeting.id)))
    (visit,) = tenant.visits(meeting.id)
    assert (visit.state, set(visit.presented)) == ("recording", {"LocalRecording"})

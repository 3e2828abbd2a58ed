"""Mappings as they live: every event of Zoom's, users who go, syncs of whole accounts, and people's own entries."""

import json
import time
from typing import Any

import pytest
import yaml

from tests.cluster.controlplane import ControlPlane
from tests.stack.stack import Stack
from tests.stack.tenant import API_VERSION, GROUP, Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.world import App, User


def roles(tenant: Tenant, meeting_id: object) -> dict[str, str]:
    """Whom the mapping names, and as what; empty without a mapping."""
    entries = tenant.status("meetingmappings", meeting_id).get("credentials", [])
    return {one["name"]: one["role"] for one in entries}


def second_credential(tenant: Tenant, zoom: SimClient, name: str = "bob", *, app: str = "zoom-app") -> User:
    """Another user of the same account, with a credential of the same name here."""
    user = zoom.add_user(User(account_id=tenant.account.id, email=f"{name}-{tenant.namespace}@tenant.example"))
    token = zoom.consent(client_id=tenant.app.client_id, user=user.id).refresh_token
    tenant.secret(name, refresh_token=token)
    tenant.credential(name, appSecretRef={"name": app})
    tenant.wait_ready("zoomcredentials", name)
    return user


def sync_reason(tenant: Tenant, name: str) -> str | None:
    """Reason of the condition MeetingsSynced; None without one."""
    return tenant.condition("zoomcredentials", name, "MeetingsSynced").get("reason")


def ask_for_sync(tenant: Tenant, name: str) -> None:
    """What people do with `kubectl annotate`."""
    annotations = {"meetingbots.dev/sync-requested-at": str(time.time())}
    path = f"{GROUP}/namespaces/{tenant.namespace}/zoomcredentials/{name}"
    tenant.cluster.api.patch(path, {"metadata": {"annotations": annotations}})


def test_alternative_hosts_come_and_go(tenant: Tenant, zoom: SimClient) -> None:
    tenant.ready_credential()
    bob = second_credential(tenant, zoom)
    meeting = tenant.meeting(started=False, emit=True, alternative_hosts=(bob.email, "stranger@tenant.example"))
    tenant.wait("both", lambda: roles(tenant, meeting.id) == {"alice": "Host", "bob": "AlternativeHost"})
    zoom.change_meeting(meeting.id, alternative_hosts=())
    tenant.wait("bob gone", lambda: roles(tenant, meeting.id) == {"alice": "Host"})
    zoom.change_meeting(meeting.id, host_id=bob.id)
    tenant.wait("handed over", lambda: roles(tenant, meeting.id) == {"bob": "Host"})
    assert "tenant.example" not in json.dumps(tenant.get("meetingmappings", meeting.id))


def test_presence_of_our_users_and_of_nobody_else(tenant: Tenant, zoom: SimClient) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting(emit=True)
    zoom.act(meeting.id, "joined", user=tenant.user.id)
    zoom.act(meeting.id, "joined", user=None, name="Some Guest")

    def present() -> list[bool]:
        return [one["present"] for one in tenant.status("meetingmappings", meeting.id).get("presence", [])]

    tenant.wait("alice is there", lambda: present() == [True])
    zoom.act(meeting.id, "left", user=tenant.user.id)
    tenant.wait("alice has left", lambda: present() == [False])
    assert "Guest" not in json.dumps(tenant.get("meetingmappings", meeting.id))


def test_webinars_are_mapped_alike(tenant: Tenant, zoom: SimClient) -> None:
    tenant.ready_credential()
    webinar = tenant.meeting(started=False, emit=True, kind="webinar", type=5)
    tenant.wait("created", lambda: roles(tenant, webinar.id) == {"alice": "Host"})
    for act, phase in (("start", "Live"), ("end", "Ended"), ("delete", "Deleted"), ("recover", "Ended")):
        zoom.act(webinar.id, act)  # type: ignore[arg-type]
        tenant.wait(phase, lambda phase=phase: tenant.status("meetingmappings", webinar.id).get("phase") == phase)  # type: ignore[misc]


def test_two_apps_of_one_namespace_both_report(tenant: Tenant, zoom: SimClient, stack: Stack) -> None:
    tenant.ready_credential()
    other = zoom.add_app(App(owner_account_id=tenant.account.id, client_id=f"second-{tenant.namespace}"))
    zoom.change_app(other.client_id, webhook_url=stack.webhook_url(other.client_id))
    tenant.app_secret(
        "second-app",
        client_id=other.client_id,
        client_secret=other.client_secret,
        webhook_secret_token=other.webhook_secret_token,
    )
    tenant.secret("zoe", refresh_token=zoom.consent(client_id=other.client_id, user=tenant.user.id).refresh_token)
    tenant.credential("zoe", appSecretRef={"name": "second-app"}, meetingSync={"enabled": False})
    tenant.wait_ready("zoomcredentials", "zoe")
    meeting = tenant.meeting(started=False, emit=True)
    tenant.wait("both", lambda: roles(tenant, meeting.id) == {"alice": "Host", "zoe": "Host"})


def test_a_deactivated_user_leaves_the_mappings_and_is_reported(tenant: Tenant, zoom: SimClient) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting(started=False, emit=True)
    tenant.wait("mapped", lambda: roles(tenant, meeting.id) == {"alice": "Host"})
    zoom.remove_user(tenant.user.id, how="deactivated")
    tenant.wait("freed", lambda: not tenant.get("meetingmappings", meeting.id))
    assert tenant.status("zoomcredentials", "alice")["userRemoval"]["kind"] == "Deactivated"
    tenant.wait_reason("zoomcredentials", "alice", "UserInactive")
    ask_for_sync(tenant, "alice")
    tenant.wait(
        "nothing is read",
        lambda: tenant.condition("zoomcredentials", "alice", "MeetingsSynced").get("reason") == "CredentialNotReady",
    )
    assert not tenant.get("meetingmappings", meeting.id)


def test_a_deauthorization_is_reported_and_removes_the_mappings(tenant: Tenant, zoom: SimClient) -> None:
    tenant.ready_credential()
    bob = second_credential(tenant, zoom)
    meeting = tenant.meeting(started=False, emit=True, alternative_hosts=(bob.email,))
    tenant.wait("mapped", lambda: len(roles(tenant, meeting.id)) == 2)
    time.sleep(1.1)  # Zoom's time of it has whole seconds: it must not be that of the consent
    zoom.deauthorize(client_id=tenant.app.client_id, user=tenant.user.id)
    tenant.wait("freed", lambda: roles(tenant, meeting.id) == {"bob": "AlternativeHost"})
    report = tenant.status("zoomcredentials", "alice")["deauthorization"]
    assert report["userDataRetention"] is False
    assert "deauthorization" not in tenant.status("zoomcredentials", "bob")


def test_a_deleted_credential_takes_its_mappings_along(tenant: Tenant, zoom: SimClient) -> None:
    tenant.ready_credential()
    bob = second_credential(tenant, zoom)
    alone = tenant.meeting(started=False, emit=True)
    shared = tenant.meeting(started=False, emit=True, alternative_hosts=(bob.email,))
    tenant.wait("mapped", lambda: len(roles(tenant, shared.id)) == 2 and bool(roles(tenant, alone.id)))
    tenant.delete("zoomcredentials", "alice")
    tenant.wait("gone", lambda: not tenant.get("meetingmappings", alone.id))
    tenant.wait("freed", lambda: roles(tenant, shared.id) == {"bob": "AlternativeHost"})
    owners = tenant.get("meetingmappings", shared.id)["metadata"]["ownerReferences"]
    assert [owner["name"] for owner in owners] == ["bob"]


def test_an_accounts_meetings_are_read_where_asked_for(tenant: Tenant, zoom: SimClient) -> None:
    app = zoom.add_app(
        App(owner_account_id=tenant.account.id, client_id=f"account-{tenant.namespace}", level="account")
    )
    users = [
        zoom.add_user(User(account_id=tenant.account.id, email=f"u{number}-{tenant.namespace}@tenant.example"))
        for number in range(6)
    ]
    meetings = [tenant.meeting(host_id=user.id, started=False) for user in users for _ in range(2)]
    tenant.app_secret(
        client_id=app.client_id, client_secret=app.client_secret, webhook_secret_token=app.webhook_secret_token
    )
    tenant.secret("all", refresh_token=zoom.consent(client_id=app.client_id, user=tenant.user.id).refresh_token)
    tenant.credential("all", level="Account", rateLimit={"plan": "Business", "sharePercent": 100})
    tenant.wait_ready("zoomcredentials", "all")
    condition = tenant.condition("zoomcredentials", "all", "MeetingsSynced")
    tenant.wait("the condition", lambda: tenant.condition("zoomcredentials", "all", "MeetingsSynced") != {})
    condition = tenant.condition("zoomcredentials", "all", "MeetingsSynced")
    assert condition["reason"] == "SyncDisabled"
    tenant.credential(
        "all", level="Account", rateLimit={"plan": "Business", "sharePercent": 100}, meetingSync={"enabled": True}
    )
    tenant.wait(
        "synced",
        lambda: sync_reason(tenant, "all") == "Synced",
    )
    for meeting in meetings:
        assert roles(tenant, meeting.id) == {"all": "Host"}
    status = tenant.status("zoomcredentials", "all")["meetings"]
    assert status["count"] == 12 + 7, "two for each user, and everybody's personal ID"
    assert "progress" not in status
    gone = meetings[0]
    zoom.act(gone.id, "delete", emit=False)
    ask_for_sync(tenant, "all")
    tenant.wait("removed", lambda: not tenant.get("meetingmappings", gone.id))
    # Zoom refuses the list of one user: that user's meetings stay, except for those that do not exist.
    zoom.change_user(users[1].id, may_host=False, emit=False)
    kept, cancelled, elsewhere = meetings[2], meetings[3], meetings[4]
    for meeting in (cancelled, elsewhere):
        zoom.act(meeting.id, "delete", emit=False)
    ask_for_sync(tenant, "all")
    tenant.wait("cancelled removed", lambda: not tenant.get("meetingmappings", cancelled.id))
    tenant.wait("elsewhere removed", lambda: not tenant.get("meetingmappings", elsewhere.id))
    tenant.wait(
        "the user is named",
        lambda: users[1].id in tenant.condition("zoomcredentials", "all", "MeetingsSynced")["message"],
    )
    assert roles(tenant, kept.id) == {"all": "Host"}


def test_missing_webhooks_are_reported_until_zooms_validation(tenant: Tenant, zoom: SimClient, stack: Stack) -> None:
    tenant.ready_credential()

    def receiving() -> dict[str, Any]:
        return tenant.condition("zoomcredentials", "alice", "WebhookReceiving")

    path = f"{GROUP}/namespaces/{tenant.namespace}/zoomcredentials/alice"
    long_ago = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 80 * 3600))
    tenant.cluster.api.patch(f"{path}/status", {"status": {"lastWebhookTime": long_ago}})
    tenant.wait("silence", lambda: receiving().get("status") == "False")
    assert receiving()["reason"] == "NothingReceived"
    assert stack.webhook_url(tenant.app.client_id) in receiving()["message"]
    assert zoom.validate(tenant.app.client_id)
    tenant.wait("receiving again", lambda: receiving().get("status") == "True")
    assert tenant.condition("zoomcredentials", "alice")["status"] == "True"


# People's own entries.


def manifest(tenant: Tenant, meeting_id: object, *names: str, **metadata: Any) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": API_VERSION,
            "kind": "MeetingMapping",
            "metadata": {"name": str(meeting_id), "namespace": tenant.namespace, **metadata},
            "spec": {"meetingId": str(meeting_id), "credentials": [{"name": name} for name in names]},
        }
    )


FLAGS = pytest.mark.parametrize(
    "flags",
    [(), ("--server-side",), ("--server-side", "--field-manager=kustomize-controller")],
    ids=["client-side", "server-side", "as Flux does"],
)


@FLAGS
def test_peoples_entries_are_neither_rewritten_nor_fought_over(
    tenant: Tenant, cluster: ControlPlane, zoom: SimClient, flags: tuple[str, ...]
) -> None:
    tenant.ready_credential()
    # The first read of the meetings creates mappings, also between the two requests of a client-side apply.
    tenant.wait("first read", lambda: sync_reason(tenant, "alice") == "Synced")
    meeting = tenant.meeting(started=False)
    text = manifest(tenant, meeting.id, "dora", "alice", labels={"team": "blue"})
    cluster.kubectl("apply", *flags, "-f", "-", stdin=text)
    # Webhooks and a sync write beside it.
    zoom.act(meeting.id, "start")
    tenant.wait("live", lambda: tenant.status("meetingmappings", meeting.id).get("phase") == "Live")
    tenant.wait("found, too", lambda: roles(tenant, meeting.id) == {"alice": "Host"})
    ask_for_sync(tenant, "alice")
    tenant.wait("listed, too", lambda: "Sync" in json.dumps(tenant.status("meetingmappings", meeting.id)))
    before = tenant.get("meetingmappings", meeting.id)
    assert before["spec"]["credentials"] == [{"name": "dora"}, {"name": "alice"}]
    assert before["metadata"]["labels"]["team"] == "blue"
    assert "ownerReferences" not in before["metadata"], "it does not go with a credential"
    # Applied again, as GitOps does all the time: no conflict, no change, and what was found stays.
    assert "conflict" not in cluster.kubectl("apply", *flags, "-f", "-", stdin=text).lower()
    after = tenant.get("meetingmappings", meeting.id)
    assert (after["status"], after["metadata"]["labels"]) == (before["status"], before["metadata"]["labels"])
    assert cluster.kubectl("diff", *flags, "-f", "-", stdin=text) == ""
    assert (
        tenant.get("meetingmappings", meeting.id)["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]
    ), "nobody writes it back"
    # Edited by its owner: it is the owner's.
    cluster.kubectl("apply", *flags, "-f", "-", stdin=manifest(tenant, meeting.id, "erin", labels={"team": "blue"}))
    zoom.act(meeting.id, "end")
    tenant.wait("ended", lambda: tenant.status("meetingmappings", meeting.id).get("phase") == "Ended")
    assert tenant.get("meetingmappings", meeting.id)["spec"]["credentials"] == [{"name": "erin"}]


@FLAGS
def test_people_take_a_found_mapping_over_and_it_outlives_the_credential(
    tenant: Tenant, cluster: ControlPlane, flags: tuple[str, ...]
) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting(started=False, emit=True)
    tenant.wait("found", lambda: roles(tenant, meeting.id) == {"alice": "Host"})
    assert tenant.get("meetingmappings", meeting.id)["metadata"]["ownerReferences"]
    cluster.kubectl("apply", *flags, "-f", "-", stdin=manifest(tenant, meeting.id, "dora"))
    tenant.zoom.act(meeting.id, "start")
    tenant.wait(
        "its owners are gone",
        lambda: not tenant.get("meetingmappings", meeting.id)["metadata"].get("ownerReferences"),
    )
    tenant.delete("zoomcredentials", "alice")
    tenant.wait("freed", lambda: roles(tenant, meeting.id) == {})
    time.sleep(2)  # the garbage collector's turn, if it had one
    assert tenant.get("meetingmappings", meeting.id)["spec"]["credentials"] == [{"name": "dora"}]


def test_an_applied_mapping_may_be_pruned_and_the_next_event_finds_it_again(
    tenant: Tenant, cluster: ControlPlane, zoom: SimClient
) -> None:
    tenant.ready_credential()
    tenant.wait("first read", lambda: sync_reason(tenant, "alice") == "Synced")
    meeting = tenant.meeting(started=False)
    cluster.kubectl("apply", "-f", "-", stdin=manifest(tenant, meeting.id, "dora"))
    cluster.kubectl("delete", "-f", "-", stdin=manifest(tenant, meeting.id, "dora"))
    zoom.act(meeting.id, "start")
    tenant.wait("found", lambda: roles(tenant, meeting.id) == {"alice": "Host"})
    assert "credentials" not in tenant.get("meetingmappings", meeting.id)["spec"]

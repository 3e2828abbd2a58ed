"""All of Zoom's tokens, on a cluster: together, on behalf, for webinars; and which credential issues them."""

from typing import Any

from tests.cluster.kubelet import KubeletDouble
from tests.stack.tenant import Tenant
from tests.zoomsim.client import SimClient
from tests.zoomsim.world import Account, App, User


def environment(tenant: Tenant, kubelet: KubeletDouble, bot: str) -> dict[str, str]:
    pod = tenant.status("meetingbots", bot)["podName"]
    return kubelet.record(tenant.namespace, pod).environment["bot"]


def second_user(tenant: Tenant, name: str = "bob") -> User:
    """Another user of the tenant's account, with a credential of their own."""
    user = tenant.zoom.add_user(User(account_id=tenant.account.id, email=f"{name}-{tenant.namespace}@tenant.example"))
    token = tenant.zoom.consent(client_id=tenant.app.client_id, user=user.id).refresh_token
    tenant.secret(name, refresh_token=token)
    tenant.credential(name)
    tenant.wait_ready("zoomcredentials", name)
    return user


def account_credential(tenant: Tenant, name: str = "acme") -> App:
    """A credential for the tenant's whole account."""
    app = tenant.zoom.add_app(App(owner_account_id=tenant.account.id, level="account", server_to_server=True))
    tenant.secret(f"{name}-app", client_id=app.client_id, client_secret=app.client_secret, webhook_secret_token="x" * 9)
    spec = {
        "appSecretRef": {"name": f"{name}-app"},
        "level": "Account",
        "grant": {"serverToServer": {"accountId": tenant.account.id}},
    }
    tenant.apply("ZoomCredential", name, spec)
    tenant.wait_ready("zoomcredentials", name)
    return app


def test_several_tokens_come_together(tenant: Tenant, kubelet: KubeletDouble) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    tenant.bot("all", meeting.id, tokens=["LocalRecording", "ZAK", "LiveStreaming"])
    tenant.wait_phase("all", "Running")
    tenant.wait("join", lambda: bool(tenant.visits(meeting.id)))
    (visit,) = tenant.visits(meeting.id)
    assert set(visit.presented) == {"LocalRecording", "ZAK", "LiveStreaming"}
    assert (visit.state, visit.live_streaming) == ("recording", True)
    assert tenant.status("meetingbots", "all")["token"]["kinds"] == ["LocalRecording", "ZAK", "LiveStreaming"]


def test_what_is_missing_is_named_to_the_bot_and_in_the_condition(tenant: Tenant, kubelet: KubeletDouble) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    tenant.zoom.change_account(tenant.account.id, plan="Free")
    tenant.bot("half", meeting.id, image="test/env", tokens=["LocalRecording", "LiveStreaming"])
    tenant.wait_phase("half", "Running")
    seen = environment(tenant, kubelet, "half")
    assert seen["ZOOM_JOIN_TOKEN"]
    assert seen["ZOOM_LIVE_STREAMING_TOKEN"] == ""
    assert seen["ZOOM_TOKEN_REASON"].startswith("LiveStreaming: ")
    issued = tenant.condition("meetingbots", "half", "TokenIssued")
    assert issued["status"] == "False"
    assert "LiveStreaming" in issued["message"]


def test_a_bot_on_behalf_of_somebody_waits_until_they_are_there(
    tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient
) -> None:
    tenant.ready_credential()
    user = second_user(tenant)
    meeting = tenant.meeting(emit=True)
    zoom.act(meeting.id, "joined", user=user.id)
    zoom.act(meeting.id, "left", user=user.id)
    tenant.wait("presence is reported", lambda: presence(tenant, meeting.id) == [("bob", False)])
    tenant.bot(
        "with-bob", meeting.id, tokens=["LocalRecording", "OnBehalf"], onBehalf={"credentialRef": {"name": "bob"}}
    )
    tenant.wait_phase("with-bob", "WaitingForUser")
    assert tenant.condition("meetingbots", "with-bob")["reason"] == "UserNotInMeeting"
    assert not zoom.calls("users.token.onbehalf", client_id=tenant.app.client_id)
    zoom.act(meeting.id, "joined", user=user.id)
    tenant.wait_phase("with-bob", "Running")
    tenant.wait("join", lambda: bool(tenant.visits(meeting.id)))
    (visit,) = tenant.visits(meeting.id)
    assert (visit.state, visit.on_behalf_of) == ("recording", user.id)


def presence(tenant: Tenant, meeting_id: int) -> list[tuple[str, bool]]:
    users = tenant.status("meetingmappings", meeting_id).get("presence", [])
    return [(one["name"], one.get("present", False)) for one in users]


def test_a_bot_whose_user_is_not_there_comes_again_with_new_tokens(
    tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient
) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    tenant.bot("early", meeting.id, tokens=["LocalRecording", "OnBehalf"], onBehalf={"retrySeconds": 3})
    tenant.wait_phase("early", "WaitingForUser")
    last = tenant.status("meetingbots", "early")["lastAttempt"]
    assert (last["reason"], last["exitCode"]) == ("UserNotInMeeting", 75)
    zoom.act(meeting.id, "joined", user=tenant.user.id, emit=False)
    tenant.wait("join", lambda: [visit.state for visit in tenant.visits(meeting.id)][-1] == "recording")
    first, *_, second = tenant.visits(meeting.id)
    assert first.host_mailed
    assert second.time - first.time >= 2.5
    assert tenant.status("meetingbots", "early").get("attempts") == 1


def test_a_meeting_of_another_account_than_the_apps_gets_an_on_behalf_token_by_default(
    tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient
) -> None:
    vendor = zoom.add_account(Account())
    tenant.app_secret(account_id=vendor.id)
    tenant.consent()
    tenant.credential()
    tenant.wait_ready("zoomcredentials", "alice")
    meeting = tenant.meeting()
    zoom.act(meeting.id, "joined", user=tenant.user.id, emit=False)
    tenant.mapping(meeting.id, "alice")
    tenant.bot("foreign", meeting.id)
    tenant.wait_phase("foreign", "Running")
    assert tenant.status("meetingbots", "foreign")["token"]["kinds"] == ["LocalRecording", "OnBehalf"]


def test_webinars(tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient) -> None:
    tenant.ready_credential()
    webinar = tenant.meeting(kind="webinar")
    tenant.mapping(webinar.id, "alice")
    tenant.bot("by-link", {"url": f"https://zoom.us/w/{webinar.id}"})
    tenant.bot("by-id", webinar.id)
    for name in ("by-link", "by-id"):
        tenant.wait_phase(name, "Running")
        assert tenant.status("meetingbots", name)["token"]["kinds"] == ["LocalRecording"]
    assert zoom.calls("webinars.jointoken", client_id=tenant.app.client_id)


def test_an_unknown_meeting_is_found_with_the_accounts_credential_and_mapped(
    tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient
) -> None:
    tenant.ready_credential()
    other_user = zoom.add_user(User(account_id=tenant.account.id, email=f"carol-{tenant.namespace}@tenant.example"))
    app = account_credential(tenant)
    meeting = tenant.meeting(host_id=other_user.id)
    tenant.bot("found", meeting.id)
    tenant.wait_phase("found", "Running")
    assert tenant.status("meetingbots", "found")["credentialName"] == "acme"
    tenant.wait_mapped(meeting.id)
    assert tenant.status("meetingmappings", meeting.id)["credentials"] == [
        {"name": "acme", "role": "Host", "source": "Lookup"}
    ]
    # Alice is somebody else: her credential was never asked for this meeting.
    assert not zoom.calls("meetings.jointoken", client_id=tenant.app.client_id)
    assert zoom.calls("meetings.jointoken", client_id=app.client_id)


def test_the_trail_tells_of_an_entry_that_names_no_credential(tenant: Tenant, kubelet: KubeletDouble) -> None:
    tenant.ready_credential()
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "ghost", "alice")
    tenant.bot("notes", meeting.id)
    tenant.wait_phase("notes", "Running")
    issued = tenant.condition("meetingbots", "notes", "TokenIssued")
    assert issued["status"] == "True"
    assert "There is no ZoomCredential ghost" in issued["message"]
    assert tenant.status("meetingbots", "notes")["credentialName"] == "alice"


def test_the_selector_keeps_other_customers_credentials_out(
    tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient
) -> None:
    tenant.app_secret()
    tenant.consent()
    tenant.credential(labels={"customer": "acme"})
    tenant.wait_ready("zoomcredentials", "alice")
    meeting = tenant.meeting()
    tenant.mapping(meeting.id, "alice")
    spec: dict[str, Any] = {"tokenPolicy": "Required"}
    tenant.bot("wrong", meeting.id, credentialSelector={"matchLabels": {"customer": "brown"}}, **spec)
    tenant.wait_reason("meetingbots", "wrong", "NoMapping")
    assert not zoom.calls("meetings.jointoken", client_id=tenant.app.client_id)
    tenant.bot("right", meeting.id, credentialSelector={"matchLabels": {"customer": "acme"}}, **spec)
    tenant.wait_phase("right", "Running")


def test_a_personal_link_leads_to_its_users_meeting(tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient) -> None:
    vanity = f"alice-{tenant.namespace}"
    zoom.change_user(tenant.user.id, emit=False, vanity=vanity)
    tenant.ready_credential()
    tenant.bot("personal", {"url": f"https://zoom.us/my/{vanity}"}, image="test/sleep", tokens=[])
    tenant.wait_phase("personal", "Running")
    assert tenant.status("meetingbots", "personal")["meetingId"] == str(tenant.user.pmi)
    tenant.bot("strangers", {"url": "https://zoom.us/my/somebody-else"}, image="test/sleep", tokens=[])
    tenant.wait_reason("meetingbots", "strangers", "VanityLink")


def test_into_strangers_meetings_a_bot_goes_on_behalf_of_somebody_of_ours(
    tenant: Tenant, kubelet: KubeletDouble, zoom: SimClient
) -> None:
    tenant.ready_credential()
    stranger = zoom.add_user(User(account_id=zoom.add_account(Account()).id, email=f"{tenant.namespace}@x.example"))
    meeting = tenant.meeting(host_id=stranger.id, waiting_room=False)
    zoom.act(meeting.id, "joined", user=tenant.user.id, emit=False)
    spec: dict[str, Any] = {"tokens": ["LocalRecording", "OnBehalf"], "onBehalf": {"credentialRef": {"name": "alice"}}}
    tenant.bot("guest", meeting.id, **spec)
    tenant.wait_phase("guest", "Running")
    tenant.wait("join", lambda: bool(tenant.visits(meeting.id)))
    (visit,) = tenant.visits(meeting.id)
    assert (visit.state, visit.on_behalf_of, visit.presented) == ("asks_host", tenant.user.id, ("OnBehalf",))
    token = tenant.status("meetingbots", "guest")["token"]
    assert (token["kinds"], token["reason"]) == (["OnBehalf"], "NoMapping")

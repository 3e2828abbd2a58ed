"""The control routes through their client, in another thread, as demos and integration tests use them."""

from collections.abc import Iterator

import httpx
import pytest

from tests.unit.zoomsim.simulator_harness import START
from tests.zoomsim.client import SimClient
from tests.zoomsim.client_orders import OrderRefused
from tests.zoomsim.clock import SimClock
from tests.zoomsim.faults import Fault
from tests.zoomsim.join import JoinRequest
from tests.zoomsim.scenario import ConsentWanted, MeetingWanted, Scenario
from tests.zoomsim.server import serving_in_thread
from tests.zoomsim.sim import Settings, ZoomSim
from tests.zoomsim.world import Account, App, Meeting, User

ACCOUNT, OTHER = Account(id="acme"), Account(id="other", plan="Free")
ALICE = User(account_id="acme", email="alice@example.com")
APP = App(owner_account_id="acme", client_id="app-1", webhook_url="http://127.0.0.1:1/hook")


@pytest.fixture
def zoom() -> Iterator[SimClient]:
    with serving_in_thread(ZoomSim(clock=SimClock(start=START, factor=0))) as client:
        client.load(Scenario(accounts=(ACCOUNT, OTHER), users=(ALICE,), apps=(APP,)))
        yield client


def get(zoom: SimClient, path: str, token: str) -> httpx.Response:
    return httpx.get(f"{zoom.api_url}{path}", headers={"Authorization": f"Bearer {token}"}, trust_env=False)


def test_people_and_apps(zoom: SimClient) -> None:
    assert zoom.add_account(Account(id="third")).id == "third"
    bob = zoom.add_user(User(account_id="acme", email="bob@example.com"))
    app = zoom.add_app(App(owner_account_id="acme"))
    tokens = zoom.consent(client_id=app.client_id, user="bob@example.com")
    assert get(zoom, "/users/me", tokens.access_token).json()["id"] == bob.id == tokens.user_id
    assert zoom.change_app(app.client_id, access_token_seconds=5).access_token_seconds == 5
    assert zoom.change_account("acme", plan="Pro").plan == "Pro"
    assert zoom.change_user(bob.id, pmi=5551234567, emit=False).pmi == 5551234567
    zoom.remove_user(bob.id)
    assert get(zoom, "/users/me", tokens.access_token).status_code == 401


def test_consent_revoke_and_deauthorize(zoom: SimClient) -> None:
    tokens = zoom.consent(client_id="app-1", user=ALICE.id, scopes=("user:read:user",))
    assert tokens.scope == "user:read:user"
    zoom.revoke(client_id="app-1", user=ALICE.id)
    assert get(zoom, "/users/me", tokens.access_token).status_code == 401
    zoom.consent(client_id="app-1", user=ALICE.id)
    zoom.deauthorize(client_id="app-1", user=ALICE.id)
    assert [each.event for each in zoom.deliveries()] == ["app_deauthorized"]


def test_codes(zoom: SimClient) -> None:
    redirect, verifier = "https://bots.example.com/cb", "v" * 43
    code = zoom.code(client_id="app-1", user=ALICE.id, redirect_uri=redirect, code_verifier=verifier)
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect, "code_verifier": verifier}
    answer = httpx.post(f"{zoom.oauth_url}/token", data=form, auth=("app-1", APP.client_secret), trust_env=False)
    assert answer.json()["refresh_token"] in zoom.records().secrets


def test_a_customer_who_keeps_the_tokens_answers_with_one_as_plain_text(zoom: SimClient) -> None:
    url = zoom.customer_token_url(client_id="app-1", user=ALICE.id)
    assert httpx.get(url, trust_env=False).status_code == 404
    zoom.consent(client_id="app-1", user=ALICE.id)
    answer = httpx.get(url, trust_env=False)
    assert answer.headers["content-type"].startswith("text/plain")
    assert get(zoom, "/users/me", answer.text).json()["id"] == ALICE.id


def test_meetings_and_their_events(zoom: SimClient) -> None:
    zoom.consent(client_id="app-1", user=ALICE.id)
    meeting = zoom.add_meeting(MeetingWanted(host_id="alice@example.com", start_in=600))
    assert (meeting.host_id, meeting.start_time) == (ALICE.id, START + 600)
    zoom.change_meeting(meeting.id, topic="Another")
    zoom.act(meeting.id, "start")
    assert zoom.act(meeting.id, "joined", user=ALICE.id).present == {ALICE.id}
    zoom.act(meeting.id, "left", user=ALICE.id)
    zoom.act(meeting.id, "end")
    zoom.act(meeting.id, "delete")
    zoom.act(meeting.id, "recover")
    assert zoom.meeting(meeting.id).topic == "Another"
    zoom.act(meeting.id, "delete", permanently=True)
    events = [each.event.removeprefix("meeting.") for each in zoom.deliveries()]
    assert events == [
        *("created", "updated", "started", "participant_joined", "participant_left"),
        *("ended", "deleted", "recovered", "permanently_deleted"),
    ]
    silent = zoom.add_meeting(Meeting(host_id=ALICE.id), emit=False)
    zoom.act(silent.id, "start", emit=False)
    assert len(zoom.deliveries()) == len(events)


def test_any_event(zoom: SimClient) -> None:
    (delivery,) = zoom.emit("meeting.strange", {"a": 1}, client_ids=("app-1",), event_ts=5)
    assert b'"event_ts":5' in delivery.body
    assert [each.id for each in zoom.deliveries("meeting.strange")] == [delivery.id]
    assert zoom.deliveries("meeting.other") == []
    assert not zoom.settled(seconds=0.05)
    assert not zoom.validate("app-1")


def test_faults_clock_settings_and_records(zoom: SimClient) -> None:
    tokens = zoom.consent(client_id="app-1", user=ALICE.id)
    fault = zoom.fault("users.get", "html", status=503)
    assert zoom.faults() == [fault] == [Fault(call="users.get", kind="html", status=503)]
    assert get(zoom, "/users/me", tokens.access_token).status_code == 503
    zoom.fault("users.get", "empty", count=0)
    zoom.clear_faults()
    assert get(zoom, "/users/me", tokens.access_token).status_code == 200
    assert [(call.status, call.fault) for call in zoom.calls("users", client_id="app-1")] == [
        (503, "html"),
        (200, None),
    ]
    assert zoom.calls("users", user_id="nobody") == []
    assert zoom.peak(account_id="acme", category="light") == 1
    zoom.clear_calls()
    assert zoom.calls() == []
    state = zoom.clock(advance=60, skew=5, factor=0)
    assert (state.now, state.shown) == (START + 60, START + 65)
    assert zoom.settings(stranger="300") == Settings(stranger="300")
    assert zoom.records().secrets[tokens.refresh_token] == "refresh token"
    assert zoom.records().refresh_uses == {}


def test_bots(zoom: SimClient) -> None:
    meeting = zoom.add_meeting(Meeting(host_id=ALICE.id), emit=False)
    visits = [zoom.join(JoinRequest(meeting_id=str(meeting.id))) for _ in range(2)]
    zoom.change_meeting(meeting.id, host_answer="granted")
    assert zoom.participant(visits[0].id).recording
    assert zoom.leave(visits[0].id).state == "left"
    assert zoom.put_out(visits[1].id).state == "removed"
    assert [visit.state for visit in zoom.participants()] == ["left", "removed"]
    assert [visit.state for visit in zoom.joins()] == ["asks_host", "asks_host"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "why"),
    [
        ("POST", "users", {"account_id": "acme", "email": "x@example.com", "colour": "red"}, 400, "colour"),
        ("POST", "users", {"account_id": "acme", "email": "alice@example.com"}, 400, "taken"),
        ("POST", "users", {"account_id": "nobody", "email": "x@example.com"}, 404, "no account nobody"),
        ("POST", "meetings", {"meeting": {"host_id": "nobody"}}, 404, "no user nobody"),
        ("POST", "meetings", {"meeting": {"host_id": ALICE.id, "id": 12}}, 400, "9 to 11 digits"),
        ("POST", "meetings", {"meeting": {"host_id": ALICE.id, "start_in": 1, "start_time": 1}}, 400, "not both"),
        ("PATCH", "accounts/acme", {"changes": {"plan": "Gold"}}, 400, "plan"),
        ("PATCH", "accounts/acme", {"changes": {"plant": "Pro"}}, 400, "plant"),
        ("POST", "meetings/81234567890/start", {}, 404, "no meeting"),
        pytest.param("POST", f"meetings/{ALICE.pmi}/dance", {}, 404, "no act dance", id="dance"),
        ("POST", "faults", {"call": "users.get", "kind": "earthquake"}, 400, "kind"),
        ("PATCH", "clock", {"advance": -1}, 400, "forward"),
        ("GET", "participants/bot-99", None, 404, "no participant"),
        ("POST", "faults", "not an object", 400, "Fault"),
    ],
)
def test_wrong_orders_say_what_is_wrong(
    zoom: SimClient, method: str, path: str, body: object, status: int, why: str
) -> None:
    answer = httpx.request(method, f"{zoom.base_url}/sim/{path}", json=body, trust_env=False)
    assert answer.status_code == status
    assert why in answer.json()["error"]


def test_the_client_raises_for_a_wrong_order(zoom: SimClient) -> None:
    with pytest.raises(OrderRefused, match="no user nobody"):
        zoom.consent(client_id="app-1", user="nobody")


def test_loading_gives_the_consents_tokens_in_order(zoom: SimClient) -> None:
    wanted = tuple(ConsentWanted(client_id="app-1", user=ALICE.id, scopes=scopes) for scopes in (None, ("user:read",)))
    first, second = zoom.load(Scenario(consents=wanted))
    assert first.refresh_token != second.refresh_token
    assert second.scope == "user:read"


def test_a_taken_port_is_reported(zoom: SimClient) -> None:
    port = int(zoom.base_url.rpartition(":")[2])
    with pytest.raises(OSError, match=str(port)), serving_in_thread(port=port):
        pass

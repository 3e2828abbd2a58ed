import httpx
import pytest

from tests.unit.zoomsim.simulator_harness import REDIRECT, START, SimulatorHarness, basic, until
from tests.zoomsim.faults import Fault
from tests.zoomsim.recorder import Call, Recorder


async def test_every_call_is_recorded_with_who_asked_and_what_came(zoom: SimulatorHarness) -> None:
    tokens, meeting = zoom.consent(), zoom.meeting()
    zoom.sim.clock.advance(5)
    await zoom.refresh(tokens.refresh_token)
    await zoom.refresh(tokens.refresh_token)
    await zoom.join_token(meeting, tokens.access_token)
    refreshed, refused, token = zoom.sim.recorder.calls
    assert refreshed == Call(
        time=START + 5,
        call="oauth.token.refresh_token",
        method="POST",
        path="/oauth/token",
        client_id=zoom.app.client_id,
        status=200,
    )
    assert (refused.status, refused.code) == (400, "invalid_grant")
    assert (token.call, token.category) == ("meetings.jointoken.local_recording", "light")
    assert (token.client_id, token.user_id, token.account_id) == (zoom.app.client_id, zoom.alice.id, zoom.account.id)


async def test_faults_are_in_the_record(zoom: SimulatorHarness) -> None:
    zoom.sim.faults.add(Fault(call="users.get", kind="html"))
    await zoom.get("/users/me", zoom.consent().access_token)
    (call,) = zoom.sim.recorder.calls
    assert (call.fault, call.status) == ("html", 502)


async def test_an_answer_that_never_came_has_no_status(zoom: SimulatorHarness) -> None:
    for fault in (
        Fault(call="users.get", kind="close", after_work=True),
        Fault(call="users.get", kind="timeout", seconds=0.01, after_work=True),
    ):
        zoom.sim.faults.add(fault)
        with pytest.raises(httpx.TransportError):
            await zoom.get("/users/me", zoom.consent().access_token)
    await until(lambda: len(zoom.sim.recorder.calls) == 2)
    assert [(call.fault, call.status) for call in zoom.sim.recorder.calls] == [("close", None), ("timeout", None)]


async def test_all_secrets_are_known_and_none_is_in_the_record(zoom: SimulatorHarness) -> None:
    first, meeting = zoom.consent(), zoom.meeting(passcode="pass-code-1")
    code = zoom.sim.consents.authorize(app=zoom.app, user=zoom.bob, redirect_uri=REDIRECT)
    second = (await zoom.refresh(first.refresh_token)).json()
    access = second["access_token"]
    join = await zoom.join_token(meeting, access)
    obf = (await zoom.get("/users/me/token", access, type="onbehalf", meeting_id=str(meeting.id))).json()["token"]
    zak = (await zoom.get("/users/me/zak", access)).json()["token"]
    await zoom.http.post("/oauth/revoke", data={"token": access}, headers=basic(zoom.app))
    kinds = {
        first.access_token: "access token",
        first.refresh_token: "refresh token",
        access: "access token",
        second["refresh_token"]: "refresh token",
        code: "authorization code",
        join: "local_recording join token",
        obf: "on-behalf token",
        zak: "ZAK",
        zoom.app.client_secret: "client secret",
        zoom.app.webhook_secret_token: "webhook secret",
        "pass-code-1": "passcode",
    }
    assert zoom.sim.recorder.secrets == kinds
    shown = repr(zoom.sim.recorder.calls)
    assert [secret for secret in kinds if secret in shown] == []


def test_find_by_beginning_app_and_user() -> None:
    recorder = Recorder()
    for call, client in (("oauth.token.refresh_token", "a"), ("oauth.token.refresh_token", "b"), ("users.get", "a")):
        recorder.note(Call(time=0, call=call, method="GET", path="/", client_id=client, user_id=f"user of {client}"))
    assert len(recorder.find()) == 3
    assert len(recorder.find("oauth.token")) == 2
    assert recorder.find("oauth.tok") == []
    assert len(recorder.find("oauth.token", client_id="a")) == 1
    assert len(recorder.find(user_id="user of a")) == 2
    recorder.clear_calls()
    assert recorder.find() == []


def test_peak_is_the_fullest_second() -> None:
    recorder = Recorder()
    for time in (0.0, 0.5, 0.9, 1.0, 3.0):
        recorder.note(Call(time=time, call="x", method="GET", path="/", account_id="a", category="light"))
    recorder.note(Call(time=0.5, call="x", method="GET", path="/", account_id="b", category="light"))
    assert recorder.peak(account_id="a", category="light") == 3
    assert recorder.peak(account_id="a", category="medium") == 0

"""Zoom's SDK, unmodified, calls the simulator: what it accepts from Zoom, it must accept from the simulator."""

from tests.contract.rivet import Call, Json, Rivet
from tests.contract.zoom import ContractZoom


def account_calls(zoom: ContractZoom) -> list[Call]:
    """Every call of the project, as an app of the whole account makes them."""
    alice, webinar = {"userId": zoom.alice.id}, {"webinarId": zoom.webinar.id}
    meeting, bypass = {"meetingId": zoom.meeting.id}, {"bypass_waiting_room": True}
    meetings: list[tuple[str, str, Json]] = [
        ("meetings", "listMeetings", {"path": alice, "query": {"page_size": 300}}),
        ("meetings", "getMeeting", {"path": meeting}),
        ("meetings", "getMeetingsJoinTokenForLocalRecording", {"path": meeting, "query": bypass}),
        ("meetings", "getMeetingsJoinTokenForLiveStreaming", {"path": meeting}),
        ("meetings", "getMeetingsArchiveTokenForLocalArchiving", {"path": meeting}),
        ("webinars", "listWebinars", {"path": alice}),
        ("webinars", "getWebinar", {"path": webinar}),
        ("webinars", "getWebinarsJoinTokenForLocalRecording", {"path": webinar}),
    ]
    users: list[tuple[str, str, Json]] = [
        ("users", "listUsers", {"query": {"status": "active"}}),
        ("users", "getUser", {"path": alice}),
        ("users", "getUsersToken", {"path": alice, "query": {"type": "zak"}}),
    ]
    return [("meetings", *call) for call in meetings] + [("users", *call) for call in users]


def user_calls(zoom: ContractZoom) -> list[Call]:
    """The calls of one user's app."""
    me = {"userId": "me"}
    on_behalf = {"type": "onbehalf", "meeting_id": zoom.meeting.id}
    return [
        ("meetings", "meetings", "listMeetings", {"path": me}),
        ("meetings", "webinars", "listWebinars", {"path": me}),
        ("users", "users", "getUser", {"path": me}),
        ("users", "users", "getUsersZAK", {}),
        ("users", "users", "getUsersToken", {"path": me, "query": on_behalf}),
    ]


async def test_a_server_to_server_app(zoom: ContractZoom, rivet: Rivet) -> None:
    found = await rivet.server_to_server(account_calls(zoom))
    assert [answer for answer in found.answers if "data" not in answer] == []
    assert zoom.meeting.id in [row["id"] for row in found.answers[0]["data"]["meetings"]]
    assert found.answers[5]["data"]["webinars"][0]["id"] == zoom.webinar.id
    assert found.token is not None
    assert set(zoom.proxy.tunnels) == {"zoom.us:443", "api.zoom.us:443"}
    assert zoom.proxy.refused == []


async def test_an_app_with_a_users_consent(zoom: ContractZoom, rivet: Rivet) -> None:
    issued = zoom.sim.actions.consent(client_id=zoom.user_app.client_id, user=zoom.alice.id)
    now = zoom.sim.clock.now()
    found = await rivet.oauth(issued, user_calls(zoom), expires_at=now + 3000)
    assert [answer for answer in found.answers if "data" not in answer] == []
    assert found.answers[2]["data"]["vanity_url"] == "https://example.zoom.us/my/alice"
    assert zoom.sim.recorder.find("oauth.token") == []


async def test_the_sdk_refreshes_and_stores_the_rotated_token(zoom: ContractZoom, rivet: Rivet) -> None:
    issued = zoom.sim.actions.consent(client_id=zoom.user_app.client_id, user=zoom.alice.id)
    found = await rivet.oauth(issued, user_calls(zoom), expires_at=zoom.sim.clock.now() - 1)
    assert [answer for answer in found.answers if "data" not in answer] == []
    assert [call.call for call in zoom.sim.recorder.find("oauth.token")] == ["oauth.token.refresh_token"]
    assert found.token is not None
    assert found.token["refreshToken"] != issued.refresh_token
    assert set(found.token["scopes"]) == set(issued.access.scopes)


async def test_the_sdk_reads_the_simulators_errors(zoom: ContractZoom, rivet: Rivet) -> None:
    zoom.sim.actions.update_user(zoom.alice.id, {"may_host": False})
    zoom.sim.actions.update_user(zoom.bob.id, {"local_recording": False})
    bobs = zoom.sim.actions.update_meeting(zoom.series.id, {"host_id": zoom.bob.id}, emit=False)
    calls: list[Call] = [
        ("meetings", "meetings", "listMeetings", {"path": {"userId": zoom.alice.id}}),
        ("meetings", "meetings", "getMeeting", {"path": {"meetingId": 99999999999}}),
        ("meetings", "meetings", "getMeetingsJoinTokenForLocalRecording", {"path": {"meetingId": bobs.id}}),
        ("users", "users", "getUser", {"path": {"userId": "nobody"}}),
    ]
    found = await rivet.server_to_server(calls)
    codes = [answer["error"].split("]")[0].partition("[")[2] for answer in found.answers]
    assert codes == ["400/3161", "404/3001", "400/3000", "404/1001"]

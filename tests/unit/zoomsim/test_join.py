from dataclasses import replace
from typing import Any

import pytest

from tests.unit.zoomsim.simulator_harness import SimulatorHarness
from tests.zoomsim.join import JoinRequest
from tests.zoomsim.visits import Participant
from tests.zoomsim.world import Meeting


def join(zoom: SimulatorHarness, meeting: Meeting | int, **given: Any) -> Participant:
    number = meeting if isinstance(meeting, int) else meeting.id
    return zoom.sim.join(JoinRequest(meeting_id=str(number), display_name="Notetaker", **given))


async def obf(zoom: SimulatorHarness, meeting: Meeting, user: str = "alice") -> str:
    token = zoom.consent(getattr(zoom, user)).access_token
    answer = await zoom.get("/users/me/token", token, type="onbehalf", meeting_id=str(meeting.id))
    return str(answer.json()["token"])


async def test_a_good_token_admits_at_once_past_the_waiting_room_with_the_host_absent(zoom: SimulatorHarness) -> None:
    meeting = zoom.meeting(passcode="pass-1")
    token = await zoom.join_token(meeting, zoom.consent().access_token)
    zoom.sim.clock.advance(2)
    visit = join(zoom, meeting, passcode="pass-1", join_token=token)
    assert (visit.state, visit.recording, visit.sdk_code) == ("recording", True, None)
    assert (visit.presented, visit.token_age_seconds) == (("LocalRecording",), 2.0)


async def test_without_bypass_the_bot_waits_at_the_door(zoom: SimulatorHarness) -> None:
    meeting = zoom.meeting()
    token = await zoom.join_token(meeting, zoom.consent().access_token, bypass_waiting_room="false")
    visit = join(zoom, meeting, join_token=token)
    assert (visit.state, visit.recording) == ("waiting_room", False)
    zoom.sim.world.update_meeting(meeting.id, host_answer="granted")
    assert zoom.sim.visits.participant(visit.id).recording
    open_door = zoom.meeting(waiting_room=False)
    token = await zoom.join_token(open_door, zoom.consent().access_token, bypass_waiting_room="false")
    assert join(zoom, open_door, join_token=token).state == "recording"


@pytest.mark.parametrize(
    ("answer", "state", "recording"),
    [("granted", "recording", True), ("denied", "denied", False), ("timeout", "timed_out", False)],
)
def test_without_a_token_the_host_decides(zoom: SimulatorHarness, answer: Any, state: str, recording: bool) -> None:
    meeting = zoom.meeting()
    visit = join(zoom, meeting)
    assert (visit.state, visit.recording) == ("asks_host", False)
    assert zoom.sim.visits.participant(visit.id).state == "asks_host"
    zoom.sim.world.update_meeting(meeting.id, host_answer=answer)
    now = zoom.sim.visits.participant(visit.id)
    assert (now.state, now.recording) == (state, recording)
    assert zoom.sim.joins.attempts == [visit]


async def test_a_join_token_works_once(zoom: SimulatorHarness) -> None:
    meeting = zoom.meeting()
    token = await zoom.join_token(meeting, zoom.consent().access_token)
    join(zoom, meeting, join_token=token)
    again = join(zoom, meeting, join_token=token)
    assert (again.state, again.sdk_code, "used before" in again.reason) == ("refused", 500, True)


async def test_a_join_token_dies_after_120_seconds(zoom: SimulatorHarness) -> None:
    meeting, access = zoom.meeting(), zoom.consent().access_token
    early, late = await zoom.join_token(meeting, access), await zoom.join_token(meeting, access)
    zoom.sim.clock.advance(119.9)
    assert join(zoom, meeting, join_token=early).state == "recording"
    zoom.sim.clock.advance(0.1)
    visit = join(zoom, meeting, join_token=late)
    assert (visit.sdk_code, "expired" in visit.reason) == (500, True)


async def test_a_join_token_is_for_one_meeting_and_one_thing(zoom: SimulatorHarness) -> None:
    meeting, other, access = zoom.meeting(), zoom.meeting(), zoom.consent().access_token
    visit = join(zoom, other, join_token=await zoom.join_token(meeting, access))
    assert (visit.sdk_code, "another meeting" in visit.reason) == (500, True)
    answer = await zoom.get(f"/meetings/{meeting.id}/jointoken/live_streaming", access)
    assert join(zoom, meeting, join_token=answer.json()["token"]).sdk_code == 500
    assert join(zoom, meeting, join_token="forged").sdk_code == 500


async def test_a_token_is_spent_when_it_is_shown_even_if_something_else_was_wrong(zoom: SimulatorHarness) -> None:
    meeting = zoom.meeting(passcode="pass-1")
    token = await zoom.join_token(meeting, zoom.consent().access_token)
    assert join(zoom, meeting, passcode="wrong", join_token=token).sdk_code == 4
    assert join(zoom, meeting, passcode="pass-1", join_token=token).sdk_code == 500


async def test_webinars(zoom: SimulatorHarness) -> None:
    webinar = zoom.meeting(kind="webinar", type=5)
    token = await zoom.join_token(webinar, zoom.consent().access_token)
    assert join(zoom, webinar, join_token=token).state == "recording"


async def test_streaming_and_archiving_tokens(zoom: SimulatorHarness) -> None:
    meeting, access = zoom.meeting(), zoom.consent(app=zoom.account_app()).access_token
    path = f"/meetings/{meeting.id}/jointoken"
    stream = (await zoom.get(f"{path}/live_streaming", access)).json()["token"]
    archive = (await zoom.get(f"{path}/local_archiving", access)).json()["token"]
    visit = join(zoom, meeting, live_streaming_token=stream, local_archiving_token=archive)
    assert (visit.live_streaming, visit.local_archiving) == (True, True)
    assert join(zoom, meeting, live_streaming_token=stream).sdk_code == 500


def test_meetings_that_nobody_can_join(zoom: SimulatorHarness) -> None:
    assert join(zoom, 99999999999).sdk_code == 8
    assert zoom.sim.join(JoinRequest(meeting_id="no number")).sdk_code == 8
    encrypted = join(zoom, zoom.meeting(end_to_end_encrypted=True))
    assert (encrypted.state, "encrypted" in encrypted.reason) == ("refused", True)
    instant = zoom.meeting(type=1)
    zoom.sim.actions.start_meeting(instant.id, emit=False)
    assert join(zoom, instant).state == "asks_host"
    zoom.sim.actions.end_meeting(instant.id, emit=False)
    assert join(zoom, instant).sdk_code == 6


async def test_on_behalf_needs_its_user_in_the_meeting(zoom: SimulatorHarness) -> None:
    meeting = zoom.meeting()
    failed = join(zoom, meeting, obf_token=await obf(zoom, meeting))
    assert (failed.sdk_code, failed.meeting_ended_too, failed.host_mailed) == (501, True, True)
    zoom.sim.actions.join_user(meeting.id, user=zoom.bob.id, emit=False)
    assert join(zoom, meeting, obf_token=await obf(zoom, meeting)).sdk_code == 501
    zoom.sim.actions.join_user(meeting.id, user=zoom.alice.id, emit=False)
    assert join(zoom, meeting, obf_token=await obf(zoom, meeting)).state == "asks_host"


async def test_the_bot_is_put_out_when_its_user_leaves(zoom: SimulatorHarness) -> None:
    meeting = zoom.meeting()
    for user in (zoom.alice, zoom.bob):
        zoom.sim.actions.join_user(meeting.id, user=user.id, emit=False)
    with_alice = join(zoom, meeting, obf_token=await obf(zoom, meeting))
    with_bob = join(zoom, meeting, obf_token=await obf(zoom, meeting, "bob"))
    zoom.sim.actions.leave_user(meeting.id, user=zoom.alice.id, emit=False)
    states = [zoom.sim.visits.participant(visit.id).state for visit in (with_alice, with_bob)]
    assert states == ["removed", "asks_host"]


async def test_bad_on_behalf_tokens(zoom: SimulatorHarness) -> None:
    meeting, other = zoom.meeting(present=frozenset({zoom.alice.id})), zoom.meeting()
    assert join(zoom, meeting, obf_token="forged").sdk_code == 505
    assert join(zoom, meeting, obf_token=await obf(zoom, other)).sdk_code == 506
    token = await obf(zoom, meeting)
    assert join(zoom, meeting, obf_token=token).state == "asks_host"
    assert join(zoom, meeting, obf_token=token).sdk_code == 505
    token = await obf(zoom, meeting)
    zoom.sim.clock.advance(7200)
    assert join(zoom, meeting, obf_token=token).sdk_code == 505


async def test_zak_lives_two_hours_and_may_be_used_again(zoom: SimulatorHarness) -> None:
    meeting = zoom.meeting()
    zak = (await zoom.get("/users/me/zak", zoom.consent().access_token)).json()["token"]
    for _ in range(2):
        assert join(zoom, meeting, zak=zak).state == "asks_host"
    zoom.sim.clock.advance(7200)
    assert join(zoom, meeting, zak=zak).state == "refused"
    assert join(zoom, meeting, zak="forged").state == "refused"


async def test_obf_and_zak_exclude_each_other(zoom: SimulatorHarness) -> None:
    meeting = zoom.meeting(present=frozenset({zoom.alice.id}))
    zak = (await zoom.get("/users/me/zak", zoom.consent().access_token)).json()["token"]
    assert "exclude" in join(zoom, meeting, zak=zak, obf_token=await obf(zoom, meeting)).reason


async def test_a_bot_from_another_account_needs_obf_or_zak(zoom: SimulatorHarness) -> None:
    meeting = zoom.meeting(present=frozenset({zoom.alice.id}))
    outside = {"sdk_account_id": zoom.other_account.id}
    access, account_access = zoom.consent().access_token, zoom.consent(app=zoom.account_app()).access_token
    assert join(zoom, meeting, join_token=await zoom.join_token(meeting, access), **outside).sdk_code == 503
    assert join(zoom, meeting, join_token=await zoom.join_token(meeting, account_access), **outside).sdk_code == 504
    assert join(zoom, meeting, **outside).sdk_code == 504
    both = {"join_token": await zoom.join_token(meeting, access), "obf_token": await obf(zoom, meeting)}
    assert join(zoom, meeting, **both, **outside).state == "recording"
    token = await zoom.join_token(meeting, zoom.consent().access_token)
    assert join(zoom, meeting, join_token=token, sdk_account_id=zoom.account.id).state == "recording"
    zoom.sim.settings = replace(zoom.sim.settings, sdk_account_id=zoom.other_account.id)
    assert join(zoom, meeting).sdk_code == 504


def test_ends_of_a_visit(zoom: SimulatorHarness) -> None:
    meeting, other = zoom.meeting(), zoom.meeting()
    left, out, stays, elsewhere = (join(zoom, each) for each in (meeting, meeting, meeting, other))
    assert zoom.sim.visits.leave(left.id).state == "left"
    assert zoom.sim.visits.put_out(out.id).state == "removed"
    zoom.sim.actions.end_meeting(meeting.id, emit=False)
    states = {visit.id: visit.state for visit in zoom.sim.visits.participants()}
    assert states == {left.id: "left", out.id: "removed", stays.id: "ended", elsewhere.id: "asks_host"}
    assert zoom.sim.visits.leave(stays.id).state == "ended"


async def test_tokens_and_passcodes_are_not_in_what_is_recorded(zoom: SimulatorHarness) -> None:
    meeting = zoom.meeting(passcode="pass-code-1")
    token = await zoom.join_token(meeting, zoom.consent().access_token)
    request = JoinRequest(meeting_id=str(meeting.id), passcode="pass-code-1", join_token=token)
    zoom.sim.join(request)
    shown = repr([request, *zoom.sim.joins.attempts])
    assert token not in shown
    assert "pass-code-1" not in shown

"""Participant events: sessions, the waiting room, and bots with a customer key."""

import json
from typing import Any

import pytest

from tests.unit.zoomsim.simulator_harness import SimulatorHarness
from tests.zoomsim.join import JoinRequest
from tests.zoomsim.visits import Participant
from tests.zoomsim.world import Meeting

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def events(zoom: SimulatorHarness) -> list[tuple[str, dict[str, Any]]]:
    """Collect the participant events of Alice's meetings, in the order in which they are emitted."""
    zoom.sim.actions.update_app(zoom.app.client_id, {"webhook_url": "http://127.0.0.1:1/hook"})
    zoom.consent()
    return []


def participants(zoom: SimulatorHarness) -> list[tuple[str, dict[str, Any]]]:
    """Get name and participant of each event so far."""
    bodies = [json.loads(delivery.body) for delivery in zoom.sim.webhooks.deliveries]
    return [
        (body["event"], body["payload"]["object"]["participant"])
        for body in bodies
        if "participant" in body["payload"]["object"]
    ]


def names(zoom: SimulatorHarness) -> list[str]:
    return [name.partition(".")[2] for name, _ in participants(zoom)]


async def waiting_bot(zoom: SimulatorHarness, meeting: Meeting) -> Participant:
    token = await zoom.join_token(meeting, zoom.consent().access_token, bypass_waiting_room="false")
    return zoom.sim.join(JoinRequest(meeting_id=str(meeting.id), join_token=token, customer_key=KEY))


@pytest.mark.usefixtures("events")
async def test_leaving_names_the_session_of_the_joining(zoom: SimulatorHarness) -> None:
    meeting = zoom.meeting()
    zoom.sim.actions.join_user(meeting.id, user="alice@example.com")
    zoom.sim.actions.join_user(meeting.id, user=None, name="Guest 1")
    zoom.sim.actions.leave_user(meeting.id, user="alice@example.com")
    (_, alice), (_, guest), (_, left) = participants(zoom)
    assert (left["user_id"], left["participant_uuid"]) == (alice["user_id"], alice["participant_uuid"])
    assert guest["user_id"] != alice["user_id"]
    assert (guest["id"], guest["email"]) == ("", "")


@pytest.mark.usefixtures("events")
async def test_a_person_with_two_devices_is_present_until_the_last_one_leaves(zoom: SimulatorHarness) -> None:
    meeting, alice = zoom.meeting(), zoom.alice.id
    zoom.sim.actions.join_user(meeting.id, user=alice, device="laptop")
    zoom.sim.actions.join_user(meeting.id, user=alice, device="phone")
    assert zoom.sim.actions.leave_user(meeting.id, user=alice, device="laptop").present == {alice}
    assert zoom.sim.actions.leave_user(meeting.id, user=alice, device="phone").present == frozenset()
    assert len({who["participant_uuid"] for _, who in participants(zoom)}) == 2


@pytest.mark.usefixtures("events")
async def test_a_bot_passes_the_waiting_room_under_its_customer_key(zoom: SimulatorHarness) -> None:
    meeting = zoom.meeting()
    bot = await waiting_bot(zoom, meeting)
    assert names(zoom) == ["participant_joined_waiting_room"]
    zoom.sim.visits.answer(bot.id, "granted")
    assert names(zoom)[1:] == ["participant_admitted", "participant_left_waiting_room", "participant_joined"]
    zoom.sim.visits.put_in_waiting_room(bot.id)
    zoom.sim.visits.put_out(bot.id)
    assert names(zoom)[4:] == ["participant_put_in_waiting_room", "participant_left_waiting_room"]
    assert {who["customer_key"] for _, who in participants(zoom)} == {KEY}
    assert len({who["user_id"] for _, who in participants(zoom)}) == 1


@pytest.mark.usefixtures("events")
@pytest.mark.parametrize("answer", ["denied", "timeout"])
async def test_a_bot_that_is_not_admitted_never_joins(zoom: SimulatorHarness, answer: str) -> None:
    meeting = zoom.meeting()
    await waiting_bot(zoom, meeting)
    zoom.sim.actions.update_meeting(meeting.id, {"host_answer": answer})
    assert names(zoom) == ["participant_joined_waiting_room", "participant_left_waiting_room"]


@pytest.mark.usefixtures("events")
async def test_a_bot_without_permission_stays_until_it_leaves(zoom: SimulatorHarness) -> None:
    meeting = zoom.meeting()
    bot = zoom.sim.join(JoinRequest(meeting_id=str(meeting.id), display_name="Recorder"))
    zoom.sim.visits.answer(bot.id, "denied")
    assert names(zoom) == ["participant_joined"]
    assert zoom.sim.visits.leave(bot.id).state == "denied"
    assert names(zoom) == ["participant_joined", "participant_left"]


@pytest.mark.usefixtures("events")
async def test_the_end_of_a_meeting_is_the_end_of_its_visits(zoom: SimulatorHarness) -> None:
    meeting = zoom.meeting()
    zoom.sim.actions.start_meeting(meeting.id, emit=False)
    zoom.sim.join(JoinRequest(meeting_id=str(meeting.id), customer_key=KEY))
    zoom.sim.actions.end_meeting(meeting.id, emit=False)
    assert names(zoom) == ["participant_joined", "participant_left"]
    zoom.sim.actions.join_user(meeting.id, user=zoom.bob.id)
    assert (
        participants(zoom)[-1][1]["user_id"] == participants(zoom)[0][1]["user_id"]
    )  # a new run starts at the first number


async def test_orders_that_make_no_sense(zoom: SimulatorHarness) -> None:
    meeting = zoom.meeting(zoom.bob)
    bot = await waiting_bot(zoom, zoom.meeting())
    with pytest.raises(ValueError, match="not in the meeting"):
        zoom.sim.visits.put_in_waiting_room(bot.id)
    zoom.sim.visits.answer(bot.id, "granted")
    with pytest.raises(ValueError, match="does not wait"):
        zoom.sim.visits.answer(bot.id, "denied")
    with pytest.raises(ValueError, match="at most 35"):
        zoom.sim.join(JoinRequest(meeting_id=str(meeting.id), customer_key="x" * 36))

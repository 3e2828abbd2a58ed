"""Every webhook that the simulator can send, sent once."""

from tests.contract.zoom import ContractZoom
from tests.zoomsim.join import JoinRequest
from tests.zoomsim.world import Meeting

CUSTOMER_KEY = "0123456789abcdef0123456789abcdef"

SENT = frozenset(
    {
        "app_deauthorized",
        "meeting.converted_to_webinar",
        "meeting.created",
        "meeting.deleted",
        "meeting.ended",
        "meeting.participant_admitted",
        "meeting.participant_joined",
        "meeting.participant_joined_waiting_room",
        "meeting.participant_left",
        "meeting.participant_left_waiting_room",
        "meeting.participant_put_in_waiting_room",
        "meeting.permanently_deleted",
        "meeting.recovered",
        "meeting.started",
        "meeting.updated",
        "user.deactivated",
        "user.deleted",
        "user.disassociated",
        "user.updated",
        "webinar.converted_to_meeting",
        "webinar.created",
        "webinar.deleted",
        "webinar.ended",
        "webinar.participant_joined",
        "webinar.participant_left",
        "webinar.permanently_deleted",
        "webinar.recovered",
        "webinar.started",
        "webinar.updated",
    }
)


def subscribe(zoom: ContractZoom, *, url: str) -> None:
    """Let both apps get the events at this URL."""
    for app in (zoom.server_app, zoom.user_app):
        zoom.sim.actions.update_app(app.client_id, {"webhook_url": url})


def send_everything(zoom: ContractZoom) -> None:
    """Do what makes Zoom send each event of `SENT`; participants are guests, users and bots."""
    actions, now = zoom.sim.actions, zoom.sim.clock.now()
    zoom.sim.actions.consent(client_id=zoom.user_app.client_id, user=zoom.alice.id)
    new = Meeting(host_id=zoom.alice.id, start_time=now + 60, passcode="Pass.2", pmi=zoom.alice.pmi)
    actions.add_meeting(new, operator=zoom.bob.id)
    actions.delete_meeting(zoom.series.id, occurrence_id="2")
    _run(zoom, zoom.meeting)
    actions.add_meeting(Meeting(host_id=zoom.alice.id, start_time=now + 60, kind="webinar"))
    actions.convert_meeting(actions.convert_meeting(new.id).id)
    _run(zoom, zoom.webinar)
    actions.update_user(zoom.alice.id, {"pmi": 5551234567, "use_pmi": True, "vanity": "alice.new"})
    actions.deauthorize(client_id=zoom.user_app.client_id, user=zoom.alice.id)
    for how in ("deactivated", "disassociated"):
        actions.remove_user(zoom.bob.id, how=how)
    actions.remove_user(zoom.alice.id, how="deleted")


def _run(zoom: ContractZoom, meeting: Meeting) -> None:
    """Let a meeting or webinar have a whole life."""
    actions = zoom.sim.actions
    changes = {"topic": "Zoë's \ud83d", "waiting_room": False, "alternative_hosts": (), "start_time": 1_800_000_000.0}
    actions.update_meeting(meeting.id, changes)
    actions.start_meeting(meeting.id)
    actions.join_user(meeting.id, user=zoom.alice.id)
    actions.join_user(meeting.id, user=None, name="Guest \ud83d 😀")
    if meeting.kind == "meeting":
        _bots(zoom, meeting)
    actions.leave_user(meeting.id, user=zoom.alice.id)
    actions.end_meeting(meeting.id)
    actions.delete_meeting(meeting.id)
    actions.recover_meeting(meeting.id)
    actions.delete_meeting(meeting.id, permanently=True)


def _bots(zoom: ContractZoom, meeting: Meeting) -> None:
    """Send a bot through the waiting room, and put it back there."""
    zoom.sim.actions.update_meeting(meeting.id, {"waiting_room": True}, emit=False)
    token = zoom.sim.tokens.make_join(
        what="local_recording",
        kind="meeting",
        meeting_id=meeting.id,
        bypass_waiting_room=False,
        asker=zoom.sim.actions.consent(client_id=zoom.user_app.client_id, user=zoom.alice.id).access,
    )
    bot = zoom.sim.join(
        JoinRequest(
            meeting_id=str(meeting.id),
            passcode=meeting.passcode,
            join_token=token.value,
            display_name="Recorder",
            customer_key=CUSTOMER_KEY,
        )
    )
    zoom.sim.visits.answer(bot.id, "granted")
    zoom.sim.visits.put_in_waiting_room(bot.id)
    zoom.sim.visits.put_out(bot.id)

"""Actions of people and admins in Zoom: changes of the world, with the webhook events that follow from them."""

from collections.abc import Mapping
from typing import Any, Literal

from . import events
from .clock import SimClock, iso
from .consents import Consents
from .grants import Issued
from .identifiers import new_secret, new_uuid
from .recorder import Recorder
from .sessions import Session, Sessions
from .visits import Participant, Place, Visits
from .webhooks import Delivery, Webhooks
from .world import Account, App, Meeting, User, World

Removal = Literal["deleted", "disassociated", "deactivated"]

# The events of a bot that goes from one place to another. Their order at an admission is a guess.
_BOT_EVENTS: dict[tuple[Place, Place], tuple[events.ParticipantEvent, ...]] = {
    ("outside", "waiting_room"): ("participant_joined_waiting_room",),
    ("outside", "meeting"): ("participant_joined",),
    ("waiting_room", "meeting"): ("participant_admitted", "participant_left_waiting_room", "participant_joined"),
    ("waiting_room", "outside"): ("participant_left_waiting_room",),
    ("meeting", "waiting_room"): ("participant_put_in_waiting_room",),
    ("meeting", "outside"): ("participant_left",),
}


class Actions:
    """Every action emits its event unless `emit` is False; then it needs no running server."""

    def __init__(
        self,
        *,
        clock: SimClock,
        world: World,
        recorder: Recorder,
        consents: Consents,
        webhooks: Webhooks,
        visits: Visits,
    ) -> None:
        self._clock = clock
        self._world = world
        self._recorder = recorder
        self._consents = consents
        self._webhooks = webhooks
        self._visits = visits
        self._sessions = Sessions()
        self._bots: dict[str, Session] = {}
        visits.watch(self._bot_moved)

    def add_account(self, account: Account) -> Account:
        """Open an account."""
        return self._world.add_account(account)

    def add_user(self, user: User) -> User:
        """Add a user."""
        return self._world.add_user(user)

    def add_app(self, app: App) -> App:
        """Register an app; the recorder gets its secrets."""
        self._recorder.secret(app.client_secret, kind="client secret")
        self._recorder.secret(app.webhook_secret_token, kind="webhook secret")
        return self._world.add_app(app)

    def update_app(self, client_id: str, changes: Mapping[str, Any]) -> App:
        """Change an app: new secrets, scopes, URL, disabled."""
        app = self._world.update_app(client_id, **changes)
        self._recorder.secret(app.client_secret, kind="client secret")
        self._recorder.secret(app.webhook_secret_token, kind="webhook secret")
        return app

    def consent(self, *, client_id: str, user: str, scopes: tuple[str, ...] | None = None) -> Issued:
        """Let a user (id or e-mail) consent to an app, without a browser."""
        return self._consents.grant(app=self._world.app(client_id), user=self._world.user(user), scopes=scopes)

    def deauthorize(
        self, *, client_id: str, user: str, user_data_retention: str | None = "false", emit: bool = True
    ) -> None:
        """Let a user remove an app; published apps get `app_deauthorized`."""
        app, who = self._world.app(client_id), self._world.user(user)
        self._consents.uninstall(client_id=client_id, user_id=who.id)
        if not (emit and app.published):
            return
        payload = {
            "account_id": who.account_id,
            "user_id": who.id,
            "client_id": client_id,
            "deauthorization_time": iso(self._clock.shown()),
            "signature": new_secret(40),
        }
        if user_data_retention is not None:
            payload["user_data_retention"] = user_data_retention
        self._webhooks.emit(event="app_deauthorized", payload=payload, client_ids=[client_id])

    def add_meeting(self, meeting: Meeting, *, operator: str | None = None, emit: bool = True) -> Meeting:
        """Schedule a meeting or webinar; `operator` (id or e-mail) is the assistant who did it for the host."""
        self._recorder.secret(meeting.passcode, kind="passcode")
        meeting = self._world.add_meeting(meeting)
        if meeting.created_at is None:
            meeting = self._world.update_meeting(meeting.id, created_at=self._clock.now())
        if emit and meeting.type not in (1, 4):  # instant meetings and personal rooms show only when they start
            what = events.planned(meeting, host=self._links_of(meeting))
            self._emit(meeting, "created", self._by(meeting, operator) | {"object": what})
        return meeting

    def update_meeting(
        self, meeting_id: int, changes: Mapping[str, Any], *, operator: str | None = None, emit: bool = True
    ) -> Meeting:
        """Change a meeting; fields that Zoom does not show (`host_answer`, `present`) change without an event."""
        before = self._world.meeting(meeting_id)
        after = self._world.update_meeting(meeting_id, **changes)
        self._recorder.secret(after.passcode, kind="passcode")
        self._visits.refresh(meeting_id)
        new, old = events.changes(before=before, after=after, host=self._links_of(after))
        if emit and len(new) > 1:
            payload = self._by(after, operator) | {
                "scope": "all",
                "object": new,
                "old_object": old,
                "time_stamp": int(self._clock.shown() * 1000),
            }
            self._emit(after, "updated", payload)
        return after

    def delete_meeting(
        self, meeting_id: int, *, occurrence_id: str | None = None, permanently: bool = False, emit: bool = True
    ) -> Meeting:
        """Delete a meeting, or one date of a series (`operation: single`); `permanently`: without a way back."""
        meeting = self._world.meeting(meeting_id)
        what = events.named(meeting)
        if occurrence_id is not None:
            kept = tuple(item for item in meeting.occurrences if item.occurrence_id != occurrence_id)
            if len(kept) == len(meeting.occurrences):
                raise ValueError(f"meeting {meeting_id} has no occurrence {occurrence_id}")
            gone = next(item for item in meeting.occurrences if item.occurrence_id == occurrence_id)
            what["occurrences"] = [{"occurrence_id": occurrence_id, "start_time": iso(gone.start_time)}]
            meeting = self._world.update_meeting(meeting_id, occurrences=kept)
        elif permanently:
            meeting = self._world.forget_meeting(meeting_id)
        else:
            meeting = self._world.update_meeting(meeting_id, deleted=True, started=False)
        if emit:
            operation = "all" if occurrence_id is None else "single"
            payload = self._by(meeting, None) | {"operation": operation, "object": what}
            self._emit(meeting, "permanently_deleted" if permanently else "deleted", payload)
        return meeting

    def recover_meeting(self, meeting_id: int, *, emit: bool = True) -> Meeting:
        """Bring a deleted meeting back."""
        meeting = self._world.update_meeting(meeting_id, deleted=False)
        if emit:
            payload = self._by(meeting, None) | {"operation": "all", "object": events.named(meeting)}
            self._emit(meeting, "recovered", payload)
        return meeting

    def convert_meeting(self, meeting_id: int, *, emit: bool = True) -> Meeting:
        """Make a webinar of a meeting, or a meeting of a webinar; the event has the name of what it was."""
        before = self._world.meeting(meeting_id)
        after = self._world.update_meeting(meeting_id, kind="meeting" if before.kind == "webinar" else "webinar")
        if emit:
            self._emit(before, f"converted_to_{after.kind}", self._by(after, None) | {"object": events.named(after)})
        return after

    def start_meeting(self, meeting_id: int, *, emit: bool = True) -> Meeting:
        """Start a meeting with nobody in it; each run after the first gets a new uuid."""
        before = self._world.meeting(meeting_id)
        uuid = new_uuid() if before.ended else before.uuid
        meeting = self._world.update_meeting(
            meeting_id, started=True, started_at=self._clock.shown(), ended=False, uuid=uuid
        )
        if emit:
            self._emit(meeting, "started", {"object": events.running(meeting)})
        return meeting

    def end_meeting(self, meeting_id: int, *, emit: bool = True) -> Meeting:
        """End a meeting, and with it the visits of its bots."""
        self._visits.meeting_ended(meeting_id)
        self._sessions.end_all(meeting_id=meeting_id)
        meeting = self._world.update_meeting(meeting_id, started=False, ended=True, present=frozenset())
        if emit:
            self._emit(meeting, "ended", {"object": events.running(meeting, end_time=self._clock.shown())})
        return self._world.update_meeting(meeting_id, started_at=None)

    def join_user(
        self, meeting_id: int, *, user: str | None, name: str = "Guest", device: str = "", emit: bool = True
    ) -> Meeting:
        """Let a Zoom user (id or e-mail) or, with None, a guest join a meeting; each device has its own session."""
        who = None if user is None else self._world.user(user)
        meeting = self._world.meeting(meeting_id)
        session = self._sessions.begin(meeting_id=meeting_id, user=who, name=name, device=device)
        if who is not None:
            meeting = self._world.update_meeting(meeting_id, present=meeting.present | {who.id})
        if emit:
            self._emit_participant(session, "participant_joined")
        return meeting

    def leave_user(
        self, meeting_id: int, *, user: str | None, name: str = "Guest", device: str = "", emit: bool = True
    ) -> Meeting:
        """End a session; with a user's last one, the bots that came on the user's behalf are removed."""
        who = None if user is None else self._world.user(user)
        meeting = self._world.meeting(meeting_id)
        session = self._sessions.end(meeting_id=meeting_id, user=who, name=name, device=device)
        gone = who is not None and not self._sessions.present(meeting_id=meeting_id, user=who)
        if who is not None and gone:
            meeting = self._world.update_meeting(meeting_id, present=meeting.present - {who.id})
        if emit:
            self._emit_participant(session, "participant_left")
        if who is not None and gone:
            self._visits.user_left(meeting_id=meeting_id, user_id=who.id)
        return meeting

    def update_user(self, ref: str, changes: Mapping[str, Any], *, emit: bool = True) -> User:
        """Change a user; the event has only the changed fields of those that Zoom shows (`pmi`, `use_pmi`, ...)."""
        before = self._world.user(ref)
        user = self._world.update_user(ref, **changes)
        new, old = events.user_changes(before=before, after=user)
        if emit and len(new) > 1:
            payload = {
                "account_id": user.account_id,
                "object": new,
                "old_object": old,
                "time_stamp": int(self._clock.shown() * 1000),
            }
            self.emit("user.updated", payload, user=user)
        return user

    def remove_user(self, ref: str, *, how: Removal = "deleted", emit: bool = True) -> User:
        """Remove a user from the account (deleted, disassociated), or only deactivate the user."""
        user = self._world.user(ref)
        admin = self._world.account_owner(user.account_id)
        clients = self._consents.subscribers(account_id=user.account_id, user_id=user.id)
        if how == "deactivated":
            user = self._world.update_user(user.id, status="inactive")
        else:
            self._world.remove_user(user.id)
        if emit:
            first, _, last = user.name.partition(" ")
            what = {"id": user.id, "first_name": first, "last_name": last, "email": user.email, "type": 2}
            by = {"operator": admin.email, "operator_id": admin.id}
            payload = {"account_id": user.account_id, **by, "object": what}
            self._webhooks.emit(event=f"user.{how}", payload=payload, client_ids=clients)
        return user

    def emit(self, event: str, payload: Mapping[str, Any], *, user: User, **how: Any) -> list[Delivery]:
        """Send any event about a user to the apps that get this user's events; `how` as in Webhooks.emit."""
        clients = self._consents.subscribers(account_id=user.account_id, user_id=user.id)
        return self._webhooks.emit(event=event, payload=dict(payload), client_ids=clients, **how)

    def _bot_moved(self, before: Participant | None, after: Participant) -> None:
        """Emit the participant events of a bot that changed its place."""
        path = (before.place if before else "outside", after.place)
        session = self._bots.get(after.id) or self._begin_bot_session(after)
        for event in _BOT_EVENTS.get(path, ()):
            self._emit_participant(session, event)

    def _begin_bot_session(self, bot: Participant) -> Session:
        self._bots[bot.id] = self._sessions.begin(
            meeting_id=int(bot.meeting_id),
            user=None if bot.user_id is None else self._world.user(bot.user_id),
            name=bot.display_name or bot.id,
            device=bot.id,
            customer_key=bot.customer_key,
        )
        return self._bots[bot.id]

    def _emit_participant(self, session: Session, event: events.ParticipantEvent) -> None:
        meeting = self._world.meeting(session.meeting_id)
        what = events.participant(meeting, session=session, event=event, when=self._clock.shown())
        self._emit(meeting, event, {"object": what})

    def _emit(self, meeting: Meeting, what: str, payload: Mapping[str, Any]) -> None:
        host = self._world.user(meeting.host_id)
        self.emit(f"{meeting.kind}.{what}", {"account_id": host.account_id, **payload}, user=host)

    def _links_of(self, meeting: Meeting) -> str:
        return self._world.account_of(meeting).host

    def _by(self, meeting: Meeting, operator: str | None) -> dict[str, Any]:
        who = self._world.user(operator or meeting.host_id)
        return {"operator": who.email, "operator_id": who.id}

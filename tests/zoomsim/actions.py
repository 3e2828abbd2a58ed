"""What people and admins do in Zoom: changes to the world together with the webhook events that follow from them."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Literal

from tests.zoomsim import events
from tests.zoomsim.clock import SimClock, iso
from tests.zoomsim.consents import Consents, Issued
from tests.zoomsim.identifiers import new_secret, new_uuid
from tests.zoomsim.join import Joins
from tests.zoomsim.recorder import Recorder
from tests.zoomsim.webhooks import Delivery, Webhooks
from tests.zoomsim.world import Account, App, Meeting, User, World

Removal = Literal["deleted", "disassociated", "deactivated"]


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
        joins: Joins,
    ) -> None:
        self._clock = clock
        self._world = world
        self._recorder = recorder
        self._consents = consents
        self._webhooks = webhooks
        self._joins = joins

    def add_account(self, account: Account) -> Account:
        """Open an account."""
        return self._world.add_account(account)

    def add_user(self, user: User) -> User:
        """Add a user."""
        return self._world.add_user(user)

    def add_app(self, app: App) -> App:
        """Register an app; its secrets are noted for searches of logs."""
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
        """Let a user remove an app; published apps are told by `app_deauthorized`."""
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
        """Schedule a meeting or webinar; `operator` (id or e-mail): the assistant who did it for the host."""
        self._recorder.secret(meeting.passcode, kind="passcode")
        meeting = self._world.add_meeting(meeting)
        if meeting.created_at is None:
            meeting = self._world.update_meeting(meeting.id, created_at=self._clock.now())
        if emit and meeting.type not in (1, 4):  # instant meetings and personal rooms show only when they start
            self._tell(meeting, "created", self._by(meeting, operator) | {"object": events.planned(meeting)})
        return meeting

    def update_meeting(
        self, meeting_id: int, changes: Mapping[str, Any], *, operator: str | None = None, emit: bool = True
    ) -> Meeting:
        """Change a meeting; what people cannot see (`host_answer`, `present`) is changed without an event."""
        before = self._world.meeting(meeting_id)
        after = self._world.update_meeting(meeting_id, **changes)
        self._recorder.secret(after.passcode, kind="passcode")
        new, old = events.changes(before=before, after=after)
        if emit and len(new) > 1:
            payload = self._by(after, operator) | {
                "scope": "all",
                "object": new,
                "old_object": old,
                "time_stamp": int(self._clock.shown() * 1000),
            }
            self._tell(after, "updated", payload)
        return after

    def delete_meeting(
        self, meeting_id: int, *, occurrence_id: str | None = None, permanently: bool = False, emit: bool = True
    ) -> Meeting:
        """Delete a meeting, or one date of a series (`operation: single`); `permanently` cannot be recovered."""
        meeting = self._world.meeting(meeting_id)
        what = events.planned(meeting)
        if occurrence_id is not None:
            kept = tuple(item for item in meeting.occurrences if item.occurrence_id != occurrence_id)
            if len(kept) == len(meeting.occurrences):
                raise ValueError(f"meeting {meeting_id} has no occurrence {occurrence_id}")
            what["occurrences"] = [{"occurrence_id": occurrence_id}]
            meeting = self._world.update_meeting(meeting_id, occurrences=kept)
        elif permanently:
            meeting = self._world.forget_meeting(meeting_id)
        else:
            meeting = self._world.update_meeting(meeting_id, deleted=True, started=False)
        if emit:
            operation = "all" if occurrence_id is None else "single"
            payload = self._by(meeting, None) | {"operation": operation, "object": what}
            self._tell(meeting, "permanently_deleted" if permanently else "deleted", payload)
        return meeting

    def recover_meeting(self, meeting_id: int, *, emit: bool = True) -> Meeting:
        """Bring a deleted meeting back."""
        meeting = self._world.update_meeting(meeting_id, deleted=False)
        if emit:
            payload = self._by(meeting, None) | {"operation": "all", "object": events.planned(meeting)}
            self._tell(meeting, "recovered", payload)
        return meeting

    def start_meeting(self, meeting_id: int, *, emit: bool = True) -> Meeting:
        """Start a meeting, nobody present yet; a second run has a uuid of its own."""
        before = self._world.meeting(meeting_id)
        uuid = new_uuid() if before.ended else before.uuid
        meeting = self._world.update_meeting(meeting_id, started=True, ended=False, uuid=uuid)
        if emit:
            what = events.running(meeting) | {"start_time": iso(self._clock.shown())}
            self._tell(meeting, "started", {"object": what})
        return meeting

    def end_meeting(self, meeting_id: int, *, emit: bool = True) -> Meeting:
        """End a meeting; every bot in it is out."""
        meeting = self._world.update_meeting(meeting_id, started=False, ended=True, present=frozenset())
        self._joins.meeting_ended(meeting_id)
        if emit:
            self._tell(meeting, "ended", {"object": events.running(meeting, end_time=self._clock.shown())})
        return meeting

    def join_user(self, meeting_id: int, *, user: str | None, name: str = "Guest", emit: bool = True) -> Meeting:
        """Let a Zoom user (id or e-mail) or, with None, a guest come into a meeting."""
        return self._presence(meeting_id, user=user, name=name, joined=True, emit=emit)

    def leave_user(self, meeting_id: int, *, user: str | None, name: str = "Guest", emit: bool = True) -> Meeting:
        """Let them go; bots that came on the user's behalf are put out."""
        meeting = self._presence(meeting_id, user=user, name=name, joined=False, emit=emit)
        if user is not None:
            self._joins.user_left(meeting_id=meeting_id, user_id=self._world.user(user).id)
        return meeting

    def update_user(self, ref: str, changes: Mapping[str, Any], *, emit: bool = True) -> User:
        """Change a user; the event names only what changed of what Zoom shows (`pmi`, `use_pmi`, ...)."""
        before = asdict(self._world.user(ref))
        user = self._world.update_user(ref, **changes)
        after = asdict(user)
        shown = ("email", "pmi", "use_pmi", "vanity", "status")
        changed = [key for key in shown if before[key] != after[key]]
        if emit and changed:
            payload = {
                "account_id": user.account_id,
                "object": {"id": user.id} | {key: after[key] for key in changed},
                "old_object": {"id": user.id} | {key: before[key] for key in changed},
                "time_stamp": int(self._clock.shown() * 1000),
            }
            self.emit("user.updated", payload, user=user)
        return user

    def remove_user(self, ref: str, *, how: Removal = "deleted", emit: bool = True) -> User:
        """Take a user out of the account (deleted, disassociated), or only deactivate the user."""
        user = self._world.user(ref)
        clients = self._consents.subscribers(account_id=user.account_id, user_id=user.id)
        if how == "deactivated":
            user = self._world.update_user(user.id, status="inactive")
        else:
            self._world.remove_user(user.id)
        if emit:
            what = {"id": user.id, "email": user.email, "type": 2}
            payload = {"account_id": user.account_id, "object": what}
            self._webhooks.emit(event=f"user.{how}", payload=payload, client_ids=clients)
        return user

    def emit(self, event: str, payload: Mapping[str, Any], *, user: User, **how: Any) -> list[Delivery]:
        """Send any event about a user to the apps that get this user's events; `how` as in Webhooks.emit."""
        clients = self._consents.subscribers(account_id=user.account_id, user_id=user.id)
        return self._webhooks.emit(event=event, payload=dict(payload), client_ids=clients, **how)

    def _presence(self, meeting_id: int, *, user: str | None, name: str, joined: bool, emit: bool) -> Meeting:
        who = None if user is None else self._world.user(user)
        meeting = self._world.meeting(meeting_id)
        if who is not None:
            present = meeting.present | {who.id} if joined else meeting.present - {who.id}
            meeting = self._world.update_meeting(meeting_id, present=present)
        if emit:
            what = events.participant(
                meeting,
                user=who,
                name=who.name if who else name,
                number=16_778_240 + len(meeting.present),
                when=self._clock.shown(),
                joined=joined,
            )
            self._tell(meeting, "participant_joined" if joined else "participant_left", {"object": what})
        return meeting

    def _tell(self, meeting: Meeting, what: str, payload: Mapping[str, Any]) -> None:
        host = self._world.user(meeting.host_id)
        self.emit(f"{meeting.kind}.{what}", {"account_id": host.account_id, **payload}, user=host)

    def _by(self, meeting: Meeting, operator: str | None) -> dict[str, Any]:
        who = self._world.user(operator or meeting.host_id)
        return {"operator": who.email, "operator_id": who.id}

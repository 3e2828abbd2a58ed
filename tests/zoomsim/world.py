"""The state of the simulated Zoom: accounts, users, apps and meetings. Records are frozen; the World replaces them.

The same classes are the bodies of the control routes and of scenario files, so unknown fields are refused.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from pydantic import ConfigDict

from .errors import NoSuchObject
from .identifiers import (
    new_account_id,
    new_meeting_id,
    new_pmi,
    new_secret,
    new_user_id,
    new_uuid,
)
from .scopes import Level, all_granular

Plan = Literal["Free", "Pro", "Business"]
HostAnswer = Literal["granted", "denied", "timeout"]
Kind = Literal["meeting", "webinar"]
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, kw_only=True)
class Account:
    """A Zoom account. `local_recording` off overrides the users' own setting; `host` is the name in its links."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    id: str = field(default_factory=new_account_id)
    plan: Plan = "Business"
    local_recording: bool = True
    owner_user_id: str | None = None  # default: the account's first user
    webinar_plan: bool = True
    host: str = "zoom.us"


@dataclass(frozen=True, kw_only=True)
class User:
    """A Zoom user. `may_host` off (no licence): 3161; `permitted` off: 200; `vanity`: the name of `/my/{vanity}`."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    account_id: str
    email: str
    id: str = field(default_factory=new_user_id)
    name: str = "Test User"
    pmi: int = field(default_factory=new_pmi)
    use_pmi: bool = False
    vanity: str | None = None
    status: Literal["active", "inactive", "pending"] = "active"
    local_recording: bool = True
    may_host: bool = True
    permitted: bool = True


@dataclass(frozen=True, kw_only=True)
class App:
    """A Zoom Marketplace app. Without `scopes` it has all granular ones of its level.

    `access_token_seconds` is the life of its access tokens and their `expires_in`. `webhook_url` None: no events.
    `subscription_disabled`: Zoom disabled the URL after six failed validations in a row. `unretried_events`: events
    that Zoom drops after one failed try (a guess: Zoom does not say which).
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    owner_account_id: str
    name: str = "Test App"
    client_id: str = field(default_factory=lambda: new_secret(22))
    client_secret: str = field(default_factory=new_secret, repr=False)
    webhook_secret_token: str = field(default_factory=lambda: new_secret(22), repr=False)
    redirect_uris: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    level: Level = "user"
    server_to_server: bool = False
    published: bool = True
    disabled: bool = False
    disabled_by_accounts: tuple[str, ...] = ()
    access_token_seconds: int = 3599
    webhook_url: str | None = None
    subscription_disabled: bool = False
    unretried_events: tuple[str, ...] = ()

    @property
    def asked_scopes(self) -> tuple[str, ...]:
        """The scopes that a consent to this app grants."""
        return self.scopes or all_granular("account" if self.server_to_server else self.level)


@dataclass(frozen=True, kw_only=True)
class Occurrence:
    """One date of a recurring meeting; `start_time` in epoch seconds, `duration` in minutes."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    occurrence_id: str
    start_time: float
    duration: int = 60
    status: Literal["available", "deleted"] = "available"


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """A meeting or webinar. Types: 1 instant, 2 scheduled, 3 recurring without a time, 4 personal room, 8 recurring.

    A webinar has the types of a meeting here; Zoom's numbers for it (5, 6, 9) are made from them. `start_time` and
    `started_at` (of the present run) are epoch seconds in true time, `duration` is in minutes, `alternative_hosts`
    are e-mail addresses. `present` has the ids of the Zoom users in the meeting. `host_answer` is the host's answer
    to a bot that asks to record or that waits in the waiting room; None: no answer yet.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    host_id: str
    id: int = field(default_factory=new_meeting_id)
    uuid: str = field(default_factory=new_uuid)
    kind: Kind = "meeting"
    type: int = 2
    topic: str = "Test meeting"
    start_time: float | None = None
    duration: int = 60
    timezone: str = "UTC"
    created_at: float | None = None
    passcode: str = field(default="", repr=False)
    pmi: int | None = None
    occurrences: tuple[Occurrence, ...] = ()
    alternative_hosts: tuple[str, ...] = ()
    waiting_room: bool = True
    end_to_end_encrypted: bool = False
    started: bool = False
    started_at: float | None = None
    ended: bool = False
    deleted: bool = False
    present: frozenset[str] = frozenset()
    host_answer: HostAnswer | None = None


class World:
    """All records by id, checked for consistency; without calls, tokens and time."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.users: dict[str, User] = {}
        self.apps: dict[str, App] = {}
        self.meetings: dict[int, Meeting] = {}
        self._user_ids_by_email: dict[str, str] = {}
        self._meeting_ids_by_host: dict[str, set[int]] = {}

    def add_account(self, account: Account) -> Account:
        """Add an account; ValueError when the id is taken."""
        _refuse_taken(account.id, self.accounts)
        self.accounts[account.id] = account
        return account

    def add_user(self, user: User) -> User:
        """Add a user and the user's personal room (a meeting of type 4 under the PMI)."""
        account = self.account(user.account_id)
        _refuse_taken(user.id, self.users)
        _refuse_taken(user.email, self._user_ids_by_email)
        self.add_meeting(_personal_room(user), host=user)
        self.users[user.id] = user
        self._user_ids_by_email[user.email] = user.id
        if account.owner_user_id is None:
            self.accounts[account.id] = replace(account, owner_user_id=user.id)
        return user

    def add_app(self, app: App) -> App:
        """Add an app; its owner's account must exist."""
        self.account(app.owner_account_id)
        _refuse_taken(app.client_id, self.apps)
        self.apps[app.client_id] = app
        return app

    def add_meeting(self, meeting: Meeting, *, host: User | None = None) -> Meeting:
        """Add a meeting; its id must be 9 to 11 digits and free, its host known."""
        if host is None:
            self.user(meeting.host_id)
        if len(str(meeting.id)) not in (9, 10, 11):
            raise ValueError("a meeting id has 9 to 11 digits")
        _refuse_taken(meeting.id, self.meetings)
        self.meetings[meeting.id] = meeting
        self._meeting_ids_by_host.setdefault(meeting.host_id, set()).add(meeting.id)
        return meeting

    def account(self, account_id: str) -> Account:
        """Get an account; NoSuchObject when there is none."""
        return _get(account_id, self.accounts, "account")

    def user(self, ref: str) -> User:
        """Get a user by id or e-mail; NoSuchObject when there is none."""
        found = self.find_user(ref)
        if found is None:
            raise NoSuchObject(f"no user {ref}")
        return found

    def find_user(self, ref: str) -> User | None:
        """Get a user by id or e-mail, if there is one."""
        return self.users.get(self._user_ids_by_email.get(ref, ref))

    def app(self, client_id: str) -> App:
        """Get an app; NoSuchObject when there is none."""
        return _get(client_id, self.apps, "app")

    def meeting(self, meeting_id: int) -> Meeting:
        """Get a meeting, deleted or not; NoSuchObject when there is none."""
        return _get(meeting_id, self.meetings, "meeting")

    def existing_meeting(self, meeting_id: int) -> Meeting | None:
        """Get a meeting that is not deleted."""
        found = self.meetings.get(meeting_id)
        return None if found is None or found.deleted else found

    def meetings_of(self, host_id: str) -> list[Meeting]:
        """Get a host's meetings that are not deleted, in the order of their ids."""
        ids = sorted(self._meeting_ids_by_host.get(host_id, ()))
        return [self.meetings[meeting_id] for meeting_id in ids if not self.meetings[meeting_id].deleted]

    def account_of(self, meeting: Meeting) -> Account:
        """Get the account of a meeting's host."""
        return self.account(self.user(meeting.host_id).account_id)

    def account_owner(self, account_id: str) -> User:
        """Get the user that is `me` for an account-level token."""
        owner = self.account(account_id).owner_user_id
        if owner is None:
            raise NoSuchObject(f"account {account_id} has no user")
        return self.user(owner)

    def update_account(self, account_id: str, **changes: Any) -> Account:
        """Replace fields of an account."""
        self.accounts[account_id] = replace(self.account(account_id), **changes)
        return self.accounts[account_id]

    def update_user(self, ref: str, **changes: Any) -> User:
        """Replace fields of a user; a new PMI moves the personal room."""
        before = self.user(ref)
        after = replace(before, **changes)
        if after.pmi != before.pmi:
            self.add_meeting(_personal_room(after))
            self.forget_meeting(before.pmi)
        self.users[before.id] = after
        del self._user_ids_by_email[before.email]
        self._user_ids_by_email[after.email] = after.id
        return after

    def update_app(self, client_id: str, **changes: Any) -> App:
        """Replace fields of an app."""
        self.apps[client_id] = replace(self.app(client_id), **changes)
        return self.apps[client_id]

    def update_meeting(self, meeting_id: int, **changes: Any) -> Meeting:
        """Replace fields of a meeting; its host may change."""
        before = self.meeting(meeting_id)
        after = replace(before, **changes)
        self.user(after.host_id)
        self.meetings[meeting_id] = after
        self._meeting_ids_by_host[before.host_id].discard(meeting_id)
        self._meeting_ids_by_host.setdefault(after.host_id, set()).add(meeting_id)
        return after

    def forget_meeting(self, meeting_id: int) -> Meeting:
        """Remove a meeting permanently."""
        meeting = self.meeting(meeting_id)
        del self.meetings[meeting_id]
        self._meeting_ids_by_host[meeting.host_id].discard(meeting_id)
        return meeting

    def remove_user(self, ref: str) -> User:
        """Remove a user, and all meetings of that user."""
        user = self.user(ref)
        for meeting_id in list(self._meeting_ids_by_host.get(user.id, ())):
            self.forget_meeting(meeting_id)
        del self.users[user.id]
        del self._user_ids_by_email[user.email]
        return user


def _personal_room(user: User) -> Meeting:
    return Meeting(id=user.pmi, host_id=user.id, type=4, topic="Personal Meeting Room", pmi=user.pmi)


def _get(key: K, records: dict[K, V], what: str) -> V:
    try:
        return records[key]
    except KeyError:
        raise NoSuchObject(f"no {what} {key}") from None


def _refuse_taken(key: K, records: dict[K, V]) -> None:
    if key in records:
        raise ValueError(f"{key} is taken")
